"""Worked cases of stockout events and their outcomes (R38, stockouts; R40, orders that are not sales)."""

from datetime import date, datetime

import pytest
from sqlalchemy import Connection

from metrics.model.question import Question
from metrics.queries.answer import answer
from tests.metrics.measures.stockouts.cases import (
    CLOSED,
    EVERYTHING,
    WEEKLY,
    earlier_orders,
    events,
    sent,
    the_order,
)
from tests.support.ask_measures import together
from tests.support.builders import customer, everything, hold, order, order_event, order_line, row
from tests.support.contact_builders import stockout


def test_r38_30_of_100_in_a_further_consignment_is_one_event_back_ordered(connection: Connection) -> None:
    (event,) = events(connection, **together(the_order(), sent(("2026-03-08", 70), ("2026-03-14", 30))))
    assert (event["short_qty"], event["outcome"], event["event_day"]) == (30, "back_ordered", date(2026, 3, 10))


def test_r38_all_of_it_later_is_waited(connection: Connection) -> None:
    (event,) = events(connection, **together(the_order(), sent(("2026-03-14", 100))))
    assert (event["short_qty"], event["outcome"]) == (100, "waited")


def test_r38_a_line_that_came_after_another_line_of_its_order_had_left_is_back_ordered(connection: Connection) -> None:
    both = {"orders": [order()], "order_lines": [order_line(), order_line(line_no="2")]}
    found = events(connection, **together(both, sent(("2026-03-08", 100)), sent(("2026-03-14", 100), line_no="2")))
    assert [(event["line_no"], event["outcome"]) for event in found] == [("2", "back_ordered")]


def test_r38_30_closed_by_the_seller_is_sale_lost(connection: Connection) -> None:
    later = earlier_orders(*WEEKLY, "2026-03-20")
    (event,) = events(connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), later))
    assert (event["outcome"], event["provisional"], event["gap_days"], event["horizon_day"]) == (
        "sale_lost",
        False,
        7,
        date(2026, 3, 31),
    )


def test_r38_the_same_with_nothing_ordered_since_is_buyer_lost(connection: Connection) -> None:
    # Gaps 15 Feb - 22 Feb - 1 Mar: 7, 7. k 3: 10 March + 21 days = 31 March.
    late = earlier_orders(*WEEKLY)
    (event,) = events(connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), late))
    assert (event["outcome"], event["provisional"], event["horizon_day"]) == ("buyer_lost", False, date(2026, 3, 31))


def test_r38_a_buyer_who_orders_again_after_the_horizon_is_not_lost(connection: Connection) -> None:
    # The horizon ends on 31 March. The order of 1 April is a day late, but it came.
    late = earlier_orders(*WEEKLY, "2026-04-01")
    (event,) = events(connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), late))
    assert (event["outcome"], event["provisional"], event["horizon_day"]) == ("sale_lost", False, date(2026, 3, 31))


def test_r38_an_order_on_the_last_day_of_the_horizon_keeps_the_buyer(connection: Connection) -> None:
    kept = earlier_orders(*WEEKLY, "2026-03-31")
    (event,) = events(connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), kept))
    assert (event["outcome"], event["provisional"]) == ("sale_lost", False)


@pytest.mark.parametrize(
    ("as_of", "outcome", "provisional"),
    [
        (datetime(2026, 3, 20, 23, 59, 59, 999_999), "sale_lost", True),
        (datetime(2026, 3, 31, 23, 59, 59, 999_998), "sale_lost", True),
        (datetime(2026, 3, 31, 23, 59, 59, 999_999), "buyer_lost", False),
    ],
)
def test_r38_until_the_horizon_has_passed_the_next_fit_is_provisional(
    connection: Connection, as_of: datetime, outcome: str, provisional: bool
) -> None:
    (event,) = events(
        connection, as_of=as_of, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), earlier_orders(*WEEKLY))
    )
    assert (event["outcome"], event["provisional"]) == (outcome, provisional)


def test_r38_with_fewer_than_three_earlier_order_days_the_gap_is_the_segments(connection: Connection) -> None:
    # C ordered once. In segment A, D ordered on 1, 6 and 11 February: the segment's gaps are 5, 5. B (segment B)
    # ordered every day.
    people = {"customers": [customer(), customer(customer_id="D"), customer(customer_id="B", service_segment="B")]}
    parts = [people, the_order(**CLOSED), sent(("2026-03-08", 70))]
    for who, days in (
        ("D", ("2026-02-01", "2026-02-06", "2026-02-11")),
        ("B", ("2026-02-01", "2026-02-02", "2026-02-03")),
    ):
        for day in days:
            order_id = f"{who}{day}"
            parts.append(
                {
                    "orders": [order(order_id=order_id, customer_id=who, ordered_at=day, promised_by=day)],
                    "order_lines": [order_line(order_id=order_id)],
                }
            )
            parts.append(sent((day, 100), order_id=order_id))
    (found,) = events(connection, **together(*parts))
    assert (found["gap_days"], found["horizon_day"], found["outcome"]) == (5, date(2026, 3, 25), "buyer_lost")


def test_r38_two_orders_of_one_day_leave_no_gap_of_nothing(connection: Connection) -> None:
    twice = together(
        earlier_orders(*WEEKLY),
        {"orders": [order(order_id="T")], "order_lines": [order_line(order_id="T")]},
        sent(("2026-03-02", 100), order_id="T"),
    )
    (found,) = events(connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), twice))
    assert found["gap_days"] == 7


def test_r38_lost_k_is_an_assumption(connection: Connection) -> None:
    shorter = {
        "assumptions": [
            row(
                "assumptions",
                {"assumption": "lost_k", "scope": "all", "valid_from": "2026-01-01", "assumed_value": "1.5"},
            )
        ]
    }
    # 1.5 × 7 = 10.5 days: the last whole day is 20 March
    (event,) = events(
        connection, **together(the_order(**CLOSED), sent(("2026-03-08", 70)), earlier_orders(*WEEKLY), shorter)
    )
    assert event["horizon_day"] == date(2026, 3, 20)


@pytest.mark.parametrize(
    ("as_of", "outcome", "provisional"),
    [
        (datetime(2026, 3, 31, 23, 59, 59, 999_998), "open", True),
        (datetime(2026, 3, 31, 23, 59, 59, 999_999), "sale_lost", False),
    ],
)
def test_r38_an_open_event_older_than_the_horizon_is_a_lost_sale(
    connection: Connection, as_of: datetime, outcome: str, provisional: bool
) -> None:
    # 30 of 100 never came and nobody cancelled them. The buyer ordered again on 20 March, so they are not lost.
    parts = together(the_order(), sent(("2026-03-08", 70)), earlier_orders(*WEEKLY, "2026-03-20"))
    (event,) = events(connection, as_of=as_of, **parts)
    assert (event["outcome"], event["provisional"]) == (outcome, provisional)


def test_r38_nothing_came_and_no_gap_is_known_stays_open(connection: Connection) -> None:
    (event,) = events(connection, **together(the_order(), sent(("2026-03-08", 70))))
    assert (event["outcome"], event["provisional"], event["cost_amount"]) == ("open", True, None)


def test_r38_a_line_not_yet_due_or_whole_at_first_pass_is_no_event(connection: Connection) -> None:
    assert events(connection, as_of=datetime(2026, 3, 9), **the_order()) == []
    assert events(connection, **together(the_order(), sent(("2026-03-10", 100)))) == []


@pytest.mark.parametrize(
    ("kind", "placed", "released", "is_event"),
    [
        ("credit", "2026-03-08", "2026-03-12", False),
        ("credit", "2026-03-08", None, False),
        ("credit", "2026-03-08", "2026-03-10", True),  # released before the promise
        ("credit", "2026-03-11", "2026-03-12", True),  # placed after the promise
        ("stock", "2026-03-08", "2026-03-12", True),  # missing stock is the stockout itself
    ],
)
def test_r38_a_credit_hold_over_the_first_promise_is_no_stockout(
    connection: Connection, kind: str, placed: str, released: str | None, is_event: bool
) -> None:
    stopped = {"holds": [hold(kind=kind, placed_at=placed, released_at=released)]}
    found = events(
        connection, EVERYTHING | everything("holds"), **together(the_order(), sent(("2026-03-14", 100)), stopped)
    )
    assert len(found) == is_event


@pytest.mark.parametrize(
    ("step", "again", "is_event"),
    [(10, "2026-03-12T10:00Z", False), (10, "2026-03-10T10:00Z", True), (2, "2026-03-12T10:00Z", True)],
)
def test_r38_without_holds_two_attempts_at_step_10_stand_in(
    connection: Connection, step: int, again: str, is_event: bool
) -> None:
    attempts = {
        "order_events": [
            order_event(step=step, started_at="2026-03-08T09:00Z", finished_at="2026-03-08T10:00Z"),
            order_event(step=step, event_no=2, started_at=again, finished_at="2026-03-12T12:00Z"),
        ]
    }
    found = events(
        connection,
        EVERYTHING | everything("order_events"),
        **together(the_order(), sent(("2026-03-14", 100)), attempts),
    )
    assert len(found) == is_event


def test_r38_without_shipped_at_lines_short_of_what_came_are_events_and_say_so(connection: Connection) -> None:
    (event,) = events(
        connection, EVERYTHING - {"shipments.shipped_at"}, **together(the_order(), sent(("2026-03-08", 70)))
    )
    assert (event["stockout_source"], event["short_qty"], event["outcome"]) == ("receipt", 30, "open")
    (rate,) = answer(connection, Question(("stockout_rate",)))
    assert (rate.numerator, rate.denominator, rate.remark) == (
        1,
        1,
        "based on receipts, because no source maps shipped_at",
    )


@pytest.mark.parametrize("order_type", ["replacement", "internal", "sample"])
def test_r40_an_order_that_is_no_sale_meets_no_stockout(connection: Connection, order_type: str) -> None:
    assert (
        events(
            connection,
            **together(
                {"orders": [order(order_type=order_type)], "order_lines": [order_line()]}, sent(("2026-03-14", 100))
            ),
        )
        == []
    )


def test_r38_a_stockouts_row_keeps_its_own_outcome(connection: Connection) -> None:
    (event,) = events(connection, stockouts=[stockout(outcome="back_ordered")], customers=[customer()])
    assert (event["outcome"], event["provisional"], event["segment"], event["region"], event["short_qty"]) == (
        "back_ordered",
        False,
        "A",
        "North",
        10,
    )


@pytest.mark.parametrize(
    ("later", "product_id", "expected"),
    [
        ((), "P", ("buyer_lost", False, False)),
        (("2026-03-06",), "P", ("waited", False, True)),
        (("2026-04-29",), "Q", ("sale_lost", False, True)),  # long after the horizon, and another product
    ],
)
def test_r38_later_orders_overrule_a_recorded_lost_buyer(
    connection: Connection, later: tuple[str, ...], product_id: str, expected: tuple[str, bool, bool]
) -> None:
    orders = earlier_orders("2026-02-01", "2026-02-08", "2026-02-15", *later)
    for line in orders["order_lines"]:
        line["product_id"] = product_id if line["order_id"][1:] in later else "P"
    (found,) = [
        event
        for event in events(connection, **together(orders, {"stockouts": [stockout(outcome="buyer_lost")]}))
        if event["stockout_id"]
    ]
    assert (found["outcome"], found["provisional"], found["contradicted"]) == expected
    (counted,) = answer(connection, Question(("stockouts_contradicted",)))
    assert counted.value == (1 if later else 0)


def test_r38_a_stockouts_row_is_waited_if_the_customer_orders_the_product_later(connection: Connection) -> None:
    bought = together(
        {"orders": [order(ordered_at="2026-03-06")], "order_lines": [order_line()]}, sent(("2026-03-08", 100))
    )
    (event,) = events(connection, **bought, stockouts=[stockout()])
    assert (event["outcome"], event["provisional"]) == ("waited", False)


def test_r38_a_stockouts_row_is_sale_lost_if_they_only_ordered_it_before_or_something_else(
    connection: Connection,
) -> None:
    before = earlier_orders("2026-03-05")  # the same day: not later
    other = {"orders": [order(ordered_at="2026-03-06")], "order_lines": [order_line(product_id="Q")]}
    found = events(connection, **together(before, other, {"stockouts": [stockout()]}))
    assert [event["outcome"] for event in found if event["stockout_id"] == "X1"] == ["sale_lost"]


def test_a_stockouts_row_after_as_of_has_not_happened(connection: Connection) -> None:
    assert events(connection, as_of=datetime(2026, 3, 5, 12), stockouts=[stockout()]) == []
