"""Alert rules: conditions, states and validation. Does not read data: `storage.py` stores rules, `evaluate.py` reads
numbers.

A rule is checked once per generation, over the last full period of its kind. It fires when its condition was met
`in_a_row` times. It stays firing until the value is back beyond `clear_at`, so that a value near the limit sends one
message only. An inconclusive reading (too few judged, low coverage) neither fires nor clears the rule.

Source: P7 (point, coverage and range), P8 (small numbers).
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from metrics.model.measure import Direction
from metrics.model.point import INCONCLUSIVE, point_of
from metrics.model.process_behaviour import FEWEST_PERIODS
from metrics.model.question import Answer
from metrics.model.statistics import Number
from metrics.policy import MIN_COVERAGE
from metrics.targets import targets

BELOW, ABOVE, OFF_TARGET, MOVED, OTHER = "below", "above", "off target", "worse than before", "other than before"
SIGNAL = "signal for the worse"
CONDITIONS = (BELOW, ABOVE, OFF_TARGET, SIGNAL, MOVED, OTHER)
COMPARED = (MOVED, OTHER)
"""Conditions on the change since the period before: for the worse, or in either direction."""
WITHOUT_LIMIT = (OFF_TARGET, SIGNAL)
"""Conditions without a limit of their own: the target, and the limits of a process behaviour chart."""
SIGNAL_PERIODS = ("day", "week", "month")
"""Periods of which a signal can be told."""
CLEAR, FIRING = "clear", "firing"
FIRED, OVER = "fired", "over"
WEBHOOKS = ("webhook", "slack", "teams")
"""Kinds of channels whose URL is in the variable BUYERVIEW_KIND_NAME."""
KINDS = ("mailto", *WEBHOOKS)
"""Kinds of channels."""
PERIODS = {"day": 1, "week": 7, "4 weeks": 28, "13 weeks": 91, "month": None}
"""Length in days of each kind of period; weeks run from Monday to Sunday, and None is a calendar month.

A rule checks the last period that ended on or before the data's watermark; for days, the day before the watermark.
"""


@dataclass(frozen=True)
class Rule:
    """A measure, a condition and the channels to notify.

    `limit` and `clear_at` are in the measure's unit (shares 0 to 1). OFF_TARGET uses the target instead, and SIGNAL the
    limits of `metrics/model/process_behaviour.py`.
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
    """Share of the whole that must be known. The default is the coverage that pages require for a status."""
    quiet_from: time | None = None
    quiet_to: time | None = None
    muted_until: datetime | None = None
    channels: tuple[str, ...] = ()
    """Where to notify: `mailto:name@example.org`, or `webhook:NAME`, `slack:NAME`, `teams:NAME` (see WEBHOOKS)."""
    owner: str = ""
    rule_id: int = 0
    version: int = 0


@dataclass(frozen=True)
class Reading:
    """The values of one period that a rule is checked against."""

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
    """Reason why there is no value."""
    provisional: str | None = None
    """Reason why the period cannot be compared: some rows are still inside a window."""
    signal: bool | None = None
    """Whether the value is a signal on the worse side of its average; None: not asked, or too few periods."""


@dataclass(frozen=True)
class State:
    """State of a rule: clear or firing, and the number of consecutive periods its condition was met while clear."""

    status: str = CLEAR
    streak: int = 0


def validation_errors(rule: Rule, direction: Direction) -> list[str]:
    """Return everything that is wrong with a rule, as sentences for its author."""
    unnamed = [] if rule.name.strip() else ["Enter a name for the rule."]
    return [*unnamed, *unsupported(rule, direction), *undeliverable(rule)]


def unsupported(rule: Rule, direction: Direction) -> list[str]:
    """Return the errors in the condition of a rule. A rule with such an error has no back-test."""
    errors = []
    if rule.condition not in CONDITIONS:
        errors.append(f"Unknown condition {rule.condition!r}: use one of {', '.join(CONDITIONS)}.")
    if rule.period not in PERIODS:
        errors.append(f"Unknown period {rule.period!r}: use one of {', '.join(PERIODS)}.")
    if rule.condition not in WITHOUT_LIMIT and rule.limit is None:
        errors.append("Enter the limit.")
    if rule.condition == SIGNAL and rule.period not in SIGNAL_PERIODS:
        errors.append(f"A signal needs many periods: use {', '.join(SIGNAL_PERIODS[:-1])} or {SIGNAL_PERIODS[-1]}.")
    if rule.condition in (OFF_TARGET, SIGNAL, MOVED) and direction is Direction.NEITHER:
        errors.append("For this measure neither higher nor lower is better: use below or above.")
    if _ends_on_the_wrong_side(rule):
        errors.append("The value that clears the alert is beyond the limit: choose one on the good side of it.")
    if rule.condition in COMPARED and rule.limit is not None and rule.limit < 0:
        errors.append("The change must be 0 or more.")
    if not 0 <= rule.min_coverage <= 1:
        errors.append("The required coverage must be from 0 to 100 %.")
    if rule.in_a_row < 1 or rule.min_n < 1:
        errors.append("The number of periods in a row and the number of judged orders must be 1 or more.")
    return errors


def _ends_on_the_wrong_side(rule: Rule) -> bool:
    if rule.clear_at is None or rule.limit is None or rule.clear_at == rule.limit:
        return False
    return (rule.clear_at < rule.limit) == (rule.condition == BELOW)


def undeliverable(rule: Rule) -> list[str]:
    """Return the errors in the channels and quiet hours of a rule."""
    errors = []
    if (rule.quiet_from is None) != (rule.quiet_to is None):
        errors.append("Enter both the start and the end of the quiet hours.")
    for channel in rule.channels:
        kind, _, name = channel.partition(":")
        if kind == "mailto" and "@" not in name:
            errors.append(f"{name!r} is not an e-mail address.")
        elif kind in WEBHOOKS and not name.replace("_", "").isalnum():
            errors.append(
                f"{name!r} is not a valid name of a {kind} channel. Use letters, digits and _, and set its address in "
                f"the variable BUYERVIEW_{kind.upper()}_{name}."
            )
        elif kind not in KINDS:
            errors.append(f"{channel!r} must begin with {', '.join(f'{one}:' for one in KINDS)}.")
    return errors


def inconclusive_because(rule: Rule, reading: Reading) -> str | None:
    """Return the reason why a reading is inconclusive, or None if it is not."""
    if reading.value is None:
        return (reading.why or "no value").removeprefix(f"{INCONCLUSIVE}: ")
    if reading.denominator is not None and reading.denominator < rule.min_n:
        return f"only {reading.denominator:,} judged, {rule.min_n:,} required"
    if reading.coverage is not None and reading.coverage < rule.min_coverage:
        return f"only {reading.coverage:.1%} known, {rule.min_coverage:.1%} required"
    if rule.condition == OFF_TARGET and reading.target is None:
        return "no target"
    if rule.condition in (*COMPARED, SIGNAL) and reading.provisional is not None:
        return reading.provisional
    if rule.condition == SIGNAL and reading.signal is None:
        return f"fewer than {FEWEST_PERIODS} complete periods"
    if rule.condition in COMPARED and reading.before is None:
        return "no earlier value to compare with"
    return None


def condition_met(rule: Rule, reading: Reading, direction: Direction) -> bool:
    """Return true if a conclusive reading meets the condition."""
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
        status = targets.state_of_value(value, targets.Target(reading.target, reading.tolerance), direction)
        # It fires when pages show "off target" and clears only at the target itself.
        return status is targets.State.OFF if clear_at is None else status is not targets.State.ON
    if rule.condition == SIGNAL:
        return bool(reading.signal)
    assert reading.before is not None
    decrease = float(reading.before) - value
    return (abs(decrease) if rule.condition == OTHER else sign * decrease) > float(rule.limit or 0)


def next_state(rule: Rule, state: State, reading: Reading, direction: Direction) -> tuple[State, str | None]:
    """Return the state after a reading, and its event: FIRED, OVER or None."""
    if inconclusive_because(rule, reading) is not None:
        return state, None
    if state.status == FIRING:
        end_at = rule.clear_at if rule.condition in (BELOW, ABOVE) and rule.clear_at is not None else None
        still_met = _beyond(rule, reading, direction, 0.0 if rule.condition == OFF_TARGET else end_at)
        return (state, None) if still_met else (State(), OVER)
    if not condition_met(rule, reading, direction):
        return State(), None
    streak = state.streak + 1
    return (State(FIRING), FIRED) if streak >= rule.in_a_row else (State(CLEAR, streak), None)


def notify_at(rule: Rule, at: datetime, zone: ZoneInfo) -> datetime:
    """Return the time to send a message of `at`: at once, or after the mute and the quiet hours.

    Times are naive UTC. Quiet hours are in the business time zone.
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
    """Return the first and last day of the last full period up to a day, or of the one `back` periods earlier."""
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


def reading_of(
    answer: Answer | None, before: Answer | None, target: targets.Target | None, start: date, end: date
) -> Reading:
    """Return the reading of a period from its answer, the answer of the period before and the target.

    A rule has its own minimum coverage, so the reading has the point of a share also where pages show its range.
    """
    reading = Reading(start, end, None, why="no data: nothing in this period and selection")
    if answer is None:
        return reading
    why = answer.no_data or reading.why
    reading = replace(
        reading,
        value=point_of(answer),
        numerator=answer.numerator,
        denominator=answer.denominator,
        coverage=answer.coverage,
        why=why,
    )
    open_periods = [one.provisional for one in (answer, before) if one is not None and one.provisional is not None]
    reading = replace(
        reading,
        before=None if before is None else before.value,
        provisional=f"provisional: {open_periods[0].open} still inside their {open_periods[0].window}"
        if open_periods
        else None,
    )
    return reading if target is None else replace(reading, target=target.value, tolerance=target.tolerance)
