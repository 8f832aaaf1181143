"""Alert rules: when they fire, clear, stay undecided and are refused."""

from dataclasses import replace
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.alerts.rules import (  # fmt: skip
    ABOVE,
    BELOW,
    FIRED,
    FIRING,
    MOVED,
    OFF_TARGET,
    OTHER,
    OVER,
    SIGNAL,
    Reading,
    Rule,
    State,
    inconclusive_because,
    last_full_period,
    next_state,
    notify_at,
    reading_of,
    validation_errors,
)
from metrics.model.measure import Direction
from metrics.model.question import Answer, Provisional

HIGHER, LOWER = Direction.HIGHER, Direction.LOWER
BERLIN = ZoneInfo("Europe/Berlin")
WEEK = (date(2026, 3, 2), date(2026, 3, 8))
RULE = Rule("On time", "on_time", BELOW, limit=0.9, clear_at=0.93)


def saw(value: float | None, **more: object) -> Reading:
    given = {"denominator": 100, "coverage": 1.0} | more
    return Reading(*WEEK, value, **given)  # type: ignore[arg-type]


def events(rule: Rule, values: list[Reading], direction: Direction = HIGHER) -> list[str | None]:
    state, raised = State(), []
    for reading in values:
        state, event = next_state(rule, state, reading, direction)
        raised.append(event)
    return raised


def test_alert_fires_once_and_clears_only_beyond_its_clear_value() -> None:
    assert events(RULE, [saw(0.95), saw(0.89), saw(0.85), saw(0.91), saw(0.93), saw(0.89)]) == [
        None,
        FIRED,
        None,
        None,
        OVER,
        FIRED,
    ]


def test_alert_fires_only_after_the_required_consecutive_readings() -> None:
    twice = replace(RULE, in_a_row=2)
    assert events(twice, [saw(0.8), saw(0.95), saw(0.8), saw(0.8), saw(0.8)]) == [None, None, None, FIRED, None]


def test_inconclusive_reading_neither_fires_nor_clears_an_alert() -> None:
    few, little, none = saw(0.1, denominator=29), saw(0.1, coverage=0.5), saw(None, why="no feed: messages")
    assert events(RULE, [few, little, none]) == [None] * 3
    assert [inconclusive_because(RULE, one) for one in (few, little, none)] == [
        "only 29 judged, 30 required",
        "only 50.0% known, 90.0% required",
        "no feed: messages",
    ]
    assert next_state(RULE, State(FIRING), none, HIGHER) == (State(FIRING), None)
    assert next_state(replace(RULE, in_a_row=3), State(streak=2), few, HIGHER) == (State(streak=2), None)


def test_off_target_alert_uses_the_tolerance_and_the_direction_of_the_measure() -> None:
    rule = Rule("Days", "cycle_days", OFF_TARGET)
    aim = {"target": 8.0, "tolerance": 1.0}
    assert events(rule, [saw(8.9, **aim), saw(9.1, **aim), saw(8.5, **aim), saw(8.0, **aim)], LOWER) == [
        None,
        FIRED,
        None,
        OVER,
    ]
    assert inconclusive_because(rule, saw(9.5)) == "no target"
    edge = saw(
        0.85, target=0.9, tolerance=0.05
    )  # 0.9 - 0.85 is a little more than 0.05 in doubles; every page says watch
    assert events(replace(rule, measure="otif"), [edge], HIGHER) == [None]


def test_alert_rule_sets_its_own_minimum_coverage() -> None:
    patient = replace(RULE, min_coverage=0.6)
    assert inconclusive_because(RULE, saw(0.5, coverage=0.7)) == "only 70.0% known, 90.0% required"
    assert inconclusive_because(patient, saw(0.5, coverage=0.7)) is None
    assert inconclusive_because(patient, saw(0.5, coverage=0.59)) == "only 59.0% known, 60.0% required"


def test_alert_on_a_changed_value_fires_in_both_directions() -> None:
    other = Rule("Moved", "cycle_days", OTHER, limit=2)
    readings = [saw(value, before=before) for before, value in ((10, 12), (10, 13), (10, 12), (10, 7))]
    for direction in Direction:
        assert validation_errors(other, direction) == []
        assert events(other, readings, direction) == [None, FIRED, OVER, FIRED]
    assert inconclusive_because(other, saw(5.0)) == "no earlier value to compare with"


def test_alert_fires_if_the_value_worsens_by_more_than_the_limit() -> None:
    rule = Rule("Fell", "on_time", MOVED, limit=0.02)
    assert events(rule, [saw(0.90, before=0.91), saw(0.88, before=0.91), saw(0.91, before=0.88)]) == [None, FIRED, OVER]
    assert events(rule, [saw(9.0, before=5.0)], LOWER) == [FIRED]
    assert inconclusive_because(rule, saw(0.9)) == "no earlier value to compare with"


def test_alert_on_a_signal_fires_and_clears_with_it() -> None:
    rule = Rule("Signal", "on_time", SIGNAL)
    assert validation_errors(rule, HIGHER) == []
    readings = [saw(0.9, signal=False), saw(0.5, signal=True), saw(0.5, signal=None), saw(0.9, signal=False)]
    assert events(rule, readings) == [None, FIRED, None, OVER]
    assert inconclusive_because(rule, saw(0.5)) == "fewer than 10 complete periods"
    assert validation_errors(replace(rule, period="13 weeks"), HIGHER) == [
        "A signal needs many periods: use day, week or month."
    ]
    assert validation_errors(rule, Direction.NEITHER) == [
        "For this measure neither higher nor lower is better: use below or above."
    ]


def test_a_provisional_period_is_not_compared() -> None:
    """N2: 3 orders of the week are still inside their claims window. A limit still applies, a comparison does not."""
    found = Answer(
        {}, None, "perfect_order", None, 1, 2, 0.4, 0.2, 0.8, no_data="inconclusive: 40.0% of the verdicts are known",
        provisional=Provisional("claims window", 3, WEEK[0]),
    )  # fmt: skip
    reading = reading_of(found, Answer({}, None, "perfect_order", 0.9), None, *WEEK)
    assert (reading.value, reading.coverage) == (0.5, 0.4)
    patient = Rule("Fell", "perfect_order", MOVED, limit=0.02, min_n=1, min_coverage=0.3)
    assert inconclusive_because(patient, reading) == "provisional: 3 still inside their claims window"
    assert inconclusive_because(replace(patient, condition=BELOW), reading) is None


@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=40), st.integers(1, 4))
def test_fired_and_cleared_events_always_alternate(values: list[float | None], in_a_row: int) -> None:
    raised = [event for event in events(replace(RULE, in_a_row=in_a_row), [saw(value) for value in values]) if event]
    assert raised == [FIRED, OVER] * (len(raised) // 2) + [FIRED] * (len(raised) % 2)


@pytest.mark.parametrize(
    ("local", "leaves"),
    [
        ((2026, 3, 3, 21, 59), (2026, 3, 3, 21, 59)),
        ((2026, 3, 3, 22, 0), (2026, 3, 4, 7, 0)),
        ((2026, 3, 4, 3, 0), (2026, 3, 4, 7, 0)),
        ((2026, 3, 4, 7, 0), (2026, 3, 4, 7, 0)),
        ((2026, 3, 28, 23, 0), (2026, 3, 29, 7, 0)),  # the clocks go forward that night
    ],
)
def test_quiet_hours_use_the_business_time_zone(local: tuple[int, ...], leaves: tuple[int, ...]) -> None:
    def utc(parts: tuple[int, ...]) -> datetime:
        year, month, day, hour, minute = parts
        return datetime(year, month, day, hour, minute, tzinfo=BERLIN).astimezone(ZoneInfo("UTC")).replace(tzinfo=None)

    assert notify_at(replace(RULE, quiet_from=time(22), quiet_to=time(7)), utc(local), BERLIN) == utc(leaves)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.times(), st.times())
def test_notification_time_is_outside_quiet_hours_and_not_before_the_event(
    at: datetime, start: time, end: time
) -> None:
    rule = replace(
        RULE,
        quiet_from=start.replace(microsecond=0),
        quiet_to=end.replace(microsecond=0),
        muted_until=datetime(2026, 2, 1),
    )
    leaves = notify_at(rule, at, BERLIN)
    assert leaves >= max(at, datetime(2026, 2, 1))
    assert notify_at(rule, leaves, BERLIN) == leaves


def test_last_full_periods_are_complete_and_consecutive() -> None:
    wednesday = date(2026, 4, 1)
    assert last_full_period("week", wednesday) == (date(2026, 3, 23), date(2026, 3, 29))
    assert last_full_period("week", date(2026, 3, 29)) == (date(2026, 3, 23), date(2026, 3, 29))
    assert last_full_period("day", wednesday, 1) == (date(2026, 3, 30), date(2026, 3, 30))
    assert last_full_period("4 weeks", wednesday, 1) == (date(2026, 2, 2), date(2026, 3, 1))
    assert last_full_period("month", wednesday) == (date(2026, 3, 1), date(2026, 3, 31))
    assert last_full_period("month", date(2026, 3, 31), 1) == (date(2026, 2, 1), date(2026, 2, 28))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": " "}, "name"),
        ({"limit": None}, "limit"),
        ({"clear_at": 0.8}, "beyond the limit"),
        ({"condition": ABOVE, "clear_at": 0.95}, "beyond the limit"),
        ({"quiet_from": time(22)}, "both the start and the end"),
        ({"channels": ("mailto:nobody",)}, "not an e-mail address"),
        ({"channels": ("webhook:http://x",)}, "BUYERVIEW_WEBHOOK_"),
        ({"min_coverage": 1.5}, "from 0 to 100 %"),
        ({"condition": OTHER, "clear_at": None, "limit": -0.1}, "0 or more"),
        ({"period": "decade"}, "Unknown period"),
        ({"in_a_row": 0}, "1 or more"),
    ],
)
def test_invalid_alert_rule_is_refused_with_a_message(change: dict[str, object], expected: str) -> None:
    assert validation_errors(RULE, HIGHER) == []
    (wrong,) = validation_errors(replace(RULE, **change), HIGHER)  # type: ignore[arg-type]
    assert expected in wrong


# --- on real facts: ten orders a week for four weeks, of which 10, 10, 6 and 10 arrived on time -----------------------
