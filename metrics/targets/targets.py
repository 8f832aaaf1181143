"""Targets with their tolerance bands, by measure and scope, and how an answer stands against one.

Source: rules P7 (nothing is green, amber or red under `min_coverage`), R31 (a group's target is weighted by judged
orders).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from metrics.model.measure import Direction, Measure
from metrics.model.question import Answer
from metrics.model.statistics import Number
from metrics.policy import MIN_COVERAGE


class State(StrEnum):
    """How a value stands against its target."""

    ON = "on target"
    WATCH = "watch"
    OFF = "off target"
    NOT_PROVEN = "not proven"
    NO_TARGET = "no target"
    NO_DATA = "no data"


@dataclass(frozen=True)
class Target:
    """What a measure should reach and how far off is still 'watch', in the measure's unit (shares as 0 to 1), and whose
    target it is.
    """

    value: float
    tolerance: float = 0.0
    scope: str = "all"


SCOPED = ("customer", "segment")
"""Who may have a target of their own, the narrower first."""

_NOTHING = 1e-12
"""Less than this apart is at the target: values are doubles."""


def target_for(
    rows: Iterable[Mapping[str, Any]], measure: str, where: Iterable[tuple[str, tuple[str, ...]]]
) -> Target | None:
    """The target of a measure for what is in view: the customer's or the segment's own, that of several together, else
    everyone's.

    rows: `group_targets.targets_in_view`, or where only one of each is looked at `listing.targets_on`.
    """
    scopes = {row["scope"]: row for row in rows if row["measure"] == measure}
    chosen = dict(where)
    for scope in (*(scope_of(name, chosen[name]) for name in SCOPED if chosen.get(name)), "all"):
        if scope in scopes:
            return _target(scopes[scope])
    return None


def scope_of(name: str, values: tuple[str, ...]) -> str:
    """The scope of one segment or customer as a target names it; of several the name of what they are together."""
    return f"{name}:{values[0]}" if len(values) == 1 else f"{name}s in view"


def group_target(rows: Iterable[Mapping[str, Any]], measure: str, judged: Mapping[str, Number]) -> Target | None:
    """The target of several segments or customers together: theirs, weighted by judged orders (R31); None where one of
    them has none.

    judged: scope (`segment:A`, `customer:ID`) to its judged orders; scopes without any weigh nothing.
    """
    own = {row["scope"]: row for row in rows if row["measure"] == measure}
    weights = {scope: Decimal(str(number)) for scope, number in judged.items() if number}
    if not weights or not weights.keys() <= own.keys():
        return None
    whole = sum(weights.values())

    def mean(column: str) -> float:
        return float(
            sum((Decimal(own[scope][column] or 0) * weight for scope, weight in weights.items()), Decimal(0)) / whole
        )

    return Target(mean("target_value"), mean("tolerance"), scope=", ".join(sorted(weights)))


def _target(row: Mapping[str, Any]) -> Target:
    return Target(float(row["target_value"]), float(row["tolerance"] or 0), row["scope"])


def state_of_value(
    value: Number | None, target: Target | None, direction: Direction, *, coverage: Number | None = None
) -> State:
    """How one value stands."""
    if value is None:
        return State.NO_DATA
    if target is None or direction is Direction.NEITHER:
        return State.NO_TARGET
    if coverage is not None and coverage < MIN_COVERAGE:
        return State.NOT_PROVEN
    ahead = (float(value) - target.value) * (1 if direction is Direction.HIGHER else -1)
    if ahead >= -_NOTHING:
        return State.ON
    return State.WATCH if ahead >= -target.tolerance - _NOTHING else State.OFF


def state_of(answer: Answer | None, measure: Measure, target: Target | None) -> State:
    """How an answer stands. Where its point is withheld, what both its bounds agree on; else it is not proven."""
    if answer is None:
        return State.NO_DATA
    if bounds := is_withheld(answer):
        ends = {state_of_value(bound, target, measure.direction) for bound in bounds}
        return ends.pop() if len(ends) == 1 else State.NOT_PROVEN
    return state_of_value(answer.value, target, measure.direction, coverage=answer.coverage)


def is_withheld(answer: Answer) -> tuple[float, float] | None:
    """The bounds that stand in place of a point withheld (rules P7); None where there is a point, or no evidence at
    all.
    """
    if (
        answer.value is not None
        or answer.worst is None
        or answer.best is None
        or (answer.no_data or "").startswith(("no feed", "no data"))
    ):
        return None
    return answer.worst, answer.best
