"""Check alert rules against a generation, and back-test them over past periods.

Each rule asks one question, through the same query as the pages. Nothing is sent here. Messages go to the outbox in the
transaction that records the reading, so that each is written exactly once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from metrics.alerts import storage
from metrics.alerts.rules import (
    CLEAR,
    COMPARED,
    FIRED,
    OVER,
    PERIODS,
    SIGNAL,
    Reading,
    Rule,
    State,
    inconclusive_because,
    last_full_period,
    next_state,
    notify_at,
    reading_of,
)
from metrics.errors import BuyerviewError
from metrics.measures.catalog import find
from metrics.model.measure import Direction, Unit
from metrics.model.point import INCONCLUSIVE
from metrics.model.process_behaviour import behaviour
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.queries.main_driver import main_driver
from metrics.schema import Row
from metrics.targets.in_view import targets_in_view
from metrics.targets.targets import target_for

PERIODS_OF_SIGNAL = 26
"""Periods whose limits tell whether the last of them is a signal."""


@dataclass(frozen=True)
class RuleCheck:
    """One check of a rule: the reading, the new state and the event."""

    reading: Reading
    state: State
    event: str | None
    decided: str
    """clear, firing, or "inconclusive" and the reason."""


def read_measure(warehouse: Connection, rule: Rule, as_of: date, back: int = 0) -> Reading:
    """Return the reading of a rule for the last full period as of a day, or `back` periods earlier.

    Raises UnknownName if the measure or a filter no longer exists.
    """
    start, end = last_full_period(rule.period, as_of, back)
    earlier = (
        _answer(warehouse, rule, *last_full_period(rule.period, as_of, back + 1))
        if rule.condition in COMPARED
        else None
    )
    target = target_for(targets_in_view(warehouse, start=start, end=end, where=rule.where), rule.measure, rule.where)
    reading = reading_of(_answer(warehouse, rule, start, end), earlier, target, start, end)
    if rule.condition != SIGNAL:
        return reading
    first, _ = last_full_period(rule.period, as_of, back + PERIODS_OF_SIGNAL - 1)
    return replace(reading, signal=_is_signal_for_the_worse(warehouse, rule, first, (start, end)))


def _is_signal_for_the_worse(warehouse: Connection, rule: Rule, first: date, last: tuple[date, date]) -> bool | None:
    """Return whether the last period is a signal on the worse side; None if it or too many others are not complete."""
    measure = find(rule.measure)
    question = Question((rule.measure,), grain=rule.period, start=first, end=last[1], where=rule.where)
    complete = [
        one
        for one in answer(warehouse, question)
        if one.value is not None and one.provisional is None and (one.denominator or measure.unit is not Unit.SHARE)
    ]
    if not complete or complete[-1].period != last[0]:
        return None
    counts = [float(one.denominator or 0) for one in complete] if measure.unit is Unit.SHARE else None
    found = behaviour([float(one.value or 0) for one in complete], counts)
    if found is None:
        return None
    newest = found.periods[-1]
    return newest.signal is not None and newest.above is (measure.direction is Direction.LOWER)


def _answer(warehouse: Connection, rule: Rule, start: date, end: date) -> Answer | None:
    return next(iter(answer(warehouse, Question((rule.measure,), start=start, end=end, where=rule.where))), None)


def check(rule: Rule, state: State, reading: Reading) -> RuleCheck:
    """Check a rule against a reading."""
    direction = find(rule.measure).direction
    after, event = next_state(rule, state, reading, direction)
    why = inconclusive_because(rule, reading)
    return RuleCheck(reading, after, event, f"{INCONCLUSIVE}: {why}" if why else after.status)


def back_test(warehouse: Connection, rule: Rule, as_of: date, *, periods: int = 26) -> list[RuleCheck]:
    """Return the checks of a rule over the last periods, oldest first, as if it had run after each of them."""
    checks, state = [], State()
    for back in reversed(range(periods)):
        result = check(rule, state, read_measure(warehouse, rule, as_of, back))
        checks.append(result)
        state = result.state
    return checks


def check_all(
    warehouse: Connection,
    store: Connection,
    *,
    generation: int,
    as_of: datetime,
    now: datetime,
    zone: ZoneInfo,
    base: str = "",
    rules: Sequence[Rule] | None = None,
) -> list[RuleCheck]:
    """Check all rules against a generation, once, and put the messages into the outbox.

    base: address of the dashboard, for links in messages. rules: check only these. A rule that can no longer be
    evaluated is recorded as inconclusive; the others are still checked.
    """
    checks = []
    states, earlier = storage.states(store), storage.last_readings(store)
    for rule in storage.rules(store) if rules is None else rules:
        state, last = states[rule.rule_id]
        if last is not None and last >= generation:
            continue
        try:
            reading = read_measure(warehouse, rule, as_of.date())
            result = check(rule, _state_before_period(state, reading, earlier.get(rule.rule_id)), reading)
        except BuyerviewError as error:  # its measure or a filter no longer exists; the page shows the error
            start, end = last_full_period(rule.period if rule.period in PERIODS else "week", as_of.date())
            result = RuleCheck(Reading(start, end, None, why=str(error)), state, None, f"{INCONCLUSIVE}: {error}")
        if (
            storage.add_reading(
                store, rule, generation, result.reading, result.state, result.decided, result.event, at=now
            )
            and result.event is not None
        ):
            body = notification_text(rule, result, generation, base)
            body["driver"] = _driver(warehouse, rule, as_of.date()) if result.event == FIRED else None
            _write_messages(store, rule, result, body, generation, now, zone)
        checks.append(result)
    return checks


def _state_before_period(state: State, reading: Reading, last: Row | None) -> State:
    """Return the state before the period was first checked, because `in_a_row` counts periods and not generations."""
    same_period = last is not None and last["ends_on"] == reading.end and last["decided"] == state.status == CLEAR
    return replace(state, streak=max(state.streak - 1, 0)) if same_period else state


def _driver(warehouse: Connection, rule: Rule, as_of: date) -> Row | None:
    """Return the main driver of the change since the period before as plain values; None if there is none."""
    then, now = (last_full_period(rule.period, as_of, back) for back in (1, 0))
    found = main_driver(warehouse, rule.measure, before=then, after=now, where=rule.where)
    if found is None:
        return None
    return {
        "dimension": found.dimension,
        "value": found.value,
        "before": _json_value(found.before.value),
        "after": _json_value(found.after.value),
        "is_rise": found.excess > 0,
    }


def _write_messages(
    store: Connection, rule: Rule, result: RuleCheck, content: Row, generation: int, now: datetime, zone: ZoneInfo
) -> None:
    """Write the messages of an event. If an alert clears before its message was sent, one message reports both."""
    for channel in rule.channels:
        identity = f"rule {rule.rule_id} generation {generation} {result.event} {channel}"
        subject = f"{'Cleared' if result.event == OVER else 'Alert'}: {rule.name}"
        body = dict(content)
        if (
            result.event == OVER
            and (fired := storage.withdraw_messages(store, rule.rule_id, channel, FIRED, at=now)) is not None
        ):
            body["fired"], subject = fired, f"Fired and cleared: {rule.name}"
        storage.write_message(store, identity, channel, subject, body, due_at=notify_at(rule, now, zone))


def notification_text(rule: Rule, result: RuleCheck, generation: int, base: str = "") -> Row:
    """Return the content of a message as plain values. Shares are 0 to 1."""
    measure, reading = find(rule.measure), result.reading
    return {
        "event": result.event,
        "rule": rule.name,
        "measure": rule.measure,
        "title": measure.title,
        "unit": str(measure.unit),
        "definition": measure.definition,
        "where": [[name, list(values)] for name, values in rule.where],
        "from": reading.start,
        "to": reading.end,
        "value": _json_value(reading.value),
        "numerator": _json_value(reading.numerator),
        "denominator": _json_value(reading.denominator),
        "condition": rule.condition,
        "limit": rule.limit,
        "before": _json_value(reading.before),
        "target": reading.target,
        "generation": generation,
        "link": link(rule, reading, generation, base),
    }


def link(rule: Rule, reading: Reading, generation: int, base: str = "") -> str:
    """Return the address of the page that shows the rows behind this reading."""
    parameters: list[tuple[str, str]] = [("measure", rule.measure), ("period", "Dates")]
    parameters += [("dates", str(day)) for day in (reading.start, reading.end)]
    parameters += [(name, value) for name, values in rule.where for value in values]
    return f"{base.rstrip('/')}/behind?{urlencode([*parameters, ('v', str(generation))])}"


def _json_value(value: object) -> object:
    if value is None or isinstance(value, (int, float, str)):
        return value
    return float(str(value))
