"""What a page of measures shows first: the sentence that answers its question, and a few tiles. The numbers are those
of its table.
"""

from dataclasses import replace

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, theme
from dashboard.components.cards import Tile
from dashboard.frame import links, page, quality_marks
from dashboard.frame.filters import Filters
from dashboard.frame.period import BEFORE, LAST_YEAR, periods
from dashboard.measure_page import measure_table
from dashboard.measure_page.measure_table import Answers
from metrics.lists.failed_orders import nearest_day
from metrics.measures.catalog import MEASURES
from metrics.model.measure import SNAPSHOT
from metrics.model.question import NO_ROWS, Answer, Question


def answers_in_view(name: str, filters: Filters) -> Answers:
    """The answers of a page's measures in view: the very question its table asks, so that it is asked once."""
    return {one.measure: one for one in measure_table.answers_for(measure_table.measures_of(name), filters)}


def question_in_view(filters: Filters) -> Question:
    """The days and filters in view, for what is read beside the measures."""
    return Question((), start=filters.start, end=filters.end, where=filters.where)


def answers_by(name: str, filters: Filters, dimension: str) -> dict[str, Answers]:
    """The same by a dimension's values, of the measures that have it."""
    found: dict[str, Answers] = {}
    for one in measure_table.answers_for(
        [measure for measure in measure_table.measures_of(name) if measure_table.has_dimension(measure, dimension)],
        filters,
        dimension,
    ):
        found.setdefault(one.dimensions[dimension] or "", {})[one.measure] = one
    return found


def number(answers: Answers, measure: str, *, part: str = "counted", at: tuple[str, str] | None = None) -> str:
    """A measure's value, or its denominator (`out_of`), as a link to what is behind it; a dash where there is none.
    `at`: dimension and value.
    """
    answer = answers.get(measure)
    shown = (
        formatting.DASH
        if answer is None
        else cards.value(answer, MEASURES[measure])
        if part == "counted"
        else formatting.number(answer.denominator)
    )
    if shown == formatting.DASH:
        return shown
    href = (
        links.drill_down_url(measure, part=part, by=at[0], value=at[1])
        if at
        else links.drill_down_url(measure, part=part)
    )
    return f'<a href="{formatting.html(href)}" target="_self"><strong>{shown}</strong></a>'


def worst(name: str, measure: str, filters: Filters) -> str:
    """The segment that is furthest off in a measure; "" where none is (cards.furthest)."""
    whole = answers_in_view(name, filters).get(measure)
    targets = page.targets(filters)
    segments = {
        segment: answers for segment, answers in answers_by(name, filters, "segment").items() if measure in answers
    }
    known = [
        (one, answers[measure], quality_marks.target_in_view(targets, measure, (("segment", (one,)),)))
        for one, answers in segments.items()
    ]
    found = cards.worst_segment(MEASURES[measure], whole, known) if whole is not None else None
    if found is None:
        return ""
    segment, _ = found
    return (
        f"Furthest off: segment <strong>{formatting.html(segment)}</strong> at "
        f"{number(segments[segment], measure, at=('segment', segment))}."
    )


def headline_card(main: str, answers: Answers, filters: Filters, *sentences: str) -> None:
    """Draw the sentences that answer a page's question, the main measure's state against its target before them."""
    target = quality_marks.target_in_view(page.targets(filters), main, filters.where)
    state = cards.state(cards.status_of(answers[main], MEASURES[main], target))
    theme.show_html(
        f'<div class="bv bv-headline">{state}<span>{" ".join(one for one in sentences if one)}</span></div>'
    )


def tiles(filters: Filters, shown: tuple[str, ...], answers: Answers) -> None:
    """Draw a few measures as tiles, with what they were before and their course."""
    generation, period = page.generation(), filters.period
    series = replace(question_in_view(filters), measures=shown, grain=period.grain)
    course = {(one.measure, one.period): one for one in queries.answers(generation, series)}
    whole = [
        day for day in periods(period.start, period.elapsed, period.grain) if not period.partial(day, period.grain)
    ]
    then: dict[str, Answers] = {}
    for compared, (start, end) in filters.comparisons.items():
        then[compared] = {
            one.measure: one
            for one in queries.answers(generation, Question(shown, start=start, end=end, where=filters.where))
        }
    targets, small = (
        page.targets(filters),
        quality_marks.mostly_withheld(shown),
    )
    drawn = [
        Tile(
            MEASURES[name],
            answers.get(name),
            None if MEASURES[name].date == SNAPSHOT else then.get(BEFORE, {}).get(name),
            quality_marks.target_in_view(targets, name, filters.where),
            [] if MEASURES[name].date == SNAPSHOT else [_value(course.get((name, day))) for day in whole],
            main=not at,
            year=None if MEASURES[name].date == SNAPSHOT else then.get(LAST_YEAR, {}).get(name),
            behind=links.drill_down_url(name),
            explained=links.explain_url(name),
            mark=quality_marks.mark_link(name, small=small),
        )
        for at, name in enumerate(shown)
    ]
    theme.show_html(quality_marks.withheld_note(shown) + cards.tiles(drawn, is_dark=theme.is_dark()))


def _value(answer: Answer | None) -> float | None:
    return None if answer is None or answer.value is None else float(answer.value)


def missing_feeds(*feeds: str) -> bool:
    """Whether none of these feeds is there; says so then."""
    if page.data_status().feeds & set(feeds):
        return False
    named = " or ".join(f"<code>{feed}</code>" for feed in feeds)
    theme.show_html(cards.empty("No records of this yet", f"Add the feed {named} to see this."))
    return True


def nothing_to_show(answers: Answers, main: str, filters: Filters, what: str) -> bool:
    """Whether the page's main measure has nothing to show; says so then, and names the feed to add or the nearest days
    that have something.

    what: what there is none of, in the plural: "late orders".
    """
    answer = answers[main]
    if answer.value is not None or answer.judged or answer.denominator:
        return False
    with theme.card("lacking"):
        why = answer.no_data or NO_ROWS
        if why != NO_ROWS:
            feed = why.removeprefix("no feed: ").removeprefix("no data: ")
            add = (
                f"Add the feed <code>{formatting.html(feed)}</code> to see this page."
                if why.startswith("no feed: ")
                else formatting.html(why)
            )
            theme.show_html(cards.empty(f"No {what} recorded", f"{add} What the other feeds tell stands below."))
            return True
        near = queries.cached(nearest_day, page.generation(), filters.period.elapsed, measure=main, where=filters.where)
        hint = (
            "There are none at all with these filters."
            if near is None
            else f"The nearest day that has some is {formatting.day(near)}."
        )
        theme.show_html(
            cards.empty(
                f"No {what} in this period", f"None {formatting.date_range(filters.start, filters.end)}. {hint}"
            )
        )
        if near is not None:
            with st.container(horizontal=True, horizontal_alignment="center"):
                st.button("Show the days around it", on_click=page.draw_frame, args=(near,), key="around")
    return True
