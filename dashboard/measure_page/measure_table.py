"""The measures of one question of the business on a plain page: each by customer segment, and any one of them by any
dimension it has.
"""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.tables import Cell
from dashboard.frame import links, page, quality_marks
from dashboard.frame.filters import Filters
from metrics.lists.rows import Row
from metrics.measures.catalog import BY_MODULE, default_dimension
from metrics.model.dimensions import DIMENSIONS, OWN_DIMENSIONS
from metrics.model.measure import Measure, Study, Unit
from metrics.model.question import Answer, Question
from metrics.targets.targets import Target

SEGMENTS_SHOWN = 6
"""More segments than this do not fit beside each other: the break-down below has them all."""
VALUES_SHOWN = 30
CODED = tuple(name for name in OWN_DIMENSIONS if name not in ("policy", "step", "package_row"))
"""Dimensions whose values are codes of ours, not names of the data."""

MEASURES_OF_PAGE = {
    "buyers_view": ("buyers_view", "alternative_standards"),
    "availability": ("availability",),
    "cycle_time": ("cycle_time", "promises", "safety_stock"),
    "order_to_cash": ("order_to_cash",),
    "stockouts": ("stockouts", "fill_rate"),
    "profitability": ("profitability", "zones", "danger_zone", "ordering_behaviour"),
    "packages": ("packages",),
    "communications": ("communications", "responsiveness"),
    "recovery": ("recovery", "post_sale_support"),
    "influence": ("influence",),
    "two_books": ("two_books",),
}
"""The measure modules of each page, by the page's file name."""

Answers = dict[str, Answer]


def measures_of(name: str) -> list[Measure]:
    """The measures of a page."""
    return [measure for module in MEASURES_OF_PAGE[name] for measure in BY_MODULE[module]]


def measure_table(name: str) -> None:
    """Draw a page's table of measures and the break-down of one of them."""
    measures = measures_of(name)
    filters = page.current_filters()
    page.subtitle(
        f"{formatting.date_range(filters.start, filters.end)} · {filters.label} · "
        f"{formatting.count(len(measures), 'measure')}"
    )
    with theme.card("measures"):
        theme.show_html(_by_segment(measures, filters))
        st.caption(
            "Each measure goes by its own date: the day the order was due, ordered or arrived, the document's day, or "
            "the day of the event. "
            "A dash says on hover why there is no number; ranges stand where too little is known for a point."
        )
    with theme.card("breakdown"):
        _break_down(measures, filters)


def answers_for(measures: Sequence[Measure], filters: Filters, *by: str) -> list[Answer]:
    """Answers of the measures in view."""
    question = Question(
        tuple(measure.name for measure in measures), by=by, start=filters.start, end=filters.end, where=filters.where
    )
    return queries.answers(page.generation(), question)


def _by_segment(measures: Sequence[Measure], filters: Filters) -> str:
    whole: Answers = {one.measure: one for one in answers_for(measures, filters)}
    parts: dict[str, Answers] = {}
    for one in answers_for([measure for measure in measures if has_dimension(measure, "segment")], filters, "segment"):
        parts.setdefault(one.dimensions["segment"] or "", {})[one.measure] = one
    segments = sorted(parts) if 1 < len(parts) <= SEGMENTS_SHOWN else []
    targets = page.targets(filters)
    names = [measure.name for measure in measures]
    small = quality_marks.mostly_withheld(names)
    rows = [
        [
            Cell(
                measure.title,
                markup=f'<span title="{formatting.html(measure.definition)}">{formatting.html(measure.title)}</span>',
                small=measure.name,
            ),
            _marked(
                measure,
                cell(
                    whole.get(measure.name), measure, quality_marks.target_in_view(targets, measure.name, filters.where)
                ),
                small=small,
            ),
            _out_of(whole.get(measure.name), links.drill_down_url(measure.name, part="out_of")),
            *(_of_segment(measure, name, parts[name].get(measure.name), targets) for name in segments),
        ]
        for measure in measures
    ]
    heads = ("Measure", "In view", "Out of", *[f"Segment {name}" if len(name) < 3 else name for name in segments])
    return quality_marks.withheld_note(names) + tables.table(
        heads, rows, caption="Measures, in view and by customer segment", numeric=range(1, len(heads))
    )


def cell(answer: Answer | None, measure: Measure, target: Target | None = None) -> Cell:
    """One answer: its value with its state, or a dash with the reason."""
    shown = formatting.DASH if answer is None else cards.value(answer, measure)
    if answer is None or shown == formatting.DASH:
        why = (answer.no_data if answer else None) or "no data"
        return Cell(
            markup=f'<span class="bv-muted" title="{formatting.html(why)}">{formatting.DASH}<span class="bv-said">, '
            f"{formatting.html(why)}</span></span>"
        )
    state = cards.state(cards.status_of(answer, measure, target), shown)
    return Cell(markup=f'<span title="{formatting.html(answer.remark)}">{state}</span>' if answer.remark else state)


def _marked(measure: Measure, one: Cell, *, small: bool) -> Cell:
    """The cell of a measure's value in view, which drills and tests look for. `small`: its mark."""
    link = (
        f'<a href="{formatting.html(links.drill_down_url(measure.name))}" target="_self" '
        f'data-measure="{measure.name}">{one.markup}</a>'
    )
    return Cell(markup=link + quality_marks.mark_link(measure.name, small=small))


def link_cell(text: str, href: str) -> Cell:
    """A cell of text that leads to what is behind it."""
    return Cell(
        text, markup=f'<a href="{formatting.html(href)}" target="_self">{formatting.html(text)}</a>' if text else ""
    )


def _of_segment(measure: Measure, segment: str, answer: Answer | None, targets: list[Row]) -> Cell:
    one = cell(answer, measure, quality_marks.target_in_view(targets, measure.name, (("segment", (segment,)),)))
    href = links.drill_down_url(measure.name, by="segment", value=segment)
    return markup_link_cell(one, href) if answer is not None else one


def markup_link_cell(one: Cell, href: str) -> Cell:
    """A cell of our markup that leads to what is behind it."""
    return Cell(markup=f'<a href="{formatting.html(href)}" target="_self">{one.markup}</a>')


def _out_of(answer: Answer | None, href: str) -> Cell:
    """What a number is out of, with the rows behind it, and how many more are not known."""
    if answer is None or answer.denominator is None or (answer.value is None and not answer.judged):
        return Cell()
    return replace(
        link_cell(formatting.number(answer.denominator), href),
        small=f"{formatting.number(answer.unknown)} not known" if answer.unknown else "",
    )


def has_dimension(measure: Measure, dimension: str) -> bool:
    """Whether a measure can be broken down by a dimension."""
    if isinstance(measure.formula, Study):
        return dimension in measure.formula.dimensions
    return (DIMENSIONS | OWN_DIMENSIONS)[dimension] in measure.facts.columns


def dimensions_of(measure: Measure) -> list[str]:
    """What a measure can be broken down by, what says most of it first."""
    able = [name for name in (*OWN_DIMENSIONS, *DIMENSIONS) if has_dimension(measure, name)]
    return sorted(able, key=lambda name: name != default_dimension(measure))


def _value(by: str, value: str | None) -> str:
    """A dimension's value as people say it: our own codes in words, what the data name as it is."""
    if not value or value.startswith("("):
        return value or "(none)"
    if by == "step":
        return formatting.step(value)
    return formatting.in_words(value) if by in CODED and value.islower() else value


def _break_down(measures: Sequence[Measure], filters: Filters) -> None:
    """One measure by one dimension, the choices kept in the address."""
    able = {measure.name: dimensions_of(measure) for measure in measures}
    offered = [name for name, dimensions in able.items() if dimensions]
    st.header("Broken down", anchor=False)
    if not offered:
        st.caption("None of these measures is made of parts.")
        return
    titles = {measure.name: measure.title for measure in measures}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        name = page.select("Measure", offered, titles, key="measure", width=320)
        dimensions = able[name]
        by = page.select("By", dimensions, {one: formatting.in_words(one) for one in dimensions}, key="by", width=220)
    measure = next(one for one in measures if one.name == name)
    answers = [
        one for one in answers_for([measure], filters, by) if one.value is not None or one.judged or one.denominator
    ]
    st.caption(formatting.markdown(measure.definition))
    if not answers:
        (whole,) = answers_for([measure], filters)
        why = (whole.no_data or "nothing in this period and selection").removeprefix("no data: ")
        theme.show_html(cards.empty("No data", formatting.html(f"{why[:1].upper()}{why[1:]}.")))
        return
    answers.sort(key=lambda one: (-float(one.denominator or one.value or 0), str(one.dimensions[by])))
    targets = page.targets(filters)
    rows = [
        [
            link_cell(_value(by, one.dimensions[by]), links.drill_down_url(name, by=by, value=one.dimensions[by])),
            cell(one, measure, quality_marks.target_in_view(targets, name, ((by, (str(one.dimensions[by]),)),))),
            link_cell(
                "" if one.numerator is None else formatting.number(one.numerator, Unit.MONEY),
                links.drill_down_url(name, by=by, value=one.dimensions[by]),
            ),
            _out_of(one, links.drill_down_url(name, part="out_of", by=by, value=one.dimensions[by])),
            Cell(
                f"{formatting.percent(one.low)} – {formatting.percent(one.high)}"
                if one.low is not None and one.high is not None
                else ""
            ),
        ]
        for one in answers[:VALUES_SHOWN]
    ]
    heads = (formatting.in_words(by), measure.short or measure.title, "Counted", "Out of", "95 % interval")
    used = [at for at in range(len(heads)) if at < 2 or any(row[at].text for row in rows)]
    theme.show_html(
        tables.table(
            [heads[at] for at in used],
            [[row[at] for at in used] for row in rows],
            caption=measure.title,
            numeric=range(1, len(used)),
        )
    )
    if explains := links.explain_link(name):
        theme.show_html(explains)
    if len(answers) > VALUES_SHOWN:
        st.caption(f"The {VALUES_SHOWN} largest of {formatting.integer(len(answers))}; the export has all of them.")
