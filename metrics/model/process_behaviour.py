"""Tell a signal from noise in a series of periods: the limits of a process behaviour chart (XmR). Pure functions.

The limits of a number are mean ± 2.66 times the mean moving range, the mean difference of neighbouring periods. A share
also varies by chance with the number n of rows of its period: one standard deviation is √(mean·(1 - mean) / n). Its
limits are three of them, times the ratio by which neighbouring periods differ more than chance would make them, if that
is over 1 (failures often come in groups).

Signals: a value outside its limits, and eight values in a row on the same side of the mean.

Source: D. J. Wheeler, Understanding Variation, rules 1 and 2 (2.66 is 3 / 1.128); D. B. Laney, Improved control charts
for attributes (the ratio).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

FEWEST_PERIODS = 10
"""With fewer periods there are no limits: they would move too much with each new period."""
RUN = 8
"""So many values in a row on one side of the mean are a signal."""
RANGE_OF_TWO = 1.128
"""Mean difference of two values, in standard deviations."""
OF_MOVING_RANGE = 2.66


@dataclass(frozen=True)
class PeriodLimits:
    """One period of a series.

    low, high: natural limits. signal: "outside", "run" or None. above: on which side of the mean; None: on it.
    """

    value: float
    low: float
    high: float
    signal: str | None
    above: bool | None


@dataclass(frozen=True)
class Behaviour:
    """A series with its mean and the limits of each period.

    changed_at: place of the first period of the latest signal, if that signal lasts to the end of the series.
    """

    mean: float
    periods: tuple[PeriodLimits, ...]
    changed_at: int | None


def behaviour(values: Sequence[float], counts: Sequence[float] | None = None) -> Behaviour | None:
    """Return the mean, limits and signals of a series, oldest first; None if it has fewer than ten periods.

    counts: the number of rows of each period, if the values are shares; each must be over 0.
    """
    if len(values) < FEWEST_PERIODS:
        return None
    if counts is None:
        mean = sum(values) / len(values)
        halves = [OF_MOVING_RANGE * _mean_moving_range(values)] * len(values)
        floor, ceiling = -math.inf, math.inf
    else:
        mean = sum(value * count for value, count in zip(values, counts, strict=True)) / sum(counts)
        deviations = [math.sqrt(max(mean * (1 - mean), 0) / count) for count in counts]
        distances = [
            (value - mean) / deviation if deviation else 0.0
            for value, deviation in zip(values, deviations, strict=True)
        ]
        ratio = max(1.0, _mean_moving_range(distances) / RANGE_OF_TWO)
        halves = [3 * ratio * deviation for deviation in deviations]
        floor, ceiling = 0.0, 1.0
    sides = [None if math.isclose(value, mean, abs_tol=1e-12) else value > mean for value in values]
    runs = _in_runs(sides)
    periods = tuple(
        PeriodLimits(
            value,
            max(mean - half, floor),
            min(mean + half, ceiling),
            "outside" if abs(value - mean) > half * (1 + 1e-9) else "run" if in_run else None,
            side,
        )
        for value, half, in_run, side in zip(values, halves, runs, sides, strict=True)
    )
    return Behaviour(mean, periods, _changed_at(periods))


def _mean_moving_range(values: Sequence[float]) -> float:
    return sum(abs(now - before) for before, now in pairwise(values)) / (len(values) - 1)


def _in_runs(sides: Sequence[bool | None]) -> list[bool]:
    """Return for each period whether it is one of eight or more in a row on one side. The mean is on neither side."""
    lengths: list[int] = []
    for at, side in enumerate(sides):
        continues = side is not None and at > 0 and sides[at - 1] == side
        lengths.append(0 if side is None else lengths[at - 1] + 1 if continues else 1)
    found = [False] * len(sides)
    for end, length in enumerate(lengths):
        if length >= RUN:
            found[end - length + 1 : end + 1] = [True] * length
    return found


def _changed_at(periods: Sequence[PeriodLimits]) -> int | None:
    """Return where the last periods on one side begin, if one of them is a signal."""
    last = periods[-1].above
    if last is None:
        return None
    start = len(periods)
    while start > 0 and periods[start - 1].above == last:
        start -= 1
    tail = range(start, len(periods))
    if any(periods[at].signal == "run" for at in tail):
        return start
    return next((at for at in tail if periods[at].signal == "outside"), None)
