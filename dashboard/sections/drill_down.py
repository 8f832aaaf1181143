"""Sections of the drill-down: a number with its definition and proof, its breakdown, and the rows behind it."""

import csv
import io
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.reasons import in_plain_words
from dashboard.components.tables import Cell
from dashboard.exports import write
from dashboard.frame import access, links, menu, page, quality_marks
from dashboard.frame.filters import Filters
from dashboard.frame.links import At, Days
from dashboard.measure_page.cells import link_cell, part_name, value_cell
from dashboard.measure_page.view import page_of
from dashboard.sections.drill_down_cells import column_title, row_cell
from metrics.lists.drill_down import ADDED, DrillDown, all_rows, drill_down
from metrics.lists.drill_down_parts import drillable_parts, first_part, is_test
from metrics.measures.catalog import MEASURES, find, has_dimension
from metrics.model.dimensions import DIMENSIONS, OWN_DIMENSIONS
from metrics.model.measure import Measure, Percentile, Spread, Unit
from metrics.model.question import Answer, Question
from metrics.model.statistics import Number

SIZE = 25
FILE_ROWS = 500_000
"""Most rows of a file; the page then asks for filters."""
VALUES_SHOWN, VALUES_IN_FILE = 10, 500
FIRST = "otif"  # the measure if the address names none

WORDS = {
    "counted": "counted",
    "out_of": "in the denominator",
    "rest": "in the denominator but not counted",
    "unknown": "with too little evidence",
}
PASS_WORDS = WORDS | {"counted": "passed", "rest": "failed"}
NOUNS = {
    "line": "order line",
    "group": "delivery group",
    "movement": "movement of money",
    "return": "return line",
    "option": "quote option",
    "step": "step of an order",
}
MANY = {"movement": "movements of money", "step": "steps of orders"}


@dataclass(frozen=True)
class DrillDownRequest:
    """The number in the address: a measure, a part of it, dimension values, and days that replace the filter bar's."""

    measure: Measure
    part: str
    at: At
    days: Days | None
    start: date
    end: date
    where: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def question(self) -> Question:
        """The question of the whole number, without dimension values."""
        return Question((self.measure.name,), start=self.start, end=self.end, where=self.where)

    def href(self, **more: Any) -> str:
        """Return the address of another part or value of the same number."""
        measure = more.pop("measure", self.measure.name)
        return links.drill_down_url(measure, **{"part": self.part, "at": self.at, "period": self.days, **more})


def requested(filters: Filters) -> DrillDownRequest:
    """Return the request of the address. Raises UnknownName if the measure does not exist."""
    measure = find(st.query_params.get("measure", FIRST))
    able = drillable_parts(measure)
    part = st.query_params.get("part", first_part(measure))
    days = links.parse_days(st.query_params.get("days"))
    start, end = days or (filters.start, filters.end)
    at = links.parse_at(st.query_params.get_all("at"))
    return DrillDownRequest(measure, part if part in able or not able else able[0], at, days, start, end, filters.where)


def rows(one: DrillDownRequest) -> DrillDown:
    """Return the current page of the rows, with the total that proves the number."""
    number = int(st.session_state.get(_key(one), 1))
    return queries.cached(drill_down, page.generation(), one.question, one.part, at=one.at, page=number, size=SIZE)


def _key(one: DrillDownRequest) -> str:
    return f"page_of_{one.measure.name}_{one.part}_{one.at}_{one.start}_{one.end}"


def trail(one: DrillDownRequest) -> str:
    """Return the path from the page of the number to here, each step as a link."""
    entry = page_of(one.measure.name) or menu.entry_of_file("scorecard")
    steps = [(entry.title, links.page_url(entry.path, {})), (one.measure.title, one.href(at=(), period=None))]
    if one.days:
        steps.append((formatting.date_range(*one.days), one.href(at=())))
    steps += [(_told(*place), one.href(at=one.at[: at + 1])) for at, place in enumerate(one.at)]
    further_links = [
        f'<li><a href="{formatting.html(address)}" target="_self">{formatting.html(name)}</a></li>'
        for name, address in steps[:-1]
    ]
    return (
        f'<nav class="bv bv-trail" aria-label="Path"><ol>{"".join(further_links)}<li '
        f'aria-current="page">{formatting.html(steps[-1][0])}</li></ol></nav>'
    )


def label(one: DrillDownRequest, filters: Filters) -> str:
    """Return the filters and the dimension values of the number in words."""
    places = [_told(*place) for place in one.at]
    return " · ".join(([filters.label] if filters.where or not places else []) + places)


def _told(name: str, value: str | None) -> str:
    return f"{formatting.in_words(name)} {value or '(none)'}"


def number(found: DrillDown, one: DrillDownRequest) -> str:
    """Return the number as markup: value, definition, parts as links, and further links."""
    answer, measure = found.answer, one.measure
    shown = cards.value(answer, measure)
    why = (
        f'<span class="bv-muted">{formatting.html(cards.why_missing(answer))}</span>'
        if shown == formatting.DASH
        else ""
    )
    quality = quality_marks.tooltip(measure.name)
    notes = "".join(
        f'<p class="bv-muted">{note}</p>'
        for note in (
            cards.coverage(answer),
            cards.provisional_text(answer, measure),
            formatting.html(in_plain_words(answer.remark)) if answer.remark else "",
            formatting.html(quality) if quality else "",
        )
        if note
    )
    tabs = "".join(
        f'<li><a href="{formatting.html(one.href(part=part))}" '
        f'target="_self"{" aria-current=true" if part == one.part else ""}>'
        f"{part_name(part, measure)} <b>{_size(answer, part, measure)}</b></a></li>"
        for part in _several(measure)
    )
    if tabs:
        tabs = f'<ul class="bv-parts" aria-label="Parts of the number">{tabs}</ul>'
    further = [("Definition", links.page_url("definitions", {"q": measure.name}))]
    if links.can_explain(measure.name):
        further.insert(0, ("Explain this change", links.explain_url(measure.name)))
    further_links = " · ".join(
        f'<a href="{formatting.html(address)}" target="_self">{name}</a>' for name, address in further
    )
    return (
        '<div class="bv bv-behind"><div class="bv-value"><span '
        f'data-measure="{measure.name}">{shown}</span>{quality_marks.mark_link(measure.name)}</div>{why}'
        f"<p>{formatting.html(measure.definition)}</p>{notes}"
        f"{tabs}<p>{further_links}</p></div>"
    )


def _several(measure: Measure) -> tuple[str, ...]:
    """Return the parts of a measure; empty if it has only one."""
    found = drillable_parts(measure)
    return found if len(found) > 1 else ()


def _size(answer: Answer, part: str, measure: Measure) -> str:
    """Return the size of a part; empty if the answer does not contain it."""
    is_complete = answer.numerator is not None and answer.denominator is not None
    sizes: dict[str, Number | None] = {
        "counted": answer.numerator,
        "out_of": answer.denominator,
        "unknown": answer.unknown,
        "rest": float(answer.denominator or 0) - float(answer.numerator or 0) if is_complete else None,
    }
    size = sizes[part]
    return "" if size is None else formatting.number(size, Unit.MONEY if measure.in_money else Unit.COUNT)


def proof_line(found: DrillDown, one: DrillDownRequest) -> str:
    """Return the sentence that compares the rows with the number."""
    formula, measure = one.measure.formula, one.measure
    listed = formatting.count(found.total, _noun(measure), MANY.get(measure.grain))
    if found.number is None:
        return f'<p class="bv">{listed}</p>'
    number = _exact(found.number, measure, found)
    words = (PASS_WORDS if is_test(measure) else WORDS)[one.part]
    if isinstance(formula, Percentile) and one.part == "counted":
        proof = f"{listed} at or below the percentile. The largest is <b>{number}</b>, matches the figure"
    elif isinstance(formula, Spread) and one.part == "counted":
        proof = f"recomputed from these {listed}: <b>{number}</b>, matches the figure"
    elif ADDED in found.columns:
        proof = f"{listed} {words} add up to <b>{number}</b>, matches the figure"
    else:
        proof = f"<b>{listed}</b> {words}, matches the figure {number}"
    sign = "✓" if found.proven else "✗ Does not match the number:"
    return (
        f'<p class="bv bv-proof" data-proven="{str(found.proven).lower()}"><i aria-hidden="true">{sign}</i> {proof}</p>'
    )


def _noun(measure: Measure) -> str:
    return NOUNS.get(measure.grain, measure.grain)


def _exact(value: Any, measure: Measure, found: DrillDown) -> str:
    if measure.in_money and ADDED in found.columns:
        return formatting.money(value)
    return formatting.number(value, Unit.RATIO) if isinstance(value, float) else formatting.quantity(value)


def listing(found: DrillDown, one: DrillDownRequest) -> None:
    """Draw a page of the rows, with links to the orders, and the download of all rows."""
    if not found.rows:
        theme.show_html(cards.empty("No rows", "This part of the number has no rows. Choose another part above."))
        return
    shown = [name for name in found.columns if any(row[name] is not None for row in found.rows)]
    numeric = [
        at
        for at, name in enumerate(shown)
        if isinstance(next(row[name] for row in found.rows if row[name] is not None), int | float | Decimal)
    ]
    numeric = [
        at
        for at in numeric
        if not isinstance(next(row[shown[at]] for row in found.rows if row[shown[at]] is not None), bool)
    ]
    body = [[row_cell(name, row, one.measure) for name in shown] for row in found.rows]
    theme.show_html(
        tables.table(
            [column_title(name, one.measure) for name in shown],
            body,
            caption="Rows behind the number",
            numeric=numeric,
            is_page=found.total > len(found.rows),
        )
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        with st.container(width="content"):
            page.pager(found.total, SIZE, key=_key(one))
        _download(found, one)


def _download(found: DrillDown, one: DrillDownRequest) -> None:
    generation = page.generation()
    too_many = found.total > FILE_ROWS
    st.download_button(
        f"More than {formatting.integer(FILE_ROWS)} rows: add filters to download"
        if too_many
        else f"Download all {formatting.integer(found.total)} as CSV",
        data=access.at_download(lambda: file_of(generation, one)),
        file_name=f"buyerview_{one.measure.name}_{one.part}_{one.start}_{one.end}.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
        key="download_list",
        disabled=too_many,
    )


def file_of(generation: int, one: DrillDownRequest) -> bytes:
    """Return all rows as CSV: ISO dates, all digits, and spreadsheet formulas escaped."""
    text = io.StringIO(newline="")
    csv.writer(text).writerows(
        [write.escape_formula(cell) if isinstance(cell, str) else cell for cell in row]
        for row in queries.read(all_rows, generation, one.question, one.part, at=one.at)
    )
    return text.getvalue().encode()


def breakdowns(one: DrillDownRequest) -> list[str]:
    """Return the dimensions that can still break the number down."""
    taken = {name for name, _ in one.at} | {name for name, values in one.where if len(values) == 1}
    return [name for name in (*DIMENSIONS, *OWN_DIMENSIONS) if name not in taken and has_dimension(one.measure, name)]


def break_down(one: DrillDownRequest, able: list[str]) -> None:
    """Draw the number by one of the dimensions `able`; each value links to its own rows."""
    by = page.select("Breakdown by", able, {name: formatting.in_words(name) for name in able}, key="by", width=230)
    narrowed = replace(
        one.question, by=(by,), where=(*one.where, *[(name, (value,)) for name, value in one.at if value is not None])
    )
    answers = [
        answer
        for answer in queries.answers(page.generation(), narrowed)
        if answer.value is not None or answer.denominator or answer.numerator or answer.unknown
    ]
    if not answers:
        st.caption("No data to break down in this period and selection.")
        return
    answers.sort(
        key=lambda answer: (
            -float(answer.denominator or answer.numerator or answer.value or 0),
            str(answer.dimensions[by]),
        )
    )
    body: list[list[Cell]] = []
    for answer in answers[:VALUES_IN_FILE]:
        value = answer.dimensions[by]
        link = one.href(by=by, value=value)
        sizes = [
            link_cell(_size(answer, part, one.measure), one.href(by=by, value=value, part=part))
            for part in _several(one.measure)
        ]
        body.append([link_cell(value or "(none)", link), value_cell(answer, one.measure), *sizes])
    heads = [
        formatting.in_words(by),
        one.measure.short or one.measure.title,
        *[part_name(part, one.measure) for part in _several(one.measure)],
    ]
    used = [at for at in range(len(heads)) if at < 2 or any(row[at].text for row in body)]
    theme.show_html(
        tables.table(
            [heads[at] for at in used],
            [[row[at] for at in used] for row in body],
            caption=f"By {by}",
            numeric=range(1, len(used)),
            shown=VALUES_SHOWN,
            is_page=len(answers) > VALUES_IN_FILE,
        )
    )
    if len(answers) > VALUES_SHOWN:
        st.caption(f"The {VALUES_SHOWN} largest of {formatting.integer(len(answers))}. The CSV has more of them.")


def inputs(found: DrillDown, one: DrillDownRequest) -> str:
    """Return the inputs of a number without rows of its own, each with its value and a link to its rows."""
    question = replace(one.question, measures=found.made_of)
    body: list[list[Cell | str]] = []
    for answer in queries.answers(page.generation(), question):
        measure = MEASURES[answer.measure]
        link = one.href(measure=measure.name, part="counted")
        name = f'<a href="{formatting.html(link)}" target="_self">{formatting.html(measure.title)}</a>'
        body.append([Cell(markup=name), value_cell(answer, measure), Cell(measure.definition)])
    return tables.table(("Input", "In view", "Definition"), body, caption="Inputs of this number", numeric=(1,))
