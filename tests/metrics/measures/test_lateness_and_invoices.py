"""On time and lateness by line, invoices right first time, mean stage times, region of an order, other dates."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.errors import UnknownName
from metrics.facts.invoices import invoice_facts_table
from metrics.facts.orders import order_facts_table
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from tests.support.builders import Records, customer, everything, order_event, order_line
from tests.support.engines import memory
from tests.support.rule_cases import END_OF_APRIL, both, day, history, renamed, sent
from tests.support.sql_facts import build

MAPPED = everything() | everything("order_events")


def with_events(records: Records, *events: dict[str, Any]) -> Records:
    return records | {"order_events": list(events), "customers": [customer()]}


@pytest.fixture(scope="module")
def judged() -> Iterator[Connection]:
    """Three orders: E with a late and an early line, EARLY received on the 8th, and WRONG billed 5.10 for 5.00.

    EARLY names a region of its own. WRONG is received on the 10th, its due day, and billed again after a reversal.
    """
    two_lines = history(
        sent(7, 8, line_no="1"),
        sent(18, 19, line_no="2"),
        lines=[order_line(promised_by=day(5)), order_line(line_no="2", promised_by=day(20))],
    )
    early = history(sent(6, 8), region="Coast")
    wrong = history(
        sent(9, 10),
        bills=[
            {"unit_price_amount": "5.10"},
            {"invoice_kind": "reversal", "reverses_invoice_id": "I1", "invoiced_at": day(12)},
            {"invoiced_at": day(12)},
        ],
    )
    records = both(
        renamed(with_events(two_lines, order_event(step=9, finished_at="2026-03-01T12:00Z")), "E"),
        renamed(with_events(early, order_event(step=9, finished_at="2026-03-01T20:00Z")), "EARLY"),
        renamed(with_events(wrong), "WRONG"),
    )
    records["customers"] = [customer()]
    engine = memory()
    with engine.connect() as connection:
        build(connection, records, END_OF_APRIL, MAPPED)
        yield connection
    engine.dispose()


def one(connection: Connection, measure: str, **asked: Any) -> Answer:
    (found,) = answer(connection, Question((measure,), **asked))
    return found


def test_on_time_by_line_counts_lines(judged: Connection) -> None:
    """Line 1 of E is late, three lines are in time: 3 / 4. By order 2 / 3 are on time."""
    found = one(judged, "on_time_line")
    assert (found.numerator, found.denominator, found.unknown) == (3, 4, 0)
    assert (one(judged, "on_time").numerator, one(judged, "on_time").denominator) == (2, 3)


def test_lateness_is_signed(judged: Connection) -> None:
    """Lines: +3, -1, -2, 0. Orders: E +3 by its worst line, EARLY -2, WRONG 0."""
    mean = one(judged, "lateness_line_mean")
    assert (mean.numerator, mean.denominator) == (0, 4)
    assert [one(judged, f"lateness_line_{name}").value for name in ("p50", "p90")] == [-1, 3]
    mean = one(judged, "lateness_mean")
    assert (mean.numerator, mean.denominator) == (1, 3)
    assert [one(judged, f"lateness_{name}").value for name in ("p50", "p90")] == [0, 3]


def test_invoices_right_first_time_count_documents(judged: Connection) -> None:
    """Two invoices of E, one of EARLY and the second of WRONG are right; the first of WRONG is not: 4 / 5.

    Billed accurately counts orders: 2 / 3.
    """
    found = one(judged, "invoices_right_first_time")
    assert (found.numerator, found.denominator, found.unknown) == (4, 5, 0)
    i = invoice_facts_table.c
    assert judged.execute(select(i.invoice_id, i.order_id, i.reason).where(i.right_first_time.is_not(True))).all() == [
        ("WRONG-I1", "WRONG", "billed_price")
    ]
    assert (one(judged, "billed_accurately").numerator, one(judged, "billed_accurately").denominator) == (2, 3)


def test_stage_hours_have_a_mean_and_a_median(judged: Connection) -> None:
    """Step 9 took 2 and 10 hours: mean 6, median 2."""
    mean = one(judged, "stage_hours_mean", by=("step",))
    assert (mean.value, mean.numerator, mean.denominator) == (6, 12, 2)
    assert one(judged, "stage_hours", by=("step",)).value == 2


def test_region_of_an_order_overrides_the_region_of_the_customer(judged: Connection) -> None:
    o = order_facts_table.c
    assert dict(judged.execute(select(o.order_id, o.region)).all()) == {
        "E": "North",
        "EARLY": "Coast",
        "WRONG": "North",
    }


@pytest.mark.parametrize(
    ("date_by", "first", "last", "perfect", "known"),
    [
        (None, 10, 10, 1, 2),  # EARLY and WRONG are due on the 10th
        ("due", 10, 10, 1, 2),
        ("arrived", 8, 9, 1, 1),  # EARLY
        ("shipped", 9, 18, 0, 2),  # WRONG on the 9th, E on the 18th
        ("ordered", 1, 1, 1, 3),
    ],
)
def test_query_can_date_orders_by_another_day(
    judged: Connection, date_by: str | None, first: int, last: int, perfect: int, known: int
) -> None:
    period = {"start": date(2026, 3, first), "end": date(2026, 3, last)}
    found = one(judged, "perfect_order", date=date_by, **period)
    assert (found.numerator, found.denominator) == (perfect, known)


def test_date_that_a_measure_does_not_support_is_explained(judged: Connection) -> None:
    assert one(judged, "net_sales_value", date="arrived").no_data == (
        "no data: net_sales_value cannot be dated by arrived, only by its own date"
    )
    with pytest.raises(UnknownName, match="due"):
        one(judged, "otif", date="deu")
