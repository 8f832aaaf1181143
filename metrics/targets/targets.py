"""Targets with tolerance bands, by measure and scope, and the status of an answer.

Source: P7 (point, coverage and range): no status below `MIN_COVERAGE`. R31 (group totals and targets).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from metrics.model import point
from metrics.model.measure import Direction, Measure
from metrics.model.question import Answer
from metrics.model.statistics import Number
from metrics.policy import MIN_COVERAGE
from metrics.schema import RowValues


class State(StrEnum):
    """Status of a value against its target."""

    ON = "on target"
    WATCH = "watch"
    OFF = "off target"
    INCONCLUSIVE = point.INCONCLUSIVE
    NO_TARGET = "no target"
    NO_DATA = "no data"


@dataclass(frozen=True)
class Target:
    """Target of a measure, and the distance from it that still counts as 'watch', in the measure's unit (shares as 0 to
    1).
    """

    value: float
    tolerance: float = 0.0
    scope: str = "all"


SCOPED = ("customer", "segment")
"""Dimensions that may have their own target, the narrower first."""

_EPSILON = 1e-12
"""Values are doubles: a smaller difference counts as equal."""


def target_for(rows: Iterable[RowValues], measure: str, where: Iterable[tuple[str, tuple[str, ...]]]) -> Target | None:
    """Return the target of a measure in a view: that of the customer, the segment or the group, else the one for
    everyone.

    rows: `in_view.targets_in_view`, or `options.targets_on` if the view has at most one segment and customer.
    """
    scopes = {row["scope"]: row for row in rows if row["measure"] == measure}
    filters = dict(where)
    for scope in (*(scope_of(name, filters[name]) for name in SCOPED if filters.get(name)), "all"):
        if scope in scopes:
            return _target(scopes[scope])
    return None


def scope_of(name: str, values: tuple[str, ...]) -> str:
    """Return the scope of a target for a segment or customer, or the name of a group of several."""
    return f"{name}:{values[0]}" if len(values) == 1 else f"{name}s in view"


def group_target(rows: Iterable[RowValues], measure: str, judged: Mapping[str, Number]) -> Target | None:
    """Return the target of several segments or customers, weighted by judged orders; None if one of them has none.

    judged: judged orders by scope (`segment:A`, `customer:ID`). Scopes without judged orders do not count.

    Source: R31 (group totals and targets).
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


def _target(row: RowValues) -> Target:
    return Target(float(row["target_value"]), float(row["tolerance"] or 0), row["scope"])


def state_of_value(
    value: Number | None, target: Target | None, direction: Direction, *, coverage: Number | None = None
) -> State:
    """Return the status of one value."""
    if value is None:
        return State.NO_DATA
    if target is None or direction is Direction.NEITHER:
        return State.NO_TARGET
    if coverage is not None and coverage < MIN_COVERAGE:
        return State.INCONCLUSIVE
    ahead = (float(value) - target.value) * (1 if direction is Direction.HIGHER else -1)
    if ahead >= -_EPSILON:
        return State.ON
    return State.WATCH if ahead >= -target.tolerance - _EPSILON else State.OFF


def state_of(answer: Answer | None, measure: Measure, target: Target | None) -> State:
    """Return the status of an answer against its target. If the range replaces the point, it is inconclusive.

    Source: P7 (point, coverage and range).
    """
    if answer is None:
        return State.NO_DATA
    if point.range_of(answer) is not None:
        has_target = target is not None and measure.direction is not Direction.NEITHER
        return State.INCONCLUSIVE if has_target else State.NO_TARGET
    return state_of_value(answer.value, target, measure.direction, coverage=answer.coverage)
