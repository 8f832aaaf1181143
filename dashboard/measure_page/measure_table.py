"""Tables of a measure page: its measures by customer segment, and the breakdown of any measure by a dimension."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from dashboard.components import cards, formatting, tables, theme
from dashboard.components.formatting import Shown
from dashboard.components.reasons import in_plain_words
from dashboard.components.tables import Cell
from dashboard.frame import links, page, quality_marks
from dashboard.measure_page.cells import denominator_cell, link_cell, linked, part_name, value_cell
from dashboard.measure_page.headline import as_sentence
from dashboard.measure_page.view import Answers, MeasureView, answers_by
from metrics.measures.catalog import MEASURES, default_dimension, has_dimension
from metrics.model.dimensions import DIMENSIONS, OWN_DIMENSIONS
from metrics.model.measure import Measure, Unit
from metrics.model.question import Answer

SEGMENTS_SHOWN = 6
"""Most segments that fit next to each other; the breakdown lists more."""
VALUES_SHOWN, VALUES_IN_FILE = 30, 500
"""Most values of a breakdown on the screen, and in its CSV."""
CODED = tuple(name for name in OWN_DIMENSIONS if name not in ("policy", "step", "package_row"))
"""Dimensions whose values are codes of Buyerview, not names from the data."""


def measure_table(view: MeasureView) -> None:
    """Draw the table of a page's measures and the breakdown of one of them."""
    measures = [MEASURES[name] for name in view.measures]
    with theme.card("measures"):
        if note := quality_marks.withheld_note(view.measures):
            theme.show_html(note)
        _all_measures(view, measures)
    with theme.card("breakdown"):
        _breakdown(view, measures)


def _all_measures(view: MeasureView, measures: Sequence[Measure]) -> None:
    """Draw the table of all measures, folded."""
    with st.expander("All measures"):
        theme.show_html(_by_segment(view, measures))
        st.caption(
            "Each measure uses its own date: the day the order was due, ordered or received, the day of the document, "
            "or the day of the event. Hover a dash to see why, or a measure for its definition and its name in files. "
            "A range replaces a number if too much evidence is missing."
        )


def segment_table(view: MeasureView) -> str:
    """Return the tiles' measures by customer segment, each against the segment's target, and all in view last."""
    rows: list[list[Cell | str]] = [
        [Cell(segment), *_segment_row(view, answers, segment)] for segment, answers in sorted(view.segments.items())
    ]
    if len(rows) > 1:
        rows.append([Cell("All in view"), *_segment_row(view, view.answers)])
    return tables.table(
        ("Segment", "Orders judged", *[short_title(name) for name in view.tiles]),
        rows,
        caption="Service by customer segment, each against its target",
        numeric=(1,),
        total=len(rows) > 1,
    )


def short_title(name: str) -> str:
    """Return the title of a measure where space is short."""
    return Shown(MEASURES[name].short or MEASURES[name].title, name)


def _segment_row(view: MeasureView, answers: Answers, segment: str | None = None) -> list[Cell | str]:
    """Return the measures of a segment, or of all in view, each with a link to the rows behind it."""
    by = "segment" if segment is not None else None
    judged = answers.get("judged_orders")
    url = links.drill_down_url("judged_orders", by=by, value=segment)
    count = link_cell(formatting.integer(int(judged.value or 0)), url) if judged else Cell()
    return [count, *[_linked_value(view, answers.get(name), name, segment) for name in view.tiles]]


def _linked_value(view: MeasureView, answer: Answer | None, name: str, segment: str | None = None) -> Cell:
    target = view.target(name, segment)
    cell = value_cell(answer, MEASURES[name], target)
    by = "segment" if segment is not None else None
    if answer is None:
        return cell
    small = f"target {formatting.number(target.value, MEASURES[name].unit)}" if target else ""
    return replace(linked(cell, links.drill_down_url(name, by=by, value=segment)), small=small or cell.small)


def _by_segment(view: MeasureView, measures: Sequence[Measure]) -> str:
    """Return the measures in view and by customer segment; segments are left out if too many."""
    segments = sorted(view.segments) if 1 < len(view.segments) <= SEGMENTS_SHOWN else []
    small = quality_marks.mostly_withheld(view.measures)
    rows = [
        [
            Cell(Shown(measure.title, measure.name), markup=_title(measure)),
            _value_in_view(view, measure, small=small),
            denominator_cell(view.answers.get(measure.name), links.drill_down_url(measure.name, part="out_of")),
            *(
                _linked_value(view, view.segments[segment].get(measure.name), measure.name, segment)
                for segment in segments
            ),
        ]
        for measure in measures
    ]
    heads = ("Measure", "In view", "Out of", *[f"Segment {name}" if len(name) < 3 else name for name in segments])
    return tables.table(heads, rows, caption="Measures, in view and by customer segment", numeric=range(1, len(heads)))


def _title(measure: Measure) -> str:
    """Return the title as markup, with the definition and the name in files as a tooltip."""
    tooltip = formatting.html(f"{measure.definition} Name in files: {measure.name}")
    return f'<span title="{tooltip}">{formatting.html(measure.title)}</span>'


def _value_in_view(view: MeasureView, measure: Measure, *, small: bool) -> Cell:
    """Return the value in view with its link and quality mark. `small`: the mark without its word."""
    cell = value_cell(view.answers.get(measure.name), measure, view.target(measure.name))
    url = formatting.html(links.drill_down_url(measure.name))
    link = f'<a href="{url}" target="_self" data-measure="{measure.name}">{cell.markup}</a>'
    if note := quality_marks.tooltip(measure.name):
        link = f'<span title="{formatting.html(note)}">{link}</span>'
    return replace(cell, markup=link + quality_marks.mark_link(measure.name, small=small))


def dimensions_of(measure: Measure) -> list[str]:
    """Return the dimensions of a measure, its default dimension first."""
    names = [name for name in (*OWN_DIMENSIONS, *DIMENSIONS) if has_dimension(measure, name)]
    return sorted(names, key=lambda name: name != default_dimension(measure))


def _dimension_value(by: str, value: str | None) -> str:
    """Return a dimension's value for display: codes in words, names from the data unchanged."""
    if not value or value.startswith("("):
        return value or "(none)"
    if by == "step":
        return formatting.step(value)
    return formatting.in_words(value) if by in CODED and value.islower() else value


def _breakdown(view: MeasureView, measures: Sequence[Measure]) -> None:
    """Draw a measure by a dimension; the address keeps both choices."""
    dimensions = {measure.name: dimensions_of(measure) for measure in measures}
    offered = [name for name, names in dimensions.items() if names]
    st.header("Breakdown", anchor=False)
    if not offered:
        st.caption("None of these measures can be broken down.")
        return
    titles = {measure.name: measure.title for measure in measures}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = page.select("Measure", offered, titles, key="measure", width=320)
        names = {dimension: formatting.in_words(dimension) for dimension in dimensions[name]}
        by = page.select("By", dimensions[name], names, key="by", width=220)
    measure = MEASURES[name]
    answers = [
        answer
        for answer in answers_by(view, (name,), by)
        if answer.value is not None or answer.judged or answer.denominator
    ]
    st.caption(formatting.markdown(measure.definition))
    if not answers:
        why = (view.answers[name].no_data or "nothing in this period and selection").removeprefix("no data: ")
        theme.show_html(cards.empty("No data", formatting.html(as_sentence(in_plain_words(why)))))
        return
    answers.sort(key=lambda answer: _place(answer, by))
    theme.show_html(_breakdown_table(view, measure, by, answers[:VALUES_IN_FILE]))
    if explains := links.explain_link(name):
        theme.show_html(explains)
    if len(answers) > VALUES_SHOWN:
        file = "The CSV" if len(answers) <= VALUES_IN_FILE else "Explore and export"
        st.caption(f"The {VALUES_SHOWN} largest of {formatting.integer(len(answers))}. {file} has all of them.")


def _place(answer: Answer, by: str) -> tuple[float, str]:
    """Return the place of a row: the steps in their order, other values by size."""
    value = str(answer.dimensions[by])
    size = float(answer.denominator or answer.value or 0)
    return (int(value) if by == "step" and value.isdecimal() else -size, value)


def _breakdown_table(view: MeasureView, measure: Measure, by: str, answers: Sequence[Answer]) -> str:
    """Return the table of a breakdown; columns without any value are left out."""
    rows = [_breakdown_row(view, measure, by, answer) for answer in answers]
    heads = (
        formatting.in_words(by),
        short_title(measure.name),
        part_name("counted", measure),
        "Out of",
        "95% interval",
    )
    used = [place for place in range(len(heads)) if place < 2 or any(row[place].text for row in rows)]
    return tables.table(
        [heads[place] for place in used],
        [[row[place] for place in used] for row in rows],
        caption=measure.title,
        numeric=range(1, len(used)),
        shown=VALUES_SHOWN,
        is_page=len(answers) == VALUES_IN_FILE,
    )


def _breakdown_row(view: MeasureView, measure: Measure, by: str, answer: Answer) -> list[Cell]:
    value = answer.dimensions[by]
    url = links.drill_down_url(measure.name, by=by, value=value)
    target = quality_marks.target_in_view(view.targets, measure.name, ((by, (str(value),)),))
    interval = (
        f"{formatting.percent(answer.low)} – {formatting.percent(answer.high)}"
        if answer.low is not None and answer.high is not None
        else ""
    )
    is_whole = answer.numerator is None or answer.denominator is None  # the numerator of a total is its value
    counted = "" if is_whole else formatting.number(answer.numerator, Unit.MONEY)
    return [
        link_cell(_dimension_value(by, value), url),
        value_cell(answer, measure, target),
        link_cell(counted, links.drill_down_url(measure.name, part="counted", by=by, value=value)),
        denominator_cell(answer, links.drill_down_url(measure.name, part="out_of", by=by, value=value)),
        Cell(interval),
    ]
