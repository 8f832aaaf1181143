"""N2 by hand: the point of a combined share counts every known failure, and open windows make a period provisional."""

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Connection

from metrics.facts import availability, contract_verdicts, delivery_groups, recoveries
from metrics.facts.orders import order_facts_table
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Additive, Ratio
from metrics.model.point import comparable, point_of, range_of
from metrics.model.question import Question
from metrics.queries import provisional
from metrics.queries.answer import answer
from metrics.queries.explain import explain
from metrics.queries.provisional import complete_through
from tests.support.ask_measures import ALL, billed, built, halves, one, only, sale, together
from tests.support.builders import customer, invoice, invoice_line, order, order_line, policy_version
from tests.support.builders import shipment as consignment
from tests.support.builders import shipment_line as consigned

_tables = only(delivery_groups, contract_verdicts, availability, recoveries)
COMBINED = ("perfect_order", "perfect_group", "perfect_order_contract")


def perfect(order_id: str, **values: object) -> dict[str, list[dict[str, object]]]:
    return together(sale(order_id, received="2026-03-09", **values), billed(order_id))


def recent(order_id: str, day: str, *, damaged: int | None) -> dict[str, list[dict[str, object]]]:
    """Return an order due and received on a day of April and billed right. Damage is recorded or left open."""
    return {
        "orders": [order(order_id=order_id, promised_by=day)],
        "order_lines": [order_line(order_id=order_id)],
        "shipments": [consignment(shipment_id=order_id, shipped_at=day, received_at=day)],
        "shipment_lines": [consigned(shipment_id=order_id, order_id=order_id, damaged_qty=damaged)],
        "invoices": [invoice(invoice_id=order_id, invoiced_at=day)],
        "invoice_lines": [invoice_line(invoice_id=order_id, order_id=order_id)],
    }


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """Return these orders of one customer under a contract that equals the strict policy.

    Due 10 March: 17 perfect, 2 late of which the bill is unknown (no quantity on it), 1 unknown (no quantity on the
    bill). Due 12 April: 1 damaged. Due 20 April: 3 whose claims window is open.
    """
    loaded = together(
        *[perfect(f"P{number}") for number in range(17)],
        *[
            together(sale(f"L{number}", received="2026-03-12"), billed(f"L{number}", billed_qty=None))
            for number in range(2)
        ],
        together(sale("U", received="2026-03-09"), billed("U", billed_qty=None)),
        recent("D", "2026-04-12", damaged=5),
        *[recent(f"R{number}", "2026-04-20", damaged=None) for number in range(3)],
        {"customers": [customer(policy_id="K1")], "policies": [policy_version()]},
    )
    with built(**loaded) as opened:
        yield opened


MARCH = {"start": date(2026, 3, 1), "end": date(2026, 3, 31)}
APRIL = {"start": date(2026, 4, 1), "end": date(2026, 4, 30)}


@pytest.mark.parametrize("name", COMBINED)
def test_a_late_order_with_an_unknown_bill_has_failed(connection: Connection, name: str) -> None:
    """March: T 17, F 2 (late, bill unknown), U 1. Point 17/19, coverage 19/20, range 17/20 to 18/20."""
    found = one(connection, name, **MARCH)
    assert (found.numerator, found.denominator, found.unknown, found.judged) == (17, 19, 1, 20)
    assert (found.value, found.coverage) == (17 / 19, 0.95)
    assert (found.worst, found.best, found.provisional) == (0.85, 0.9, None)


@pytest.mark.parametrize("name", COMBINED)
def test_below_the_minimum_coverage_the_range_replaces_the_value(connection: Connection, name: str) -> None:
    """April: T 0, F 1 (damaged), U 3 (claims window open). Coverage 1/4: no value, range 0 to 3/4."""
    found = one(connection, name, **APRIL)
    assert (found.numerator, found.denominator, found.unknown, found.judged) == (0, 1, 3, 4)
    assert (found.value, range_of(found), point_of(found)) == (None, (0.0, 0.75), 0.0)
    assert found.no_data == "inconclusive: 25.0% of the verdicts are known, 90% needed"
    assert (found.low, found.high) == (None, None)


@pytest.mark.parametrize("name", COMBINED)
def test_provisional_answer_has_the_last_complete_day_and_both_parts(connection: Connection, name: str) -> None:
    """The first open order is due on 20 April. Through the 19th 17 of 20 known (P7); later 0 to 3/3."""
    found = one(connection, name)
    provisional = found.provisional
    assert provisional is not None
    assert provisional.complete is not None
    assert provisional.later is not None
    assert (provisional.window, provisional.open, provisional.through) == ("claims window", 3, date(2026, 4, 19))
    assert complete_through(connection, name) == date(2026, 4, 19)
    complete, later = provisional.complete, provisional.later
    assert (complete.numerator, complete.denominator, complete.unknown, complete.judged) == (17, 20, 1, 21)
    assert (later.numerator, later.denominator, later.unknown, later.judged) == (0, 0, 3, 3)
    assert range_of(later) == (0.0, 1.0)
    assert comparable(found) == complete


def test_the_parts_of_each_month_add_up_to_the_month(connection: Connection) -> None:
    """By month, March is complete. April is split on the 19th: 1 judged before, 3 after."""
    march, april = answer(connection, Question(("perfect_order",), grain="month"))
    assert march.provisional is None
    assert april.provisional is not None
    assert april.provisional.complete is not None
    assert april.provisional.later is not None
    assert (april.provisional.complete.judged, april.provisional.later.judged, april.judged) == (1, 3, 4)


def test_one_statement_gives_the_parts_that_separate_statements_give(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    summed = tuple(
        name
        for name, measure in MEASURES.items()
        if measure.facts is order_facts_table and isinstance(measure.formula, Additive)
    )
    asked = [
        Question(summed),
        Question(summed, by=("segment",)),
        Question(summed, by=("region",), grain="month"),
        Question(summed, start=date(2027, 1, 1)),
    ]
    at_once = [answer(connection, question) for question in asked]
    monkeypatch.setattr(provisional, "split_select", lambda *_, **__: None)
    assert at_once == [answer(connection, question) for question in asked]
    for answers in at_once[:3]:
        parts = [found.provisional for found in answers if found.provisional is not None]
        assert any(part.complete is not None and part.later is not None for part in parts)


def test_answer_after_the_last_complete_day_has_no_comparable_part(connection: Connection) -> None:
    found = one(connection, "perfect_order", start=date(2026, 4, 20))
    assert found.provisional is not None
    assert comparable(found) is None


def test_each_single_test_has_its_own_window(connection: Connection) -> None:
    """Damage is open until the claims window has passed; everything is billed, so no invoice window is open."""
    damage, bill = one(connection, "damage_free"), one(connection, "billed_accurately")
    assert damage.provisional is not None
    assert damage.provisional.through == date(2026, 4, 19)
    assert bill.provisional is None
    assert complete_through(connection, "billed_accurately") is None


def test_an_unbilled_order_is_inside_its_invoice_window() -> None:
    """Received 28 April, no damage, not billed by the 30th: open until 5 May. On 10 May it has failed: 0/1."""
    loaded = recent("N", "2026-04-28", damaged=0) | {"invoices": [], "invoice_lines": []}
    with built(**loaded) as opened:
        found = one(opened, "perfect_order")
        assert found.provisional is not None
        assert (found.provisional.window, found.provisional.through) == ("invoice window", date(2026, 4, 27))
        assert (found.judged, found.unknown) == (1, 1)


def test_failed_orders_equal_the_failures_of_the_perfect_order(connection: Connection) -> None:
    """N10: 3 orders failed (2 late, 1 damaged), whatever their other tests are. 25 - 3 - 4 unknown = 17 perfect."""
    failed, whole = one(connection, "failed_orders"), one(connection, "perfect_order")
    assert (failed.value, whole.denominator, whole.numerator) == (3, 20, 17)
    assert failed.provisional is not None, "later failures of April can still show"


def test_an_order_that_missed_its_request_is_not_available_as_wanted() -> None:
    """Requested for the 5th, received on the 9th, contents unknown: 0/1 with coverage 1, not withheld."""
    loaded = sale("A", received="2026-03-09", requested_by="2026-03-05")
    loaded["shipment_lines"] = [consigned(shipment_id="A", order_id="A", product_id=None)]
    with built(**loaded) as opened:
        found = one(opened, "available_as_wanted")
        assert (found.numerator, found.denominator, found.unknown, found.value) == (0, 1, 0, 0.0)
        assert halves(opened, "got_what_wanted") == (0, 0)


def test_explain_compares_only_the_complete_part_and_reports_it(connection: Connection) -> None:
    """March 17/19 against April through the 19th, 0/1. The other orders of April are named first."""
    march, april = (date(2026, 3, 1), date(2026, 3, 31)), (date(2026, 4, 1), date(2026, 4, 30))
    found = explain(connection, "perfect_order", by="segment", before=march, after=april)
    assert (found.before.denominator, found.after.denominator, found.after.judged) == (19, 1, 1)
    assert found.provisional == (
        "provisional: 3 orders of the period 2026-04-01..2026-04-30 are still inside their claims window; compared "
        "through 2026-04-19",
    )
    assert found.compared == (march, (april[0], date(2026, 4, 19)))
    counts = explain(connection, "failed_orders", by="segment", before=march, after=april)
    assert counts.change is None
    assert counts.provisional
    assert (
        counts.why_not == "the period after is provisional, so its value cannot be compared; choose an earlier period"
    )


def test_every_combined_share_is_marked() -> None:
    combined = {name for name, found in MEASURES.items() if isinstance(found.formula, Ratio) and found.formula.combined}
    assert combined == {*COMBINED, "available_as_wanted"}


@pytest.mark.long
@pytest.mark.parametrize("column_is_mapped", [False, True])
def test_n14_a_promise_of_few_lines_gives_no_value_where_the_promise_of_orders_is_missing(
    column_is_mapped: bool,
) -> None:
    """A (promised by its line for the 10th) came on the 12th: it failed. B, C and D came, and have only a request.

    Known 1 of 4: 0 of 1 on time would be 0 %, and is only the range 0 to 3/4. With A2, promised like A and in time,
    half of the orders have a promise: 1/2. With E, promised by its order and in time, no column is empty: 1/2, coverage
    2/5.
    """

    def promised(loaded: dict[str, list[dict[str, object]]], feed: str) -> dict[str, list[dict[str, object]]]:
        for name in ("orders", "order_lines"):
            day = order(promised_by="2026-03-10" if name == feed else None)
            loaded[name][0] |= {key: day[key] for key in ("promised_by", "promised_by_is_date")}
        loaded["orders"][0] |= {
            key: order(requested_by="2026-03-10")[key] for key in ("requested_by", "requested_by_is_date")
        }
        return loaded

    late = promised(sale("A", received="2026-03-12"), "order_lines")
    undated = [promised(sale(name, received="2026-03-09"), "none") for name in ("B", "C", "D")]
    contract = {"customers": [customer(policy_id="K1")], "policies": [policy_version()]}
    why = (
        "inconclusive: 25.0% of the verdicts are known, 90% needed; most orders have no date, because "
        "orders.promised_by is empty or not mapped"
    )
    shares = ("on_time", "otif", "on_time_line", "otif_line", "on_time_group", "on_time_contract", "otif_contract")
    known = ALL if column_is_mapped else ALL - {"orders.promised_by"}
    with built(mapped=known, **together(late, *undated, contract)) as connection:
        for found in answer(connection, Question(shares)):
            assert (found.value, found.low, found.numerator, found.denominator) == (None, None, 0, 1), found.measure
            assert (found.judged, range_of(found), found.no_data) == (4, (0, 0.75), why), found.measure
        assert halves(connection, "complete") == (4, 4)
        assert halves(connection, "on_time_requested") == (3, 4)
        remark = f"orders with a date only: {why.partition('; ')[2]}"
        assert one(connection, "days_late").value == 2
        for found in answer(connection, Question(("days_late", "overdue_open", "lateness_p50", "lateness_line_mean"))):
            assert found.remark == remark, found.measure
        assert one(connection, "orders").remark is None
    half = together(late, promised(sale("A2", received="2026-03-09"), "order_lines"), *undated[:2], contract)
    with built(mapped=known, **half) as connection:
        assert [found.value for found in answer(connection, Question(shares))] == [0.5] * len(shares)
    if column_is_mapped:
        some = together(late, promised(sale("E", received="2026-03-09"), "orders"), *undated, contract)
        with built(mapped=known, **some) as connection:
            found = one(connection, "on_time")
            assert (found.value, found.coverage) == (0.5, 0.4)
            assert one(connection, "days_late").remark is None
