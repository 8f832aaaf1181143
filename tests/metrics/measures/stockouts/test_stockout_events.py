"""Worked cases of stockout events and their outcomes (R38, stockouts; R40, orders that are not sales).

Cases with equal inputs share a build. The orders, customers, products and segments of each case are its own.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection

from metrics.model.question import Question
from metrics.queries.answer import answer
from tests.metrics.measures.stockouts.cases import END_OF_APRIL, EVERYTHING, WEEKLY, earlier_orders, events, the_order
from tests.metrics.measures.stockouts.event_cases import (
    AT_THE_END,
    AT_THE_HORIZON,
    ATTEMPTED,
    HELD,
    LOST_K,
    OPEN,
    RECORDED_LOST,
    SHORT,
)
from tests.reference.random_orders import DOCUMENTS, prefixed
from tests.support.ask_measures import together
from tests.support.builders import Row, customer, everything
from tests.support.contact_builders import stockout
from tests.support.engines import memory

Event = Mapping[str, Any]
HOLDS, EVENTS = EVERYTHING | everything("holds"), EVERYTHING | everything("order_events")
OWN = (*DOCUMENTS, "customer_id", "product_id", "stockout_id", "service_segment")
"""The columns that name a case."""
JUST_BEFORE, HORIZON = datetime(2026, 3, 31, 23, 59, 59, 999_998), datetime(2026, 3, 31, 23, 59, 59, 999_999)
"""The last instants of a horizon of 21 days from 10 March."""


def with_customer(records: dict[str, list[Row]]) -> dict[str, list[Row]]:
    """Return the records with customer C, unless they have customers."""
    return {"customers": [customer()]} | records


def of_cases(
    connection: Connection,
    cases: dict[str, dict[str, list[Row]]],
    mapped: frozenset[str] = EVERYTHING,
    as_of: datetime = END_OF_APRIL,
) -> dict[str, list[Event]]:
    """Build all cases, and return the stockouts of each, those of order lines first. The keys lose their prefix."""
    apart = [prefixed(with_customer(records), f"N{number:02}", OWN) for number, records in enumerate(cases.values())]
    found: dict[str, list[Event]] = {name: [] for name in cases}
    for event in events(connection, mapped, as_of, **together(*apart)):
        number = int(event["customer_id"][1:3])
        own = {key: value[4:] if value and key in (*OWN, "segment") else value for key, value in event.items()}
        found[list(cases)[number]].append(own)
    return found


@pytest.fixture(scope="module")
def database() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture(scope="module")
def found(database: Connection) -> dict[str, list[Event]]:
    """The stockouts at the end of April."""
    return of_cases(database, AT_THE_END)


def test_r38_remainder_in_a_later_consignment_is_one_back_ordered_event(found: dict[str, list[Event]]) -> None:
    (event,) = found["30 in a further consignment"]
    assert (event["short_qty"], event["outcome"], event["event_day"]) == (30, "back_ordered", date(2026, 3, 10))


def test_r38_line_shipped_completely_but_late_is_waited(found: dict[str, list[Event]]) -> None:
    (event,) = found["all later"]
    assert (event["short_qty"], event["outcome"]) == (100, "waited")


def test_r38_line_shipped_after_another_line_of_its_order_is_back_ordered(
    found: dict[str, list[Event]],
) -> None:
    events_of_order = found["a line after another line"]
    assert [(event["line_no"], event["outcome"]) for event in events_of_order] == [("2", "back_ordered")]


def test_r38_remainder_closed_by_the_seller_is_sale_lost(found: dict[str, list[Event]]) -> None:
    (event,) = found["closed, ordered again"]
    assert (event["outcome"], event["provisional"], event["gap_days"], event["horizon_day"]) == (
        "sale_lost",
        False,
        7,
        date(2026, 3, 31),
    )


def test_r38_remainder_closed_by_the_seller_without_a_later_order_is_buyer_lost(found: dict[str, list[Event]]) -> None:
    # Gaps 15 Feb - 22 Feb - 1 Mar: 7, 7. k 3: 10 March + 21 days = 31 March.
    (event,) = found["closed, nothing since"]
    assert (event["outcome"], event["provisional"], event["horizon_day"]) == ("buyer_lost", False, date(2026, 3, 31))


def test_r38_a_buyer_who_orders_again_after_the_horizon_is_not_lost(found: dict[str, list[Event]]) -> None:
    # The horizon ends on 31 March. The order of 1 April is a day late, but it came.
    (event,) = found["closed, ordered after the horizon"]
    assert (event["outcome"], event["provisional"], event["horizon_day"]) == ("sale_lost", False, date(2026, 3, 31))


def test_r38_buyer_who_orders_on_the_last_day_of_the_horizon_is_not_lost(found: dict[str, list[Event]]) -> None:
    (event,) = found["closed, ordered on the last day"]
    assert (event["outcome"], event["provisional"]) == ("sale_lost", False)


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        (datetime(2026, 3, 20, 23, 59, 59, 999_999), {"closed": ("sale_lost", True)}),
        (JUST_BEFORE, {"closed": ("sale_lost", True), "open": ("open", True)}),
        (HORIZON, {"closed": ("buyer_lost", False), "open": ("sale_lost", False)}),
    ],
)
def test_r38_an_outcome_is_provisional_until_the_horizon_has_passed(
    database: Connection, as_of: datetime, expected: dict[str, tuple[str, bool]]
) -> None:
    """A closed line is a lost sale, then a lost buyer. The buyer of the open line ordered again on 20 March."""
    found = of_cases(database, AT_THE_HORIZON, as_of=as_of)
    outcomes = {name: (event["outcome"], event["provisional"]) for name, (event,) in found.items()}
    assert outcomes | expected == outcomes


def test_r38_order_gap_of_the_segment_is_used_for_fewer_than_three_order_days(found: dict[str, list[Event]]) -> None:
    # C ordered once. In segment A, D ordered on 1, 6 and 11 February: the segment's gaps are 5, 5. B (segment B)
    # ordered every day.
    (event,) = found["the segment's gap"]
    assert (event["gap_days"], event["horizon_day"], event["outcome"]) == (5, date(2026, 3, 25), "buyer_lost")


def test_r38_two_orders_of_one_day_are_one_order_day(found: dict[str, list[Event]]) -> None:
    (event,) = found["two orders of one day"]
    assert event["gap_days"] == 7


def test_r38_lost_k_is_an_assumption(connection: Connection) -> None:
    # 1.5 × 7 = 10.5 days: the last whole day is 20 March
    (event,) = events(connection, **together(SHORT, earlier_orders(*WEEKLY), {"assumptions": [LOST_K]}))
    assert event["horizon_day"] == date(2026, 3, 20)


def test_r38_missing_goods_stay_open_if_no_gap_is_known(found: dict[str, list[Event]]) -> None:
    (event,) = found["no gap known"]
    assert (event["outcome"], event["provisional"], event["cost_amount"]) == ("open", True, None)


def test_r38_a_line_that_is_not_due_is_no_event(connection: Connection) -> None:
    assert events(connection, as_of=datetime(2026, 3, 9), **the_order()) == []


def test_r38_a_line_that_is_complete_at_first_pass_is_no_event(found: dict[str, list[Event]]) -> None:
    assert found["whole at first pass"] == []


def test_r38_a_credit_hold_over_the_first_promise_is_no_stockout(database: Connection) -> None:
    found = of_cases(database, HELD, HOLDS)
    assert {name: len(stockouts) for name, stockouts in found.items()} == {
        "over the promise": 0,
        "never released": 0,
        "released before the promise": 1,
        "placed after the promise": 1,
        "stock": 1,  # missing stock is the stockout itself
    }


def test_r38_two_attempts_at_step_10_count_as_a_hold_without_the_holds_feed(database: Connection) -> None:
    found = of_cases(database, ATTEMPTED, EVENTS)
    assert {name: len(stockouts) for name, stockouts in found.items()} == {
        "again after the promise": 0,
        "again before the promise": 1,
        "another step": 1,
    }


def test_r38_stockouts_are_based_on_receipts_with_a_remark_without_shipped_at(connection: Connection) -> None:
    (event,) = events(connection, EVERYTHING - {"shipments.shipped_at"}, **OPEN)
    assert (event["stockout_source"], event["short_qty"], event["outcome"]) == ("receipt", 30, "open")
    (rate,) = answer(connection, Question(("stockout_rate",)))
    assert (rate.numerator, rate.denominator, rate.remark) == (
        1,
        1,
        "based on receipts, because no source maps shipped_at",
    )


@pytest.mark.parametrize("order_type", ["replacement", "internal", "sample"])
def test_r40_an_order_that_is_no_sale_has_no_stockout(found: dict[str, list[Event]], order_type: str) -> None:
    assert found[f"no sale: {order_type}"] == []


def test_r38_a_stockouts_row_keeps_its_own_outcome(found: dict[str, list[Event]]) -> None:
    (event,) = found["recorded outcome"]
    assert (event["outcome"], event["provisional"], event["segment"], event["region"], event["short_qty"]) == (
        "back_ordered",
        False,
        "A",
        "North",
        10,
    )


def test_r38_later_orders_overrule_a_recorded_lost_buyer(database: Connection) -> None:
    recorded = {
        name: [event for event in stockouts if event["stockout_id"]]
        for name, stockouts in of_cases(database, RECORDED_LOST).items()
    }
    assert {
        name: (event["outcome"], event["provisional"], event["contradicted"]) for name, (event,) in recorded.items()
    } == {
        "nothing later": ("buyer_lost", False, False),
        "the product later": ("waited", False, True),
        "another product later": ("sale_lost", False, True),
    }
    counted = answer(database, Question(("stockouts_contradicted",), by=("customer",)))
    assert {one.dimensions["customer"]: one.value for one in counted} == {"N00-C": 0, "N01-C": 1, "N02-C": 1}


def test_r38_a_stockouts_row_is_waited_if_the_customer_orders_the_product_later(found: dict[str, list[Event]]) -> None:
    (event,) = found["bought later"]
    assert (event["outcome"], event["provisional"]) == ("waited", False)


def test_r38_stockouts_row_is_sale_lost_if_later_orders_do_not_include_the_product(
    found: dict[str, list[Event]],
) -> None:
    stockouts = found["bought before or other goods"]
    assert [event["outcome"] for event in stockouts if event["stockout_id"] == "X1"] == ["sale_lost"]


def test_stockouts_row_after_as_of_is_ignored(connection: Connection) -> None:
    assert events(connection, as_of=datetime(2026, 3, 5, 12), stockouts=[stockout()]) == []
