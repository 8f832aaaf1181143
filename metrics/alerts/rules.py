"""Alert rules: when a measure is worse than somebody wants to know of at once. Pure; store/rules.py keeps them,
evaluate.py reads the numbers.

A rule is looked at once for every generation, over the last whole period of its kind. It fires when its condition has
held `in_a_row` times, stays firing until the value is back beyond `clear_at` (so that a value that wavers at the limit
is told once), and then says that it is over. What is not proven (too few judged, too little known, withheld) neither
fires nor clears: unknown is not bad and not good. Source: rules P7, P8.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from metrics.model.measure import Direction
from metrics.model.question import Answer
from metrics.model.statistics import Number
from metrics.policy import MIN_COVERAGE
from metrics.targets import targets

BELOW, ABOVE, OFF_TARGET, MOVED, OTHER = "below", "above", "off target", "worse than before", "other than before"
CONDITIONS = (BELOW, ABOVE, OFF_TARGET, MOVED, OTHER)
COMPARED = (MOVED, OTHER)
"""Conditions on how far the value is from that of the period before: for the worse, or either way."""
CLEAR, FIRING = "clear", "firing"
FIRED, OVER = "fired", "over"
NOT_PROVEN = "not proven"
PERIODS = {"day": 1, "week": 7, "4 weeks": 28, "13 weeks": 91, "month": None}
"""Whole weeks from Monday to Sunday in days, and calendar months: the last one wholly before or at the data's
watermark; the day before it.
"""


@dataclass(frozen=True)
class Rule:
    """What to look at and when to speak. `limit` and `clear_at` are in the measure's unit (shares 0 to 1); OFF_TARGET
    takes the target instead.
    """

    name: str
    measure: str
    condition: str
    limit: float | None = None
    clear_at: float | None = None
    period: str = "week"
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    in_a_row: int = 1
    min_n: int = 30
    min_coverage: float = MIN_COVERAGE
    """Share of the whole that must be known; without a say, as much as a page wants before it calls anything on or off
    target.
    """
    quiet_from: time | None = None
    quiet_to: time | None = None
    muted_until: datetime | None = None
    channels: tuple[str, ...] = ()
    """Where to tell: `mailto:name@example.org`, or `webhook:NAME` of the variable BUYERVIEW_WEBHOOK_NAME."""
    owner: str = ""
    rule_id: int = 0
    version: int = 0


@dataclass(frozen=True)
class Reading:
    """What a rule saw of one period."""

    start: date
    end: date
    value: Number | None
    numerator: Number | None = None
    denominator: Number | None = None
    coverage: float | None = None
    before: Number | None = None
    target: float | None = None
    tolerance: float = 0.0
    why: str | None = None
    """Why there is no value."""


@dataclass(frozen=True)
class State:
    """How a rule stands: clear or firing, and how often in a row its condition has held while it was clear."""

    status: str = CLEAR
    streak: int = 0


def validation_errors(rule: Rule, direction: Direction) -> list[str]:
    """What is wrong with a rule, in words for whoever wrote it."""
    nameless = [] if rule.name.strip() else ["Give the rule a name."]
    return [*nameless, *unsupported(rule, direction), *undeliverable(rule)]


def unsupported(rule: Rule, direction: Direction) -> list[str]:
    """What is wrong with what a rule looks at: until it is put right there is no back-test."""
    wrong = []
    if rule.condition not in CONDITIONS:
        wrong.append(f"No condition {rule.condition!r}: use one of {', '.join(CONDITIONS)}.")
    if rule.period not in PERIODS:
        wrong.append(f"No period {rule.period!r}: use one of {', '.join(PERIODS)}.")
    if rule.condition != OFF_TARGET and rule.limit is None:
        wrong.append("Give the limit.")
    if rule.condition in (OFF_TARGET, MOVED) and direction is Direction.NEITHER:
        wrong.append("More of this measure is neither better nor worse: use below or above.")
    if _ends_on_the_wrong_side(rule):
        wrong.append("The value that ends it lies on the alarm's side of the limit.")
    if rule.condition in COMPARED and rule.limit is not None and rule.limit < 0:
        wrong.append("How far it moved is 0 or more.")
    if not 0 <= rule.min_coverage <= 1:
        wrong.append("What must be known is a share of 0 to 100 %.")
    if rule.in_a_row < 1 or rule.min_n < 1:
        wrong.append("How often in a row and how many judged are 1 or more.")
    return wrong


def _ends_on_the_wrong_side(rule: Rule) -> bool:
    if rule.clear_at is None or rule.limit is None or rule.clear_at == rule.limit:
        return False
    return (rule.clear_at < rule.limit) == (rule.condition == BELOW)


def undeliverable(rule: Rule) -> list[str]:
    """What is wrong with whom a rule tells, and when."""
    wrong = []
    if (rule.quiet_from is None) != (rule.quiet_to is None):
        wrong.append("Quiet hours have a beginning and an end.")
    for channel in rule.channels:
        kind, _, name = channel.partition(":")
        if kind == "mailto" and "@" not in name:
            wrong.append(f"{name!r} is no e-mail address.")
        elif kind == "webhook" and not name.replace("_", "").isalnum():
            wrong.append(
                f"{name!r} is no name of a webhook: letters, digits and _; its address stands in the variable BUYERVIEW_WEBHOOK_{name}."
            )
        elif kind not in ("mailto", "webhook"):
            wrong.append(f"{channel!r} begins with neither mailto: nor webhook:.")
    return wrong


def not_proven(rule: Rule, reading: Reading) -> str | None:
    """Why a reading decides nothing; None where it does."""
    if reading.value is None:
        return reading.why or "no value"
    if reading.denominator is not None and reading.denominator < rule.min_n:
        return f"only {reading.denominator:,} judged, {rule.min_n:,} are wanted"
    if reading.coverage is not None and reading.coverage < rule.min_coverage:
        return f"only {reading.coverage:.1%} known, {rule.min_coverage:.1%} is wanted"
    if rule.condition == OFF_TARGET and reading.target is None:
        return "no target"
    if rule.condition in COMPARED and reading.before is None:
        return "nothing earlier to compare"
    return None


def condition_met(rule: Rule, reading: Reading, direction: Direction) -> bool:
    """Whether the condition holds for a reading that decides something."""
    return _beyond(rule, reading, direction, None)


def _beyond(rule: Rule, reading: Reading, direction: Direction, clear_at: float | None) -> bool:
    assert reading.value is not None
    value, sign = float(reading.value), 1.0 if direction is Direction.HIGHER else -1.0
    limit = rule.limit if clear_at is None else clear_at
    if rule.condition == BELOW:
        return value < float(limit if limit is not None else 0)
    if rule.condition == ABOVE:
        return value > float(limit if limit is not None else 0)
    if rule.condition == OFF_TARGET:
        assert reading.target is not None
        stands = targets.state_of_value(value, targets.Target(reading.target, reading.tolerance), direction)
        # It fires where every page says off target, and is over only at the target itself.
        return stands is targets.State.OFF if clear_at is None else stands is not targets.State.ON
    assert reading.before is not None
    fell = float(reading.before) - value
    return (abs(fell) if rule.condition == OTHER else sign * fell) > float(rule.limit or 0)


def next_state(rule: Rule, state: State, reading: Reading, direction: Direction) -> tuple[State, str | None]:
    """The state after a reading, and the event it gives: FIRED, OVER or None."""
    if not_proven(rule, reading) is not None:
        return state, None
    if state.status == FIRING:
        held = rule.clear_at if rule.condition in (BELOW, ABOVE) and rule.clear_at is not None else None
        still = _beyond(rule, reading, direction, 0.0 if rule.condition == OFF_TARGET else held)
        return (state, None) if still else (State(), OVER)
    if not condition_met(rule, reading, direction):
        return State(), None
    streak = state.streak + 1
    return (State(FIRING), FIRED) if streak >= rule.in_a_row else (State(CLEAR, streak), None)


def notify_at(rule: Rule, at: datetime, zone: ZoneInfo) -> datetime:
    """When a message of `at` (naive UTC) may leave: at once, or when the mute and the quiet hours (business time zone)
    are over.
    """
    at = max(at, rule.muted_until) if rule.muted_until else at
    if rule.quiet_from is None or rule.quiet_to is None or rule.quiet_from == rule.quiet_to:
        return at
    local = at.replace(tzinfo=ZoneInfo("UTC")).astimezone(zone)
    now, start, end = local.time(), rule.quiet_from, rule.quiet_to
    quiet = start <= now < end if start < end else now >= start or now < end
    if not quiet:
        return at
    day = local.date() + timedelta(days=1 if start > end and now >= start else 0)
    return datetime.combine(day, end, zone).astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


def last_full_period(kind: str, as_of: date, back: int = 0) -> tuple[date, date]:
    """First and last day of the last whole period on or before a day, or of one `back` periods earlier."""
    days = PERIODS[kind]
    if days == 1:
        day = as_of - timedelta(days=1 + back)
        return day, day
    if days is not None:
        end = as_of - timedelta(days=(as_of.weekday() + 1) % 7) - timedelta(days=days * back)
        return end - timedelta(days=days - 1), end
    first = as_of.replace(day=1)
    end = as_of if (as_of + timedelta(days=1)).day == 1 else first - timedelta(days=1)
    for _ in range(back):
        end = end.replace(day=1) - timedelta(days=1)
    return end.replace(day=1), end


def reading_of(answer: Answer | None, before: Answer | None, target: Any, start: date, end: date) -> Reading:
    """What answers come to as a reading; target: metrics.targets.targets.Target or None."""
    reading = Reading(start, end, None, why="no data: nothing in this period and selection")
    if answer is None:
        return reading
    why = answer.no_data or reading.why
    reading = replace(
        reading,
        value=answer.value,
        numerator=answer.numerator,
        denominator=answer.denominator,
        coverage=answer.coverage,
        why=why,
    )
    reading = replace(reading, before=None if before is None else before.value)
    return reading if target is None else replace(reading, target=target.value, tolerance=target.tolerance)
