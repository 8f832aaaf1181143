"""R14 (quantity changes): the owed quantity of a line does not depend on the order in which its versions arrive."""

import itertools

import pytest
from sqlalchemy import select

from metrics.facts.orders import order_line_facts_table
from metrics.warehouse import reading
from tests.ingest.files import Source

OLDER = {"A": 10, "B": 8, "C": 9}
NEWER = {"A": 8, "B": 10, "C": 9}


def version(quantities: dict[str, int], day: str) -> str:
    return "no,pos,item,qty,changed\n" + "".join(f"{key},1,P1,{qty},{day}\n" for key, qty in quantities.items())


@pytest.mark.every_run("newer-2026-04-15-8")
@pytest.mark.parametrize(
    ("first", "watermark", "raised"),
    [
        ("older", "2026-03-09", 8),
        ("newer", "2026-03-09", 10),
        ("newer", "2026-04-15", 8),
        ("together", "2026-03-09", 10),
        ("together", "2026-04-15", 8),
    ],
)
def test_r14_first_quantity_is_owed_in_whatever_order_versions_arrive(
    source: Source, first: str, watermark: str, raised: int
) -> None:
    """Due 10 March. A was 10 and became 8: 10 are owed. B was 8 and became 10.

    The 10 of B count if a run whose watermark is at or before 10 March loaded them, else 8 are owed. The second run of
    a case has the watermark 30 April.
    """
    placed = "".join(f"{key},C1,2026-03-02,2026-03-10\n" for key in OLDER)
    source.write("orders.csv", f"no,customer,placed,promised\n{placed}")
    source.write("shipment_lines.csv", "delivery,item,no,pos,qty\nS1,1,A,1,8\n")
    source.columns["order_lines"]["source_updated_at"] = '"changed"'
    source.origin["order_lines"] = 'read = "lines-*.csv"'
    source.head = f'data_as_of = "{watermark}"'
    files = {"older": version(OLDER, "2026-03-02"), "newer": version(NEWER, "2026-03-05")}
    if first != "together":
        source.write(f"lines-{first}.csv", files.pop(first))
        source.take_in()
        source.head = 'data_as_of = "2026-04-30"'
    for name, content in files.items():
        source.write(f"lines-{name}.csv", content)
    source.take_in()
    line = order_line_facts_table.c
    with reading(source.location) as connection:
        rows = connection.execute(select(line.order_id, line.owed_qty, line.ordered_qty)).all()
    assert {row.order_id: (row.owed_qty, row.ordered_qty) for row in rows} == {
        "A": (10, 8),
        "B": (raised, 10),
        "C": (9, 9),
    }


LINES = [
    *itertools.product((8, 10, 12), repeat=3),
    *itertools.product((8, 12), repeat=4),
    *[(*rest[:place], None, *rest[place:]) for rest in itertools.product((8, 12), repeat=3) for place in range(4)],
]
"""Quantities of a line's versions, oldest first; None: the line is deleted."""
ARRIVALS = [(line, order) for line in LINES for order in itertools.permutations(range(len(line)))]


@pytest.mark.long
@pytest.mark.parametrize(
    "watermarks",
    [
        pytest.param(["2026-03-06", "2026-03-09", "2026-04-01", "2026-04-02"], id="half"),
        pytest.param(["2026-04-01", "2026-04-02", "2026-04-03", "2026-04-04"], id="after_deadline"),
    ],
)
def test_r14_every_order_of_arrival_of_three_or_four_versions_owes_the_same(
    any_source: Source, watermarks: list[str]
) -> None:
    """Each order of arrival is an order of its own, and its n-th version comes with run n. Due 10 March.

    Owed is the greatest of the oldest quantity and those that came by the deadline, after the last deletion.
    """
    source, keys = any_source, [f"A{number:04d}" for number in range(len(ARRIVALS))]
    source.columns["order_lines"] |= {"source_updated_at": '"changed"', "deleted": '"gone"'}
    source.origin["order_lines"] = 'read = "lines-*.csv"'
    source.write(
        "orders.csv", "no,customer,placed,promised\n" + "".join(f"{k},C1,2026-03-02,2026-03-10\n" for k in keys)
    )
    source.write("shipment_lines.csv", "delivery,item,no,pos,qty\n")
    for run, watermark in enumerate(watermarks):
        lines = ["no,pos,item,qty,changed,gone"]
        for key, (line, order) in zip(keys, ARRIVALS, strict=True):
            if run < len(order):
                quantity = line[order[run]]
                gone = "false" if quantity else "true"
                lines.append(f"{key},1,P1,{quantity or 9},2026-03-0{order[run] + 2},{gone}")
        source.write(f"lines-{run}.csv", "\n".join(lines) + "\n")
        source.head = f'data_as_of = "{watermark}"'
        source.take_in()
    source.write("shipment_lines.csv", "delivery,item,no,pos,qty\n" + "".join(f"S1,{k},{k},1,8\n" for k in keys))
    source.head = 'data_as_of = "2026-04-30"'
    source.take_in()
    facts = order_line_facts_table.c
    with reading(source.location) as connection:
        found = {row.order_id: row.owed_qty for row in connection.execute(select(facts.order_id, facts.owed_qty))}
    expected = {
        key: owed(line, [watermarks[order.index(version)] <= "2026-03-10" for version in range(len(order))])
        for key, (line, order) in zip(keys, ARRIVALS, strict=True)
        if line[-1] is not None
    }
    assert found == expected


def owed(line: tuple[int | None, ...], in_time: list[bool]) -> int:
    """Return the quantity that R14 (quantity changes) owes. in_time: if a run by the deadline brought each version."""
    start = max((place + 1 for place, quantity in enumerate(line) if quantity is None), default=0)
    later = [quantity for quantity, early in zip(line[start:], in_time[start:], strict=True) if early]
    return max(quantity for quantity in (line[start], *later) if quantity is not None)
