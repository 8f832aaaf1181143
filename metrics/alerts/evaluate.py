"""Alert rules looked at: what each reads in a generation, what follows from it, and what it would have said in the
past.

One question for each rule, answered as every page answers it. Nothing is sent here: news goes to the outbox
(store/rules.py), in the transaction that remembers the reading, so that it is told once whatever breaks in between.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from metrics.alerts import storage
from metrics.alerts.rules import (
    CLEAR,
    COMPARED,
    FIRED,
    NOT_PROVEN,
    OVER,
    PERIODS,
    Reading,
    Rule,
    State,
    last_full_period,
    next_state,
    not_proven,
    notify_at,
    reading_of,
)
from metrics.errors import BuyerviewError
from metrics.measures.catalog import find
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.targets.in_view import targets_in_view
from metrics.targets.targets import target_for


@dataclass(frozen=True)
class RuleCheck:
    """One look of a rule: what it read, how it stands after it, and the event it gave."""

    reading: Reading
    state: State
    event: str | None
    decided: str
    """clear, firing, or why nothing was proven."""


def read_measure(warehouse: Connection, rule: Rule, as_of: date, back: int = 0) -> Reading:
    """What a rule reads of its last whole period as of a day, or of one further back. Raises UnknownName for a measure
    or filter that is gone.
    """
    start, end = last_full_period(rule.period, as_of, back)
    earlier = (
        _one(warehouse, rule, *last_full_period(rule.period, as_of, back + 1)) if rule.condition in COMPARED else None
    )
    target = target_for(targets_in_view(warehouse, start=start, end=end, where=rule.where), rule.measure, rule.where)
    return reading_of(_one(warehouse, rule, start, end), earlier, target, start, end)


def _one(warehouse: Connection, rule: Rule, start: date, end: date) -> Answer | None:
    return next(iter(answer(warehouse, Question((rule.measure,), start=start, end=end, where=rule.where))), None)


def check(rule: Rule, state: State, seen: Reading) -> RuleCheck:
    """A rule after one more reading."""
    direction = find(rule.measure).direction
    after, event = next_state(rule, state, seen, direction)
    why = not_proven(rule, seen)
    return RuleCheck(seen, after, event, f"{NOT_PROVEN}: {why}" if why else after.status)


def back_test(warehouse: Connection, rule: Rule, as_of: date, *, periods: int = 26) -> list[RuleCheck]:
    """What a rule would have read and said, had it been looked at once after each of the last periods, the oldest
    first.
    """
    seen, state = [], State()
    for back in reversed(range(periods)):
        one = check(rule, state, read_measure(warehouse, rule, as_of, back))
        seen.append(one)
        state = one.state
    return seen


def check_all(
    warehouse: Connection,
    store: Connection,
    *,
    generation: int,
    as_of: datetime,
    now: datetime,
    zone: ZoneInfo,
    base: str = "",
) -> list[RuleCheck]:
    """Look at every rule for a generation, once, and write what there is to tell into the outbox.

    base: address of the dashboard, for the link in a message. A rule that cannot be asked any more is noted as such and
    stops nobody.
    """
    found = []
    states, earlier = storage.states(store), storage.last_readings(store)
    for rule in storage.rules(store):
        state, last = states[rule.rule_id]
        if last is not None and last >= generation:
            continue
        try:
            seen = read_measure(warehouse, rule, as_of.date())
            one = check(rule, _counted_before(state, seen, earlier.get(rule.rule_id)), seen)
        except BuyerviewError as error:  # its measure or a filter of it is gone: the page shows why
            start, end = last_full_period(rule.period if rule.period in PERIODS else "week", as_of.date())
            one = RuleCheck(Reading(start, end, None, why=str(error)), state, None, f"{NOT_PROVEN}: {error}")
        if (
            storage.add_reading(store, rule, generation, one.reading, one.state, one.decided, one.event, at=now)
            and one.event is not None
        ):
            _write(store, rule, one, generation, now, zone, base)
        found.append(one)
    return found


def _counted_before(state: State, seen: Reading, last: dict[str, Any] | None) -> State:
    """The state as it was before the period was looked at first: "in a row" counts periods, however often data of one
    are published.
    """
    again = last is not None and last["ends_on"] == seen.end and last["decided"] == state.status == CLEAR
    return replace(state, streak=max(state.streak - 1, 0)) if again else state


def _write(
    store: Connection, rule: Rule, one: RuleCheck, generation: int, now: datetime, zone: ZoneInfo, base: str
) -> None:
    """Put news into the outbox. What is over before the alert itself left is told once, with the alert in it."""
    for channel in rule.channels:
        identity = f"rule {rule.rule_id} generation {generation} {one.event} {channel}"
        subject = f"{'Over' if one.event == OVER else 'Alert'}: {rule.name}"
        body = notification_text(rule, one, generation, base)
        if (
            one.event == OVER
            and (fired := storage.withdraw_messages(store, rule.rule_id, channel, FIRED, at=now)) is not None
        ):
            body["fired"], subject = fired, f"Fired and over: {rule.name}"
        storage.write_message(store, identity, channel, subject, body, due_at=notify_at(rule, now, zone))


def notification_text(rule: Rule, one: RuleCheck, generation: int, base: str = "") -> dict[str, Any]:
    """What a message says, as plain values: shares are 0 to 1."""
    measure, seen = find(rule.measure), one.reading
    return {
        "event": one.event,
        "rule": rule.name,
        "measure": rule.measure,
        "title": measure.title,
        "unit": str(measure.unit),
        "definition": measure.definition,
        "where": [[name, list(values)] for name, values in rule.where],
        "from": seen.start,
        "to": seen.end,
        "value": _plain(seen.value),
        "numerator": _plain(seen.numerator),
        "denominator": _plain(seen.denominator),
        "condition": rule.condition,
        "limit": rule.limit,
        "before": _plain(seen.before),
        "target": seen.target,
        "generation": generation,
        "link": link(rule, seen, generation, base),
    }


def link(rule: Rule, seen: Reading, generation: int, base: str = "") -> str:
    """The address that shows these very numbers later."""
    chosen: list[tuple[str, str]] = [("measure", rule.measure), ("part", "counted"), ("period", "Dates")]
    chosen += [("dates", str(day)) for day in (seen.start, seen.end)]
    chosen += [(name, value) for name, values in rule.where for value in values]
    return f"{base.rstrip('/')}/behind?{urlencode([*chosen, ('v', str(generation))])}"


def _plain(value: object) -> object:
    if value is None or isinstance(value, (int, float, str)):
        return value
    return float(str(value))
