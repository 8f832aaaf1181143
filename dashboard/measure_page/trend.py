"""Trend of a page's measures: day by day, week by week or month by month, next to the periods it is compared with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import streamlit as st

from dashboard import queries
from dashboard.components import charts, theme
from dashboard.components.charts import Point
from dashboard.components.status import Status, status
from dashboard.frame import chart_download, links, menu, page
from dashboard.frame.period import BEFORE, LAST_YEAR, next_start, periods, same_weekdays
from dashboard.measure_page import notes, signals
from dashboard.measure_page.view import MeasureView
from metrics.measures.catalog import MEASURES
from metrics.model.point import range_of
from metrics.model.process_behaviour import RUN
from metrics.model.question import Answer, Question

Series = dict[tuple[str, date | None], Answer]
"""Answers by measure and first day of the period (day, week, month, ...)."""


@dataclass(frozen=True)
class Trend:
    """Measures by the grain of the period in view, and the same for the periods compared with."""

    view: MeasureView
    series: Series
    earlier: dict[str, Series]
    """Series of the periods compared with, by their name."""


def by_period(view: MeasureView, measures: tuple[str, ...], start: date, end: date) -> Series:
    """Return answers to measures between two days, by the grain of the period in view."""
    question = Question(measures, grain=view.filters.period.grain, start=start, end=end, where=view.filters.where)
    return {(answer.measure, answer.period): answer for answer in queries.answers(view.generation, question)}


def load_trend(view: MeasureView, measures: tuple[str, ...]) -> Trend:
    """Return the trend of measures in view."""
    filters = view.filters
    return Trend(
        view,
        by_period(view, measures, filters.start, filters.end),
        {name: by_period(view, measures, *days) for name, days in filters.comparisons.items()},
    )


def points(trend: Trend, name: str) -> list[Point]:
    """Return the points of a measure, one per period in view, empty periods included.

    Each has the value of the matching earlier period: the first next to the first, if both are equally long.
    """
    measure, target, filters = MEASURES[name], trend.view.target(name), trend.view.filters
    period, grain = filters.period, filters.period.grain
    earlier = {compared: periods(*filters.comparisons[compared], grain) for compared in trend.earlier}
    found = []
    for place, day in enumerate(periods(period.start, period.elapsed, grain)):
        answer = trend.series.get((name, day))
        then = {
            compared: _earlier_value(trend, compared, name, day, days[place] if place < len(days) else None)
            for compared, days in earlier.items()
        }
        value = None if answer is None or answer.value is None else float(answer.value)
        partial = period.partial(day, grain) or (answer is not None and answer.provisional is not None)
        coverage = answer.coverage if answer else None
        found.append(
            Point(
                begins=day,
                value=value,
                status=Status.NO_TARGET if partial else status(value, target, measure.direction, coverage=coverage),
                partial=partial,
                before=then.get(BEFORE),
                year=then.get(LAST_YEAR),
                judged=None if answer is None or answer.denominator is None else float(answer.denominator),
                bounds=range_of(answer) if answer is not None else None,
                url="" if value is None else _rows_url(trend, name, day),
            )
        )
    return signals.with_limits(found, measure.unit)


def _rows_url(trend: Trend, name: str, begins: date) -> str:
    """Return the address of the rows behind one period of a trend."""
    period = trend.view.filters.period
    last = next_start(begins, period.grain) - timedelta(days=1)
    return links.drill_down_url(name, period=(max(begins, period.start), min(last, period.end)))


def _earlier_value(trend: Trend, compared: str, name: str, day: date, other: date | None) -> float | None:
    """Return the value of the matching earlier period; None if it has another length."""
    filters = trend.view.filters
    within = (filters.period.start, filters.period.elapsed)
    if other is None or not same_weekdays(filters.period.grain, day, within, other, filters.comparisons[compared]):
        return None
    answer = trend.earlier[compared].get((name, other))
    return None if answer is None or answer.value is None else float(answer.value)


def chart(trend: Trend, name: str, *, is_dark: bool) -> tuple[charts.Spec, str]:
    """Return the chart of a measure as a Vega-Lite specification, and its alternative text."""
    shown, measure, target = points(trend, name), MEASURES[name], trend.view.target(name)
    grain = trend.view.filters.period.grain
    return (
        charts.trend(
            shown,
            measure,
            target=target,
            grain=grain,
            is_dark=is_dark,
            flags=notes.flags(name, trend.view.filters),
        ),
        charts.describe(shown, measure, target),
    )


def chart_note(trend: Trend, name: str) -> str:
    """Return the meaning of the signs in the chart of a measure."""
    shown = points(trend, name)
    notes = [f"By {trend.view.filters.period.grain}."]
    if any(point.before is not None for point in shown):
        notes.append("Dotted line: the period before.")
    if any(point.year is not None for point in shown):
        notes.append("Long-dashed line: last year.")
    if any(point.partial and point.value is not None for point in shown):
        notes.append("Hollow points: incomplete or provisional periods.")
    if any(point.bounds for point in shown):
        notes.append("Vertical bars: ranges, because too much evidence is missing for one number.")
    if any(point.limits for point in shown):
        notes.append(f"Grey band: the limits within which a {trend.view.filters.period.grain} varies by chance.")
        if any(point.signal for point in shown):
            notes.append(f"Rings: values outside the limits, or {RUN} in a row on one side of the average.")
    if any(point.status is Status.INCONCLUSIVE and point.value is not None for point in shown):
        notes.append("Round blue points: inconclusive against the target.")
    if any(point.url for point in shown):
        notes.append("Select a point to see its rows.")
    return " ".join(notes)


def with_trend(names: Sequence[str], answers: Mapping[str, Answer]) -> tuple[str, ...]:
    """Return the measures that have a trend to show: a value, or a range that replaces it."""
    return tuple(
        name
        for name in names
        if (answer := answers.get(name)) is not None and (answer.value is not None or range_of(answer))
    )


def trend_section(
    trend: Trend,
    offered: tuple[str, ...],
    names: dict[str, str],
    *,
    key: str = "trend",
    beside: Callable[[str], None] | None = None,
) -> None:
    """Draw the trend of the chosen measure; the address keeps the choice under `key`.

    beside: draws buttons next to the chart downloads.
    """
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header("Over time", anchor=False, width="content")
        measure = (
            page.select("Measure of the trend", list(offered), names, key=key, hidden=True)
            if len(offered) > 1
            else offered[0]
        )
    spec, alternative = chart(trend, measure, is_dark=theme.is_dark())
    charts.draw(spec, key="trend", alternative=alternative)
    st.caption(chart_note(trend, measure))
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if explains := links.explain_link(measure):
            theme.show_html(explains, width="content")
        menu.link("definitions", "Change its target", query={"target": measure})
        chart_download.buttons(spec, measure, title=f"{names[measure]} over time")
        notes.popover(measure, trend.view.filters)
        if beside is not None:
            beside(measure)
