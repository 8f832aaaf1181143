"""A record in quarantine never leaves the denominator: its order is judged unknown (R34, impossible dates).

The four orders of `CLEAN` are due on 10 March and received on the 9th. Orders A and B are complete, C and D short.
"""

from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.orders.in_quarantine import TABLES
from metrics.facts.recoveries import recovery_facts_table
from metrics.facts.registry import FACT_TABLES
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.queries.rollups import ROLLUPS
from metrics.rebuild.rebuild import rebuild
from metrics.schema import quarantine, runs
from metrics.warehouse import reading, writing
from tests.ingest.files import Source, add, with_invoices

HEADERS = {
    "orders": "no,customer,placed,promised",
    "order_lines": "no,pos,item,qty,price",
    "shipments": "delivery,left,proof",
    "shipment_lines": "delivery,item,no,pos,qty",
}
CLEAN: dict[str, list[str]] = {
    "orders": [f"{no},C1,2026-03-02,2026-03-10" for no in "ABCD"],
    "order_lines": [*[f"{no},1,P1,10,2" for no in "ABCD"], "A,2,P1,4,2"],
    "shipments": [f"S{no},2026-03-08,2026-03-09" for no in "ABCD"],
    "shipment_lines": ["SA,1,A,1,10", "SA,2,A,2,4", "SB,1,B,1,10", "SC,1,C,1,7", "SD,1,D,1,7"],
}
SHARES = (
    "otif", "on_time", "complete", "filled_accurately", "beyond_promise", "line_fill_final", "otif_line", "otif_unit",
    "line_fill_first_pass", "unit_fill_final", "value_fill_final", "order_fill_first_pass", "substitution_share",
    "on_time_group", "on_time_current_promise", "got_what_wanted", "promise_kept",
)  # fmt: skip
AS_OF = 'data_as_of = "2026-04-30T23:59:59"'


def write(source: Source, **changed: list[str]) -> Source:
    """Write the clean records, with other records in place of the named feeds."""
    source.head, source.zone = AS_OF, "UTC"
    source.columns["order_lines"]["unit_price_amount"] = '"price"'
    for feed, header in HEADERS.items():
        source.write(f"{feed}.csv", "\n".join([header, *changed.get(feed, CLEAN[feed])]) + "\n")
    return source


def changed(feed: str, place: int, record: str) -> dict[str, list[str]]:
    """Return the records of a feed with another record at one place."""
    return {feed: [record if number == place else one for number, one in enumerate(CLEAN[feed])]}


def ask(connection: Connection, *measures: str, **options: Any) -> dict[str, Answer]:
    return {one.measure: one for one in answer(connection, Question(measures, **options))}


def parts(one: Answer) -> tuple[object, ...]:
    return one.numerator, one.denominator, one.judged, one.unknown


def reasons(connection: Connection) -> dict[str, tuple[str, str | None]]:
    o = order_facts_table.c
    return {
        row.order_id: (row.state, row.otif_reason)
        for row in connection.execute(select(o.order_id, o.state, o.otif_reason))
    }


@pytest.fixture(autouse=True)
def no_ledgers() -> None:
    """Keep the fact tables: some of the shares need them."""


def worlds(records: list[tuple[str, int, str | None]]) -> dict[str, list[str]]:
    """Return a copy of the clean records for each of these records, as customers W00, W01 and so on.

    Each copy has one other record in a feed, at a place, or lacks the record there.
    """
    found: dict[str, list[str]] = {feed: [] for feed in HEADERS}
    for number, (feed, place, record) in enumerate(records):
        world = f"W{number:02d}"
        for name, rows in CLEAN.items():
            own = [record if (name, at) == (feed, place) else one for at, one in enumerate(rows)]
            found[name] += [renamed(one, name, world) for one in own if one is not None]
    return found


def renamed(record: str, feed: str, world: str) -> str:
    """Return a record with the keys and the customer of its world."""
    values = record.split(",")
    for at in {"orders": (0,), "order_lines": (0,), "shipments": (0,), "shipment_lines": (0, 2)}[feed]:
        values[at] = f"{world}{values[at]}"
    if feed == "orders" and values[1]:
        values[1] = world
    return ",".join(values)


OF_C: list[tuple[str, int, str | None]] = [
    ("order_lines", 2, "C,1,P1,-1,2"),
    ("order_lines", 2, "C,1,P1,seven,2"),
    ("order_lines", 2, "C,,P1,10,2"),
    ("orders", 2, "C,C1,2026-03-02,soon"),
    ("orders", 2, "C,C1,2026-02-30,2026-03-10"),
    ("orders", 2, "C,,2026-03-02,2026-03-10"),
    ("orders", 2, None),
    ("shipment_lines", 3, "SC,1,C,9,7"),
    ("shipment_lines", 3, "SC,1,C,1,seven"),
    ("shipments", 2, "SC,2026-03-08,2026-02-01"),
]
"""Records of order C that go to quarantine, or that are missing so that others wait for them."""


def test_an_order_with_a_record_in_quarantine_is_judged_unknown(any_source: Source) -> None:
    """N11. In each copy A and B are true, D is false and C is unknown: OTIF 2 of 3, coverage 3/4, range 2/4 to 3/4."""
    write(any_source, **worlds(OF_C)).take_in()
    n = len(OF_C)
    with reading(any_source.location) as connection:
        kept_reasons = reasons(connection)
        found = ask(connection, "otif", "judged_orders", "orders")
        one = ask(connection, "otif", where=(("customer", ("W00",)),))["otif"]
    assert {order_id: kept_reasons[order_id] for order_id in kept_reasons if order_id.endswith("C")} == {
        f"W{number:02d}C": ("judged", "quarantined") for number in range(n)
    }
    assert parts(found["otif"]) == (2 * n, 3 * n, 4 * n, n)
    assert (found["judged_orders"].value, found["orders"].value) == (4 * n, 4 * n)
    assert (*parts(one), one.coverage, one.worst, one.best) == (2, 3, 4, 1, 0.75, 0.5, 0.75)


def test_repeated_headers_and_totals_rows_create_no_orders(source: Source) -> None:
    """The clean records have 2 of 4 orders on time in full. Pasted headers and totals change nothing and are listed."""
    middle = {feed: [*rows[:2], HEADERS[feed], *rows[2:]] for feed, rows in CLEAN.items()}
    middle["orders"].insert(3, "TOTAL,,,")
    middle["order_lines"].insert(3, "Grand total,,,54,")
    write(source, **middle)
    source.take_in()
    with reading(source.location) as connection:
        assert set(reasons(connection)) == set("ABCD")
        assert parts(ask(connection, "otif")["otif"]) == (2, 4, 4, 0)
        listed = connection.execute(select(quarantine.c.feed, quarantine.c.order_id)).all()
    assert sorted(listed) == sorted((feed, None) for feed in (*HEADERS, "orders", "order_lines"))


def test_quarantined_order_is_dated_by_its_readable_dates(any_source: Source) -> None:
    """The due day, else the order day, else the day of the data at which the record was received."""
    orders = [
        *CLEAN["orders"],
        "E,C1,2026-03-04,soon",
        "F,C2,later,2026-03-20",
        "G,,later,soon",
        "H,C1,2026-03-02,2026-06-01x",
    ]
    lines = [*CLEAN["order_lines"], *[f"{no},1,P1,10,2" for no in "EFGH"]]
    write(any_source, orders=orders, order_lines=[*lines, "I,1,P1,10,2"]).take_in()
    with reading(any_source.location) as connection:
        o = order_facts_table.c
        rows = {row.order_id: row for row in connection.execute(select(order_facts_table).where(o.in_quarantine))}
    days = {no: (row.ordered_day, row.due_day, row.customer_id, row.state) for no, row in rows.items()}
    end = date(2026, 4, 30)
    assert days == {
        "E": (date(2026, 3, 4), date(2026, 3, 4), "C1", "judged"),
        "F": (date(2026, 3, 20), date(2026, 3, 20), "C2", "judged"),
        "G": (end, end, "(none)", "judged"),
        "H": (date(2026, 3, 2), date(2026, 3, 2), "C1", "judged"),
        "I": (end, end, "(none)", "judged"),
    }


def test_a_line_in_quarantine_keeps_its_readable_quantity(any_source: Source) -> None:
    """Line A/2 (4 pieces) has an unreadable price, line B/1 an unreadable quantity. Every line of A and B is unknown.

    Units: known are C and D with 14 of 20 units; A has 10 + 4 unknown units, B's are not readable. So the range of the
    unit fill is 0 to 100 %, and its coverage is 20/34 of 4 of 5 lines.
    """
    lines = [
        one.replace("A,2,P1,4,2", "A,2,P1,4,two").replace("B,1,P1,10,2", "B,1,P1,many,2")
        for one in CLEAN["order_lines"]
    ]
    write(any_source, order_lines=lines).take_in()
    with reading(any_source.location) as connection:
        found = ask(connection, "unit_fill_final", "line_fill_final", "order_lines", "ordered_units", "ordered_value")
    units = found["unit_fill_final"]
    assert parts(units) == (14, 20, 34, 14)
    assert (units.worst, units.best, float(units.coverage or 0)) == (0, 1, pytest.approx(20 / 34 * 4 / 5))
    assert "1 line in quarantine has no readable quantity" in (units.remark or "")
    assert parts(found["line_fill_final"]) == (0, 2, 5, 3)
    assert (found["order_lines"].value, found["ordered_units"].value) == (5, 30)
    # 3 loaded lines of 10 at 2; 2 quarantined lines are left out
    value = found["ordered_value"]
    assert (value.value, value.coverage) == (60, 3 / 5)
    assert value.remark == "Leaves out 2 quarantined records of order_lines."


@pytest.mark.long
def test_money_measures_with_quarantined_records_have_a_coverage_and_a_remark(any_source: Source) -> None:
    """N11. Two of four bills wait: net sales are 40 of 2 bills, coverage 2/4. A group counts what may belong to it."""
    write(any_source)
    bills = "".join(f"I{no},2026-03-12\n" for no in "ABCD")
    with_invoices(any_source, bills, "IA,1,A,1,20\nIB,1,B,1,20\nIC,1,C,9,14\nID,1,D,1,fourteen\n")
    any_source.take_in()
    measures = ("net_sales_value", "billed_value", "otif")
    with reading(any_source.location) as connection:
        found = ask(connection, *measures)
        other = ask(connection, *measures, where=(("customer", ("C2",)),))
        april = ask(connection, *measures, start=date(2026, 4, 1))
        by_customer = answer(connection, Question(("net_sales_value",), by=("customer",)))
    for name in measures[:2]:
        assert (found[name].value, found[name].coverage) == (40, 0.5)
        assert found[name].remark == "Leaves out 2 quarantined records of invoice_lines."
        assert (april[name].coverage, april[name].remark) == (None, None)
        assert (other[name].coverage, other[name].remark) == (None, None)
    assert parts(found["otif"]) == (2, 4, 4, 0)
    assert [(one.dimensions["customer"], one.value, one.coverage) for one in by_customer] == [("C1", 40, 0.5)]


def test_a_share_of_another_feed_counts_its_quarantined_records_as_unknown(any_source: Source) -> None:
    """Two of three inquiries are loaded, one of them answered: 1 of 2, coverage 2/3, range 1/3 to 2/3.

    The drill-down lists the loaded rows, so `judged` and `unknown` count these.
    """
    write(any_source)
    add(
        any_source,
        "quotes",
        "quote_id,customer_id,asked_at,answered_at\nQ1,C1,2026-03-01,2026-03-02\nQ2,C1,2026-03-01,\nQ3,C1,2026-03-01,x\n",
    )
    any_source.take_in()
    with reading(any_source.location) as connection:
        found = ask(connection, "quotes_answered")["quotes_answered"]
    assert parts(found) == (1, 2, 2, 0)
    assert (found.coverage, found.worst, found.best) == (2 / 3, 1 / 3, 2 / 3)


def test_orders_without_a_known_customer_have_no_next_order(source: Source) -> None:
    """C and D lack their customers, so D does not follow C. A and B of C1 wait for a next order: 0 of 2 reordered."""
    readable = ["C,,2026-03-02,2026-03-10", "D,,2026-03-20,2026-03-30"]
    write(source, orders=[*CLEAN["orders"][:2], *readable])
    add(source, "messages", "message_id,order_id,kind,sent_at\nM1,A,acknowledgement,2026-03-03\n")
    source.take_in()
    r = recovery_facts_table.c
    with reading(source.location) as connection:
        found = ask(connection, "reorder_30")["reorder_30"]
        waits = {
            row.order_id: (row.start_day, row.next_day)
            for row in connection.execute(select(r.order_id, r.start_day, r.next_day))
        }
    received = date(2026, 3, 9)
    assert waits == {"A": (received, None), "B": (received, None), "C": (None, None), "D": (None, None)}
    assert (found.value, found.denominator) == (0, 2)


def contents(connection: Connection) -> dict[str, list[Any]]:
    tables = [
        *TABLES,
        order_facts_table,
        order_line_facts_table,
        *[one.table for one in FACT_TABLES],
        *[one.table for one in ROLLUPS],
    ]
    return {table.name: sorted(map(tuple, connection.execute(select(table))), key=repr) for table in tables}


@pytest.mark.long  # several whole runs
def test_a_partial_rebuild_equals_a_full_one_and_a_release_ends_the_quarantine(any_source: Source) -> None:
    """Records go into quarantine in later runs, wait, are sent again and are released."""
    source = any_source
    write(
        source,
        orders=CLEAN["orders"][:3],
        order_lines=CLEAN["order_lines"][:3],
        shipment_lines=CLEAN["shipment_lines"][:1],
    )
    for feed in HEADERS:
        source.origin[feed] = f'read = "{feed}*.csv"'
    later = [
        {"order_lines": ["C,1,P1,-1,2", "D,1,P1,10,2", "E,x,P1,many,2"], "shipment_lines": CLEAN["shipment_lines"][1:]},
        {"orders": ["D,C1,2026-03-02,soon", "E,,2026-03-02,2026-03-10"]},
        {
            "orders": [CLEAN["orders"][3], "E,C2,2026-03-02,2026-03-10"],
            "order_lines": ["C,1,P1,9,2", *CLEAN["order_lines"][3:], "E,x,P1,5,2"],
        },
    ]
    source.take_in()
    for number, records in enumerate(later, start=2):
        for feed, rows in records.items():
            source.write(f"{feed}_{number}.csv", "\n".join([HEADERS[feed], *rows]) + "\n")
        source.take_in()
        with writing(source.location) as build:
            in_part = contents(build.connection)
            as_of = build.connection.scalar(select(runs.c.data_as_of).order_by(runs.c.run_id.desc()).limit(1))
            rebuild(build.connection, as_of=as_of, touched=None)
            assert contents(build.connection) == in_part, number
    with reading(source.location) as connection:
        found = ask(connection, "otif", "judged_orders")
        assert all(not connection.execute(select(table)).all() for table in TABLES)
    # A and B complete; C and D short; E has no shipment
    assert (parts(found["otif"]), found["judged_orders"].value) == ((2, 5, 5, 0), 5)


BROKEN = {
    "orders": ("{0},C1,2026-03-02,soon", "{0},C1,x,2026-03-10"),
    "order_lines": ("{0},{1},P1,x,2", "{0},{1},P1,10,x", "{0},,P1,10,2"),
    "shipments": ("{0},x,2026-03-09", "{0},2026-03-08,x"),
    "shipment_lines": ("{0},{1},{2},{3},x", "{0},{1},{2},9,10"),
}
EVERY: list[tuple[str, int, str | None]] = [
    (feed, place, form.format(*record.split(",")))
    for feed, forms in BROKEN.items()
    for place, record in enumerate(CLEAN[feed])
    for form in forms
]


def test_no_quarantined_record_raises_a_coverage_or_a_worst_bound(source: Source) -> None:
    """Property: each record of each feed in quarantine in turn, in a copy of its own, on all shares of the records."""
    write(source, **worlds([*EVERY, ("orders", 9, None)])).take_in()
    with reading(source.location) as connection:
        answers = answer(connection, Question(SHARES, by=("customer",)))
    by_world: dict[str | None, dict[str, Answer]] = {}
    for one in answers:
        by_world.setdefault(one.dimensions["customer"], {})[one.measure] = one
    clean = {name: one for name, one in by_world.pop(f"W{len(EVERY):02d}").items() if one.coverage == 1}
    assert len(clean) >= 10, "shares that need other columns have no coverage here"
    assert len(by_world) == len(EVERY)
    for world, (_, _, record) in zip(sorted(by_world, key=str), EVERY, strict=True):
        for name in clean:
            after = by_world[world][name]
            assert float(after.coverage or 0) <= float(clean[name].coverage or 0), (name, record)
            assert float(after.worst or 0) <= float(clean[name].worst or 0), (name, record)
        assert float(by_world[world]["otif"].coverage or 0) < 1, record
