"""Worked answers: numerator, denominator, coverage, bounds, and the reason if there is no number."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert

from metrics.errors import UnknownName
from metrics.facts import stockouts, work_in_progress
from metrics.policy import Policy
from metrics.queries.answer import Answer, Question, answer
from metrics.queries.answer_table import answer_table
from metrics.rebuild.rebuild import rebuild
from metrics.schema import mapped_columns
from tests.support.ask_measures import only
from tests.support.builders import (
    Records,
    everything,
    invoice,
    invoice_line,
    order,
    order_event,
    order_line,
    records,
    shipment,
    shipment_line,
)
from tests.support.engines import memory
from tests.support.sql_facts import load

filled = only(stockouts, work_in_progress)

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999999)


def publish(connection: Connection, loaded: Records, *, mapped: frozenset[str] | None = None) -> None:
    load(connection, loaded)
    connection.execute(delete(mapped_columns))
    rows = [
        dict(zip(("feed", "column_name"), name.split("."), strict=True), source="test")
        for name in sorted(mapped or everything())
    ]
    connection.execute(insert(mapped_columns), rows)
    rebuild(connection, as_of=END_OF_APRIL, touched=None)


def history(
    number: int, *, came: str | None = "2026-03-09", left: str | None = "2026-03-08", damaged: Any = 0, **values: Any
) -> Records:
    """Return order `number`: one line of 100 at 5.00, promised on 10 March, billed correctly."""
    key = f"O{number}"
    return records(
        orders=[order(order_id=key, promised_by="2026-03-10", **values)],
        order_lines=[order_line(order_id=key)],
        shipments=[shipment(shipment_id=f"S{number}", shipped_at=left, received_at=came)],
        shipment_lines=[shipment_line(shipment_id=f"S{number}", order_id=key, damaged_qty=damaged)],
        invoices=[invoice(invoice_id=f"I{number}", currency=values.get("currency", "EUR"))],
        invoice_lines=[invoice_line(invoice_id=f"I{number}", order_id=key)],
    )


def together(*many: Records) -> Records:
    return {feed: [row for one in many for row in one.get(feed, [])] for feed in many[0]}


def of(customer: str, *orders: Records) -> Records:
    """Return the orders as those of one customer."""
    found = together(*orders)
    for row in found["orders"]:
        row["customer_id"] = customer
    return found


def split_receipt() -> Records:
    """Return an order of 10 that arrived as 6 and 4."""
    split = {"order_id": "SPLIT"}
    return records(
        orders=[order(promised_by="2026-03-10", **split)],
        order_lines=[order_line(ordered_qty=10, **split)],
        shipments=[
            shipment(shipment_id="SPLIT1", received_at="2026-03-08"),
            shipment(shipment_id="SPLIT2", received_at="2026-03-09"),
        ],
        shipment_lines=[
            shipment_line(shipment_id="SPLIT1", shipped_qty=6, **split),
            shipment_line(shipment_id="SPLIT2", shipped_qty=4, **split),
        ],
        invoices=[invoice(invoice_id="SPLIT")],
        invoice_lines=[invoice_line(invoice_id="SPLIT", billed_qty=10, line_amount=50, **split)],
    )


def under_way() -> Records:
    """Return an order in its second step since 2 March."""
    started = history(50, came=None, left=None)
    started["order_events"] = [
        order_event(order_id="O50", step=2, event_no=1, started_at="2026-03-02T10:00Z", finished_at=None)
    ]
    return started


COVERED = together(
    *[history(n) for n in range(6)],
    *[history(n, came="2026-03-12") for n in (6, 7)],
    *[history(n, came=None, left="2026-03-09") for n in (8, 9)],
)
"""10 judged orders, 6 in time, 2 late, 2 without proof."""
EVENTS = frozenset(f"order_events.{name}" for name in ("order_id", "step", "event_no", "started_at", "finished_at"))
CASES = together(
    of("covered", COVERED),
    of("X", history(20)),
    of("Y", history(21), *[history(n, came="2026-03-12") for n in (22, 23)]),
    of("two currencies", history(30, currency="USD"), history(31, currency="EUR")),
    of("split receipt", split_receipt()),
    of("under way", under_way()),
    of("one late", history(60), history(61, came="2026-03-12")),
    of("one order", history(70)),
)
NO_BILLS = together(
    of("nine good", *[history(n) for n in range(9)], history(9, came="2026-03-12")), of("one order", history(70))
)


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """The cases, each of a customer of its own."""
    engine = memory()
    with engine.connect() as opened:
        publish(opened, CASES, mapped=everything() | EVENTS)
        yield opened
    engine.dispose()


@pytest.fixture(scope="module")
def without_bills() -> Iterator[Connection]:
    """Orders from a source that maps no invoices."""
    engine = memory()
    with engine.connect() as opened:
        mapped = frozenset(name for name in everything() if not name.startswith("invoice"))
        publish(opened, {**NO_BILLS, "invoices": [], "invoice_lines": []}, mapped=mapped)
        yield opened
    engine.dispose()


def customers(*names: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the filter for these customers."""
    return (("customer", names),)


def ask(connection: Connection, *measures: str, of: str, **rest: Any) -> list[Answer]:
    """Return the answers for one customer."""
    return answer(connection, Question(measures, where=customers(of), **rest))


def test_unknown_orders_lower_the_coverage_and_widen_the_bounds(connection: Connection) -> None:
    """R36: 10 judged, 6 in time, 2 late, 2 without proof → 6/8, coverage 80 %, bounds 60 to 80 %."""
    (one,) = ask(connection, "on_time", of="covered")
    assert (one.numerator, one.denominator, one.judged, one.unknown) == (6, 8, 10, 2)
    assert (one.value, one.coverage, one.worst, one.best) == (0.75, 0.8, 0.6, 0.8)


def test_perfect_order_has_bounds_but_no_value_without_the_invoices_feed(without_bills: Connection) -> None:
    """R36: no invoice feed, 1 late, 9 otherwise good → no point, bounds 0 to 90 %."""
    (one,) = ask(without_bills, "perfect_order", of="nine good")
    assert one.value is None
    assert one.no_data == "no feed: invoices and invoice_lines"
    assert (one.worst, one.best) == (0.0, 0.9)


def test_total_rate_is_not_the_mean_of_rates(connection: Connection) -> None:
    """R31: customer X 1/1, customer Y 1/3 → 2/4, not the mean 66.7 %."""
    (whole,) = answer(connection, Question(("on_time",), where=customers("X", "Y")))
    parts = answer(connection, Question(("on_time",), by=("customer",), where=customers("X", "Y")))
    assert (whole.numerator, whole.denominator, whole.value) == (2, 4, 0.5)
    assert [(one.dimensions["customer"], one.numerator, one.denominator) for one in parts] == [("X", 1, 1), ("Y", 1, 3)]


def test_money_of_two_currencies_is_not_added(connection: Connection) -> None:
    """5,000 USD and 5,000 EUR do not add up to 10,000 of any currency (R25)."""
    (mixed,) = ask(connection, "ordered_value", of="two currencies")
    assert mixed.value is None
    assert "currency" in (mixed.no_data or "")
    filters = (*customers("two currencies"), ("currency", ("USD",)))
    (dollars,) = answer(connection, Question(("ordered_value",), where=filters))
    assert dollars.value == Decimal("500.0000")


def test_a_period_without_orders_has_no_rate(connection: Connection) -> None:
    """A published mistake: on time 100 % although nothing was due."""
    (one,) = ask(connection, "on_time", of="one order", start=date(2026, 6, 1), end=date(2026, 6, 30))
    assert one.value is None
    assert one.denominator == 0
    assert ask(connection, "on_time", of="one order", start=date(2026, 6, 1), grain="month") == []


def test_a_split_receipt_is_not_counted_twice(connection: Connection) -> None:
    """10 ordered, 6 + 4 received, shown as 71.43 % (10/14): a published mistake of joins. It is 10/10."""
    (fill,) = ask(connection, "unit_fill_final", of="split receipt")
    assert (fill.numerator, fill.denominator, fill.value) == (10, 10, 1.0)


def test_a_table_has_a_note_only_if_an_answer_has_a_remark(connection: Connection, without_bills: Connection) -> None:
    assert "note" not in answer_table(connection, Question(("on_time",), where=customers("one order"))).columns
    table = answer_table(without_bills, Question(("billed_accurately",), where=customers("one order")))
    assert (table.columns[-1], [row[-1] for row in table.rows]) == ("note", ["no feed: invoices and invoice_lines"])


@pytest.mark.parametrize(
    "question", [Question(("otfi",)), Question(("otif",), by=("regoin",)), Question(("otif",), grain="fortnight")]
)
def test_an_unknown_name_is_refused(connection: Connection, question: Question) -> None:
    with pytest.raises(UnknownName):
        answer(connection, question)


def test_a_total_judged_under_the_strict_policy_only_has_no_value_under_another(connection: Connection) -> None:
    """Orders give the segments. A count on strict facts must not show 0 next to them."""
    question = Question(("orders", "stockout_events"), by=("segment",), where=customers("one late"))
    orders, stockouts = answer(connection, question, policy=Policy(late_tolerance_days=1))
    assert (orders.value, stockouts.value) == (2, None)
    assert stockouts.no_data == "no data: judged under the strict policy only"


def test_a_measure_without_a_breakdown_gives_the_reason_in_every_part(connection: Connection) -> None:
    question = Question(("orders", "package_attainment"), by=("carrier",), where=customers("one order"))
    orders, fit = answer(connection, question)
    assert orders.value == 1
    assert (fit.value, (fit.no_data or "").startswith("no ")) == (None, True)


def test_work_in_progress_does_not_depend_on_the_period(connection: Connection) -> None:
    """One order has been under way since 2 March. A period that ended in January must still show it."""
    (whole,) = ask(connection, "work_in_progress", of="under way")
    (january,) = ask(connection, "work_in_progress", of="under way", start=date(2026, 1, 1), end=date(2026, 1, 31))
    assert whole.value == january.value == 1
