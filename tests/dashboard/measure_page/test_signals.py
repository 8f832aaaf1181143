"""Sentences about when a measure misses its target and whether its level shifted, from points made by hand."""

from datetime import date, timedelta

import pytest

from dashboard.components import formatting
from dashboard.components.charts import Point
from dashboard.components.status import Status
from dashboard.measure_page.signals import shift, since_target
from metrics.model.measure import Direction, Unit
from metrics.targets.targets import Target

MONDAY = date(2026, 4, 6)
TARGET = Target(0.9)


def day(week: int) -> str:
    return formatting.day(MONDAY + timedelta(weeks=week), year=False)


def weeks(*values: float | None, judged: float = 100) -> list[Point]:
    """Return one point per week from 6 April 2026; the last is of a running week."""
    return [
        Point(MONDAY + timedelta(weeks=at), value, Status.NO_TARGET, partial=False, judged=judged)
        for at, value in enumerate(values)
    ] + [Point(MONDAY + timedelta(weeks=len(values)), 0.1, Status.NO_TARGET, partial=True, judged=1)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.95, 0.88, 0.91, 0.85, 0.87), f"Below target in 3 of 5 weeks, since the week of {day(3)}."),
        ((0.85, 0.95, 0.95), "Below target in 1 of 3 weeks."),
        ((0.85, 0.85, 0.85), "Below target in all 3 weeks."),
        ((0.95, 0.9, 0.95), ""),
        ((0.85, None, 0.85), ""),
    ],
)
def test_signal_text_says_since_when_the_target_is_missed(values: tuple[float | None, ...], expected: str) -> None:
    assert since_target(weeks(*values), TARGET, Direction.HIGHER, "week") == expected


def test_signal_text_if_lower_is_better_and_empty_text_without_a_target() -> None:
    assert since_target(weeks(0.95, 0.85, 0.85), TARGET, Direction.LOWER, "week") == "Above target in 1 of 3 weeks."
    assert since_target(weeks(0.85, 0.85, 0.85), None, Direction.HIGHER, "week") == ""


def test_signal_text_says_since_when_the_level_has_shifted() -> None:
    """Four weeks near 0.95, then eight near 0.85: the mean is 0.883, and the eight lie below it."""
    values = [0.95, 0.94, 0.96, 0.95, *[0.84, 0.86] * 4]
    assert shift(weeks(*values), Unit.SHARE, "week") == f"Shifted down since the week of {day(4)}."


def test_signal_text_reports_no_shift_and_is_empty_for_few_weeks() -> None:
    assert shift(weeks(*[0.9, 0.92] * 6), Unit.SHARE, "week") == "No significant change over 12 weeks."
    assert shift(weeks(*[0.9, 0.92] * 4), Unit.SHARE, "week") == ""
