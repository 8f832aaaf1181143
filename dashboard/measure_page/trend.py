"""A few measures over the periods in view, each with its target and what it is compared with, and the card that shows
one of them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import streamlit as st

from dashboard import queries
from dashboard.components import charts, theme
from dashboard.components.charts import Point
from dashboard.components.status import Status, status
from dashboard.frame import chart_download, links, menu, page, quality_marks
from dashboard.frame.period import BEFORE, COMPARISONS, LAST_YEAR, Period, periods, same_weekdays
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer, Question
from metrics.targets.in_view import targets_in_view
from metrics.targets.targets import Target, is_withheld

Where = tuple[tuple[str, tuple[str, ...]], ...]


def _course(answers: Sequence[Answer]) -> dict[tuple[str, date | None], Answer]:
    return {(answer.measure, answer.period): answer for answer in answers}


class Trend:
    """Measures by the period's grain, for one choice of filters, and the same of what they are compared with."""

    def __init__(
        self,
        measures: tuple[str, ...],
        generation: int,
        period: Period,
        where: Where,
        compare: Sequence[str] = COMPARISONS,
    ) -> None:
        self.period, self.where = period, where
        self.targets = queries.cached(targets_in_view, generation, start=period.start, end=period.elapsed, where=where)
        self.course = _course(
            queries.answers(
                generation, Question(measures, grain=period.grain, start=period.start, end=period.end, where=where)
            )
        )
        self.comparisons = {name: days for name in compare if (days := period.compared(name)) is not None}
        self.course_then: dict[str, dict[tuple[str, date | None], Answer]] = {}
        for name, (start, end) in self.comparisons.items():
            course = queries.answers(
                generation, Question(measures, grain=period.grain, start=start, end=end, where=where)
            )
            self.course_then[name] = _course(course)

    def target(self, measure: str) -> Target | None:
        """The target in view."""
        return quality_marks.target_in_view(self.targets, measure, self.where)

    def points(self, name: str) -> list[Point]:
        """The trend of one measure, an empty period too; what it is compared with beside it, first against first, where
        equally long.
        """
        measure, target, grain = MEASURES[name], self.target(name), self.period.grain
        days = periods(self.period.start, self.period.elapsed, grain)
        earlier = {one: periods(*between, grain) for one, between in self.comparisons.items()}
        found = []
        for at, day in enumerate(days):
            answer = self.course.get((name, day))
            then = {
                one: self._then(one, name, day, others[at] if at < len(others) else None)
                for one, others in earlier.items()
            }
            value = None if answer is None or answer.value is None else float(answer.value)
            partial = self.period.partial(day, grain)
            stands = (
                Status.NO_TARGET
                if partial
                else status(value, target, measure.direction, coverage=answer.coverage if answer else None)
            )
            found.append(
                Point(
                    begins=day,
                    value=value,
                    standing=stands,
                    partial=partial,
                    before=then.get(BEFORE),
                    year=then.get(LAST_YEAR),
                    of=None if answer is None or answer.denominator is None else float(answer.denominator),
                    between=is_withheld(answer) if answer is not None else None,
                )
            )
        return found

    def _then(self, compared: str, name: str, day: date, other: date | None) -> float | None:
        """A measure in the matching day, week ... of what is compared with; None where that is not as long: like goes
        with like only.
        """
        within = (self.period.start, self.period.elapsed)
        if other is None or not same_weekdays(self.period.grain, day, within, other, self.comparisons[compared]):
            return None
        answer = self.course_then[compared].get((name, other))
        return None if answer is None or answer.value is None else float(answer.value)

    def trend(self, name: str, *, is_dark: bool) -> tuple[dict[str, Any], str]:
        """The chart of one measure, and the same in a sentence."""
        points, measure, target = self.points(name), MEASURES[name], self.target(name)
        return charts.trend(points, measure, target=target, grain=self.period.grain, is_dark=is_dark), charts.describe(
            points, measure, target
        )

    def trend_note(self, name: str) -> str:
        """What the trend's signs mean, those that are in it."""
        points = self.points(name)
        notes = [f"By {self.period.grain}."]
        if any(point.before is not None for point in points):
            notes.append("The dotted line is the period before.")
        if any(point.year is not None for point in points):
            notes.append("The long-dashed line is last year.")
        if any(point.partial and point.value is not None for point in points):
            notes.append("Hollow points are periods that are not whole.")
        if any(point.between for point in points):
            notes.append("Upright bars are ranges: too little is known for one number.")
        if any(point.standing is Status.NOT_PROVEN and point.value is not None for point in points):
            notes.append("Round blue points: too little is known to say on or off target.")
        return " ".join(notes)


def with_trend(names: Sequence[str], answers: Mapping[str, Answer]) -> tuple[str, ...]:
    """Those of the measures that have a trend to show: a value, or a range in its place."""
    return tuple(
        name
        for name in names
        if (answer := answers.get(name)) is not None and (answer.value is not None or is_withheld(answer))
    )


def trend_section(
    course: Trend,
    offered: tuple[str, ...],
    names: dict[str, str],
    *,
    key: str = "trend",
    note: str = "",
    beside: Callable[[str], None] | None = None,
) -> None:
    """Draw the trend of one of the measures, the choice kept in the address under `key`.

    note: what else to know of the points. beside: draws what stands next to the pictures.
    """
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.header("Over time", anchor=False, width="content")
        measure = (
            page.select("Measure of the trend", offered, names, key=key, hidden=True)
            if len(offered) > 1
            else offered[0]
        )
    spec, told = course.trend(measure, is_dark=theme.is_dark())
    charts.draw(spec, key="trend", alternative=told)
    st.caption(f"{course.trend_note(measure)} {note}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if explains := links.explain_link(measure):
            theme.show_html(explains, width="content")
        menu.link("definitions", "Change its target", query={"target": measure})
        chart_download.buttons(spec, measure, title=f"{names[measure]} over time")
        if beside is not None:
            beside(measure)
