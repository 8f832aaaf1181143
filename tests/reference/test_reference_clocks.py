"""Worked examples of clocks for the reference implementation: business time, holds, spread and slack."""

from datetime import date, datetime, timedelta
from fractions import Fraction

import pytest

from tests.reference.cycle_times import (
    MIN_N,
    beyond_promise,
    budgets,
    budgets_of_segment,
    business_time,
    buyers_holds,
    clean_order_at,
    merged,
    nearest_rank,
    net_day,
    net_time,
    sample_sd,
    slack,
    survival,
    survival_median,
)
from tests.support.builders import Row, calendar_day, hold, order_event

HOUR = timedelta(hours=1)


def hours_between(start: str, end: str) -> timedelta:
    return datetime.fromisoformat(end) - datetime.fromisoformat(start)


def week() -> list[Row]:
    """Return the days from Monday 2 to Sunday 15 March 2026, open from 8 to 16 except at weekends."""
    days = [date(2026, 3, 2) + timedelta(days=number) for number in range(14)]
    shut = {"opens_at": None, "closes_at": None}
    return [
        calendar_day(
            day=one, **({"opens_at": f"{one}T08:00Z", "closes_at": f"{one}T16:00Z"} if one.weekday() < 5 else shut)
        )
        for one in days
    ]


def test_r26_friday_evening_to_monday_morning() -> None:
    """Friday 18:00 to Monday 10:00: 64 hours elapsed, 2 of business."""
    clock = (datetime(2026, 3, 6, 18), datetime(2026, 3, 9, 10))
    assert clock[1] - clock[0] == 64 * HOUR
    assert business_time(clock, week(), ("P1", "ship_to", "default"), "UTC") == 2 * HOUR


def test_r26_within_one_day_and_without_a_calendar() -> None:
    assert (
        business_time((datetime(2026, 3, 6, 7), datetime(2026, 3, 6, 9, 30)), week(), ("default",), "UTC")
        == HOUR * 3 / 2
    )
    assert business_time((datetime(2026, 3, 6), datetime(2026, 3, 20)), week(), ("default",), "UTC") is None
    assert business_time((datetime(2026, 3, 6), datetime(2026, 3, 7)), week(), ("ship_from",), "UTC") is None


def test_r27_ordered_ahead() -> None:
    """Ordered 1 March, wanted and received 1 June, lead time 7 days: gross 92 days, net 7."""
    ordered, wanted = date(2026, 3, 1), date(2026, 6, 1)
    assert (wanted - ordered).days == 92
    assert (wanted - net_day(ordered, wanted, 7)).days == 7
    assert net_day(ordered, None, 7) == net_day(ordered, wanted, None) == ordered
    assert net_day(date(2026, 5, 30), wanted, 7) == date(2026, 5, 30)


def test_r28_the_net_clock_stops_between_two_attempts() -> None:
    """Gross 120 hours; step 2 ends 2 March 10:00 and begins again 3 March 10:00: net 96."""
    events = [order_event(), order_event(event_no=2, started_at="2026-03-03T10:00Z", finished_at="2026-03-03T12:00Z")]
    clock = (datetime(2026, 3, 1), datetime(2026, 3, 6))
    assert clock[1] - clock[0] == 120 * HOUR
    assert net_time(clock, timedelta(0), buyers_holds("O", None, events, "UTC", clock[1])) == 96 * HOUR
    assert clean_order_at("O", events, "UTC") == datetime(2026, 3, 3, 12)


def test_r28_overlapping_holds_of_the_buyer_stop_the_clock_once() -> None:
    twice = [hold(), hold(hold_id="H2", kind="data", placed_at="2026-03-02T20:00Z", released_at="2026-03-03T20:00Z")]
    ours = [hold(hold_id="H3", caused_by="seller"), hold(hold_id="H4", kind="stock")]
    clock = (datetime(2026, 3, 1), datetime(2026, 3, 6))
    assert net_time(clock, timedelta(0), buyers_holds("O", twice + ours, [], "UTC", clock[1])) == (120 - 34) * HOUR
    assert merged([(clock[0], clock[0])]) == []


def test_r28_attempt_without_an_end_time_does_not_stop_the_clock() -> None:
    events = [
        order_event(finished_at=None),
        order_event(event_no=2, started_at="2026-03-03T10:00Z", finished_at="2026-03-03T12:00Z"),
    ]
    assert buyers_holds("O", None, events, "UTC", datetime(2026, 3, 6)) == []


def test_r28_hold_time_before_the_net_clock_starts_is_not_subtracted_twice() -> None:
    clock = (datetime(2026, 3, 1), datetime(2026, 3, 6))
    assert net_time(clock, 48 * HOUR, buyers_holds("O", [hold()], [], "UTC", clock[1])) == (120 - 48 - 10) * HOUR


def test_r30_open_orders_count_in_the_median() -> None:
    """Arrived after 2 and 4 days, open for 5 and 5: the median is 4. Arrived orders alone have 2."""
    assert survival_median([(2, True), (4, True), (5, False), (5, False)]) == 4
    assert survival([(2, True), (4, True), (5, False), (5, False)]) == [(2, Fraction(3, 4)), (4, Fraction(1, 2))]
    assert nearest_rank([2, 4], Fraction(1, 2)) == 2
    assert survival_median([(2, True), (5, False), (5, False)]) is None


def test_r30_spread_is_never_a_signed_mean() -> None:
    """Lateness -5 and +5: beyond promise 50 %, not 0 days."""
    assert beyond_promise([-5, 5]) == Fraction(1, 2)
    assert beyond_promise([]) is None
    assert sample_sd([2, 4, 4, 4, 5, 5, 7, 9]) == pytest.approx((32 / 7) ** 0.5)
    assert sample_sd([3]) is None
    assert nearest_rank(range(1, 21), Fraction(95, 100)) == 19


BOOK = {2: Fraction(8), 9: Fraction(20), 10: Fraction(14), 11: Fraction(24)}


def test_the_slack_ledger_finds_where_the_promise_was_missed() -> None:
    """Due at hour 72, finishes 10, 45, 55, 76: slack +6 at order, then +4, -11, -7, -4: missed at step 9."""
    found = slack(Fraction(72), {2: Fraction(10), 9: Fraction(45), 10: Fraction(55), 11: Fraction(76)}, BOOK)
    assert found.at_order == 6
    assert found.missed_step == 9
    assert [*map(int, found.after.values())] == [4, -11, -7, -4]


def test_promise_can_be_missed_from_the_start_or_recover() -> None:
    assert slack(Fraction(60), {2: Fraction(10)}, BOOK).missed_step == 0
    recovered = slack(Fraction(72), {2: Fraction(20), 9: Fraction(30), 10: Fraction(40), 11: Fraction(60)}, BOOK)
    assert [*map(int, recovered.after.values())] == [-6, 4, 8, 12]
    assert recovered.missed_step is None


def test_budgets_are_medians_and_the_time_of_a_missing_step_goes_to_the_next_step() -> None:
    orders = [{2: Fraction(2), 9: Fraction(10)}, {2: Fraction(4), 9: Fraction(10)}, {9: Fraction(12)}]
    assert budgets(orders) == {2: 2, 9: 8}
    few = [("A", one) for one in orders[:1]] + [("B", one) for one in orders[1:]]
    assert budgets_of_segment(few, "A") == {2: 2, 9: 8}
    many = [("A", orders[0])] * MIN_N + few[1:]
    assert budgets_of_segment(many, "A") == {2: 2, 9: 8}
    assert budgets_of_segment(many, "B") == {2: 2, 9: 8}
