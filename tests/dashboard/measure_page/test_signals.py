"""Sentences about when a measure misses its target and whether its level shifted, from points made by hand."""

from dataclasses import replace
from datetime import date, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from dashboard.components import charts, formatting
from dashboard.components.charts import Point
from dashboard.components.status import Status
from dashboard.measure_page.signals import shift, since_target, with_limits
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Direction, Unit
from metrics.targets.targets import Target
from tests.dashboard.conftest import Open, markup
from tests.dashboard.measure_page.test_measure_page_sections import drawn

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
        ((0.85, 0.85, 0.85), f"Below target in all 3 weeks, since the week of {day(0)} or earlier."),
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


def test_limits_and_signals_are_drawn_for_complete_weeks() -> None:
    """The mean of nine weeks at 0.9 and one at 0.5 is 0.86. Of 100 orders, one standard deviation is 0.0347.

    The mean moving range is 0.4 / 9 (last pair), in deviations 1.281, and 1.281 / 1.128 is 1.135: the limits are
    0.86 ± 3 × 1.135 × 0.0347, so 0.742 and 0.978. The running week has no limits.
    """
    shown = with_limits(weeks(*[0.9] * 9, 0.5), Unit.SHARE)
    assert shown[0].limits == pytest.approx((0.7418, 0.9782), abs=1e-3)
    # Nine in a row lie above the mean; the tenth lies below the limits.
    assert [point.signal for point in shown[8:]] == [
        "one of 8 or more in a row above the average",
        "below the limits",
        "",
    ]
    assert shown[-1].limits is None
    assert with_limits(weeks(*[0.9] * 9), Unit.SHARE) == weeks(*[0.9] * 9)


def test_chart_has_limits_rings_and_links_of_points() -> None:
    made = [replace(point, url=f"behind?week={at}") for at, point in enumerate(weeks(*[0.9] * 9, 0.5))]
    measure = MEASURES["on_time"]
    spec = charts.trend(with_limits(made, Unit.SHARE), measure, target=None, grain="week", is_dark=False)
    assert len(spec["datasets"]["signals"]) == 10
    assert [row["url"] for row in spec["datasets"]["points"]] == [point.url for point in made]
    assert [row["lowest"] is None for row in spec["datasets"]["main"]] == [False] * 10 + [True]
    marks = [layer["encoding"].get("href") for layer in spec["layer"]]
    assert {"field": "url", "type": "nominal"} in marks
    plain = charts.trend(made[:9], measure, target=None, grain="week", is_dark=False)
    assert len(plain["layer"]) == len(spec["layer"]) - 4


def test_every_point_of_a_long_trend_links_to_its_rows() -> None:
    made = [replace(point, url=f"behind?week={at}") for at, point in enumerate(weeks(*[0.9] * 51))]
    spec = charts.trend(made, MEASURES["on_time"], target=None, grain="week", is_dark=False)
    points = spec["datasets"]["points"]
    assert [row["url"] for row in points] == [point.url for point in made]
    assert {row["size"] for row in points if not row["partial"]} == {charts.SMALL}


def test_screen_readers_hear_the_points_as_written_and_no_other_mark() -> None:
    spec = charts.trend(weeks(*[0.9] * 12), MEASURES["on_time"], target=None, grain="week", is_dark=False)
    heard = [layer["mark"] for layer in spec["layer"] if layer["mark"].get("aria", spec["config"]["mark"]["aria"])]
    assert [mark["type"] for mark in heard] == ["point"]
    assert heard[0]["description"] == {"expr": "datum.name + ': ' + datum.label"}


def test_point_of_the_scorecard_leads_to_the_rows_of_its_week(page_of_small: Open) -> None:
    rows = drawn(page_of_small())["points"]
    first = rows[0]
    asked = parse_qs(urlsplit(first["url"]).query)
    begins = date.fromisoformat(first["period"])
    assert asked["days"] == [f"{begins}..{begins + timedelta(days=6)}"]
    at = page_of_small("drill_down", **{name: values[0] for name, values in asked.items()})
    assert f'data-measure="{asked["measure"][0]}"' in markup(at) or first["label"] in markup(at)
