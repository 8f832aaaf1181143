"""Say since when a measure misses its target, and whether its periods differ by more than chance."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from dashboard.components import formatting
from dashboard.components.charts import Point
from metrics.model.measure import Direction, Unit
from metrics.model.process_behaviour import RUN, Behaviour, behaviour
from metrics.targets.targets import Target

FEWEST = 3
"""With fewer complete periods, "in 1 of 2 weeks" says less than the value itself."""


def complete_points(points: Sequence[Point]) -> list[Point]:
    """Return the points of complete periods that have a value."""
    return [point for point in points if point.value is not None and not point.partial]


def since_target(points: Sequence[Point], target: Target | None, direction: Direction, grain: str) -> str:
    """Return in how many periods a measure missed its target, and since when; "" if it met it in all of them."""
    shown = complete_points(points)
    if target is None or direction is Direction.NEITHER or len(shown) < FEWEST:
        return ""
    missed = [point.value is not None and _is_missed(point.value, target.value, direction) for point in shown]
    if not any(missed):
        return ""
    side = "Below" if direction is Direction.HIGHER else "Above"
    if all(missed):
        return f"{side} target in all {len(shown)} {grain}s, since {period_name(shown[0].begins, grain)} or earlier."
    text = f"{side} target in {sum(missed)} of {len(shown)} {grain}s"
    if missed[-1]:
        first = len(missed) - missed[::-1].index(False)
        text += f", since {period_name(shown[first].begins, grain)}"
    return f"{text}."


def shift(points: Sequence[Point], unit: Unit, grain: str) -> str:
    """Return since when the level of a measure is another one, or that it is not; "" with too few periods."""
    shown = complete_points(points)
    found = behaviour_of(shown, unit)
    if found is None:
        return ""
    if found.changed_at is None:
        return f"No significant change over {len(shown)} {grain}s."
    way = "up" if found.periods[-1].above else "down"
    return f"Shifted {way} since {period_name(shown[found.changed_at].begins, grain)}."


def behaviour_of(shown: Sequence[Point], unit: Unit) -> Behaviour | None:
    """Return the limits and signals of complete points; None with fewer than ten, or if a share has no rows."""
    values = [point.value for point in shown if point.value is not None]
    if unit is not Unit.SHARE:
        return behaviour(values)
    counts = [point.judged for point in shown if point.judged]
    return behaviour(values, counts) if len(counts) == len(values) else None


MEANT = {
    ("outside", True): "above the limits",
    ("outside", False): "below the limits",
    ("run", True): f"one of {RUN} or more in a row above the average",
    ("run", False): f"one of {RUN} or more in a row below the average",
}
"""Signals in words: kind, and whether the value is above the average."""


def with_limits(points: Sequence[Point], unit: Unit) -> list[Point]:
    """Return points with the limits and the signals of complete periods; unchanged if there are too few of them."""
    shown = complete_points(points)
    found = behaviour_of(shown, unit)
    if found is None:
        return list(points)
    floor = 0.0 if min(one.value for one in found.periods) >= 0 else -math.inf  # no negative days or orders
    limits = {point.begins: one for point, one in zip(shown, found.periods, strict=True)}
    return [
        replace(
            point,
            limits=(max(one.low, floor), one.high),
            signal=MEANT[one.signal, bool(one.above)] if one.signal else "",
        )
        if (one := limits.get(point.begins)) is not None
        else point
        for point in points
    ]


def period_name(begins: date, grain: str) -> str:
    """Return the name of a period inside a sentence: the week of Apr 6."""
    if grain == "day":
        return formatting.day(begins)
    if grain == "month":
        return f"{begins:%B %Y}"
    return f"the {grain} of {formatting.day(begins, year=grain != 'week')}"


def _is_missed(value: float, target: float, direction: Direction) -> bool:
    return value < target if direction is Direction.HIGHER else value > target
