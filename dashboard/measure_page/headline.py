"""Headline card of a page: a status and a few sentences, and the empty state that replaces them."""

from collections.abc import Sequence

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, sentences, theme
from dashboard.components.reasons import in_plain_words
from dashboard.components.sentences import Phrase, Sentence
from dashboard.components.status import Status
from dashboard.frame import links, page
from dashboard.frame.filters import Filters
from dashboard.measure_page.view import Answers, MeasureView
from metrics.lists.failed_orders import nearest_day
from metrics.measures.catalog import MEASURES
from metrics.model.question import NO_ROWS, Answer, Question


def number(answers: Answers, measure: str, *, part: str = "", at: tuple[str, str] | None = None) -> Phrase:
    """Return a measure's value, or its denominator (`out_of`), as a link to the rows behind it.

    A dash replaces a missing number. `at`: a dimension and its value.
    """
    answer = answers.get(measure)
    if answer is None:
        return Phrase(formatting.DASH)
    shown = formatting.number(answer.denominator) if part == "out_of" else cards.value(answer, MEASURES[measure])
    if shown == formatting.DASH:
        return Phrase(shown)
    by, value = at or (None, None)
    return Phrase(shown, is_strong=True, url=links.drill_down_url(measure, part=part, by=by, value=value))


def status_in_view(view: MeasureView, measure: str) -> Status:
    """Return the status of a measure against its target in view."""
    return cards.status_of(view.answers.get(measure), MEASURES[measure], view.target(measure))


def worst_segment(view: MeasureView, measure: str) -> Sentence:
    """Return a sentence about the segment with the largest gap to its target, or else with the worst value.

    It is empty if no segment is provably worse.
    """
    whole = view.answers.get(measure)
    if whole is None:
        return ()
    segments = [
        (segment, answers[measure], view.target(measure, segment))
        for segment, answers in view.segments.items()
        if measure in answers
    ]
    worst = cards.worst_segment(MEASURES[measure], whole, segments)
    if worst is None:
        return ()
    segment, _ = worst
    target = view.target(measure, segment)
    against = f" (target {formatting.number(target.value, MEASURES[measure].unit)})" if target else ""
    value = number(view.segments[segment], measure, at=("segment", segment))
    judged = [cards.status_of(answer, MEASURES[measure], aim) for _, answer, aim in segments if aim]
    judged = [status for status in judged if status is not Status.INCONCLUSIVE]
    lead = "Largest gap: segment "
    if len(judged) > 1 and all(status is Status.OFF for status in judged):
        lead = f"{Status.OFF.word.capitalize()} in every segment. {lead}"
    return lead, Phrase(segment, is_strong=True), ", ", value, f"{against}."


def headline_card(status: Status, shown: Sequence[Sentence]) -> str:
    """Return the headline as markup: the status first, then the sentences."""
    return f'<div class="bv bv-headline">{cards.state(status)}<span>{sentences.as_markup(shown)}</span></div>'


def headline(view: MeasureView, *shown: Sentence, measure: str = "") -> None:
    """Draw the sentences that answer the page's question, with the status of `measure` (its main measure)."""
    theme.show_html(headline_card(status_in_view(view, measure or view.main), shown))


def as_sentence(text: str) -> str:
    """Return a text with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}."


def scorecard_measure(generation: int, filters: Filters) -> str:
    """Return the measure of the scorecard's headline, without the scorecard's other answers."""
    question = Question(("perfect_order",), start=filters.start, end=filters.end, where=filters.where)
    (perfect,) = queries.answers(generation, question)
    return main_or_otif(perfect)


def main_or_otif(perfect: Answer | None) -> str:
    """Return perfect orders, or on time in full if evidence for the other tests is missing."""
    return "otif" if perfect is None or perfect.value is None else "perfect_order"


def missing_feeds(*feeds: str) -> bool:
    """Return whether none of these feeds is mapped, and draw a note if so."""
    if page.data_status().feeds & set(feeds):
        return False
    names = " or ".join(f"“{formatting.in_words(feed).lower()}”" for feed in feeds)
    theme.show_html(cards.empty("No data for this section", f"Add the feed {names} to see it."))
    return True


def nothing_to_show(view: MeasureView, measure: str, noun: str) -> bool:
    """Return whether a measure has no rows in view, and draw what to do if so: add a feed or choose other days.

    noun: the missing rows in the plural, such as "late orders".
    """
    answer = view.answers[measure]
    if answer.value is not None or answer.judged or answer.denominator:
        return False
    with theme.card("lacking"):
        why = answer.no_data or NO_ROWS
        if why == NO_ROWS:
            _no_rows(view, measure, noun)
        else:
            feed, _, hint = why.removeprefix("no feed: ").partition(" (")
            either = f", {formatting.html(in_plain_words(hint.removesuffix(')')))}," if hint else ""
            action = (
                f"Add the feed “{formatting.html(in_plain_words(feed))}”{either} to see this page."
                if why.startswith("no feed: ")
                else formatting.html(as_sentence(in_plain_words(why.removeprefix("no data: "))))
            )
            theme.show_html(cards.empty(f"No {noun} recorded", f"{action} Numbers from other feeds are shown below."))
    return True


def _no_rows(view: MeasureView, measure: str, noun: str) -> None:
    """Draw that the days in view have no rows, and a button for the nearest days that have some."""
    filters = view.filters
    near = queries.cached(nearest_day, view.generation, filters.period.elapsed, measure=measure, where=filters.where)
    if near is not None and filters.start <= near <= filters.end:  # a day whose rows this measure cannot judge
        near = None
    hint = (
        f"No other day has any{' with these filters. Remove a filter' if filters.where else ''}."
        if near is None
        else f"The nearest day with data is {formatting.day(near)}."
    )
    days = formatting.date_range(filters.start, filters.end)
    theme.show_html(cards.empty(f"No {noun} in this period", f"The period is {days}. {hint}"))
    if near is not None:
        with st.container(horizontal=True, horizontal_alignment="center"):
            st.button("Show the days around it", on_click=page.draw_frame, args=(near,), key="around")
