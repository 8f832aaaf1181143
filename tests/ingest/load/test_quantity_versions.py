"""R14 (quantity changes): the owed quantity of a line does not depend on the order in which its versions arrive."""

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
