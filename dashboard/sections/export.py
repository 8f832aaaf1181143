"""Sections of the page "Explore and export": choices, download and command; two more files have charts and table."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Literal

import streamlit as st

from dashboard import queries
from dashboard.components import cards, charts, formatting, theme
from dashboard.exports import write
from dashboard.frame import access, chart_download, page
from dashboard.frame.filters import Filters
from dashboard.frame.period import periods
from dashboard.measure_page.view import page_of
from dashboard.sections import export_charts, export_table
from metrics.measures.catalog import BY_MODULE, MEASURES, accepted_dimensions
from metrics.model.dimensions import DIMENSIONS, GRAINS, OWN_DIMENSIONS
from metrics.model.question import Answer, Question
from metrics.provenance.provenance import provenance
from metrics.queries.answer_table import answer_table

DEFAULT_MEASURES = ("otif", "on_time", "complete")
WHOLE = "whole"
GRAIN_NAMES = {WHOLE: "Whole period", **{grain: f"By {grain}" for grain in GRAINS}}
SHOWN = {"both": "Chart and table", "table": "Table"}
LOOKED_AT_MOST = 30_000
"""Most answers shown on the page. More take seconds after every change, and nobody reads them."""
ROWS_HERE, SHEET_ROWS_HERE = 100_000, 20_000
"""Most rows of a file, and of an Excel file, that the server writes. 20,000 Excel rows block other users for 1.25 s."""
OWN_VALUES = 15
"""Assumed number of values of a dimension that only some fact tables have (step, outcome, cause)."""
QUESTIONS = {
    measure.name: entry.title if (entry := page_of(measure.name)) else formatting.in_words(module)
    for module, measures in BY_MODULE.items()
    for measure in measures
}
"""Business question of each measure: the list shows and searches it."""


@dataclass(frozen=True)
class Choice:
    """What to show and export."""

    question: Question
    shown: str


def choose(filters: Filters) -> Choice | None:
    """Draw the choices and return them; None if no measure is chosen."""
    measures = _many(
        "Measures",
        list(MEASURES),
        {name: f"{measure.title} · {QUESTIONS[name]}" for name, measure in MEASURES.items()},
        key="m",
        default=DEFAULT_MEASURES,
        placeholder="Search a measure or its topic",
    )
    able = [
        *DIMENSIONS,
        *(own for own in OWN_DIMENSIONS if all(own in accepted_dimensions(MEASURES[name]) for name in measures)),
    ]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = _many(
            "By",
            able,
            {name: formatting.in_words(name) for name in able},
            key="by",
            placeholder="No dimension",
            width=380,
        )
        first = filters.period.asked_grain or WHOLE
        offered = (first, *(one for one in GRAIN_NAMES if one != first))
        grain = page.select("Periods", offered, GRAIN_NAMES, key="per", width=170)
        shown = page.select("Show", tuple(SHOWN), SHOWN, key="show", width=170)
    if not measures:
        return None
    question = Question(
        measures=measures,
        by=by,
        grain=None if grain == WHOLE else grain,
        start=filters.start,
        end=filters.end,
        where=filters.where,
    )
    return Choice(question, shown)


def _many(
    label: str,
    options: Sequence[str],
    named: dict[str, str],
    *,
    key: str,
    placeholder: str,
    default: tuple[str, ...] = (),
    width: int | Literal["stretch"] = "stretch",
) -> tuple[str, ...]:
    """Draw a choice of several names. The address keeps the choice unless it is the default."""
    asked = [name for name in st.query_params.get_all(key) if name in options]
    widget = f"explore_{key}"
    if widget in st.session_state:  # a measure that was just added may lack a chosen dimension
        st.session_state[widget] = [name for name in st.session_state[widget] if name in options]
    else:
        st.session_state[widget] = asked or list(default)
    chosen: list[str] = st.multiselect(
        label, options, format_func=named.__getitem__, key=widget, placeholder=placeholder, width=width
    )
    if tuple(chosen) == default:
        st.query_params.pop(key, None)
    elif chosen != st.query_params.get_all(key):
        st.query_params[key] = chosen
    return tuple(chosen)


def most(question: Question, filters: Filters) -> int:
    """Return an upper bound of the number of answers, without a query.

    It is the product of the dimensions' values, but at most one combination per order.
    """
    status = page.data_status()
    orders = max(status.orders, 1)
    values = [len(status.options[name]) or orders if name in DIMENSIONS else OWN_VALUES for name in question.by]
    times = len(periods(filters.start, filters.period.elapsed, question.grain)) if question.grain else 1
    return min(prod(values) * times, orders) * len(question.measures)


def answers(question: Question, filters: Filters) -> list[Answer] | None:
    """Return the answers to show; None if they may be too many, because the query would block other users."""
    if most(question, filters) > LOOKED_AT_MOST:
        return None
    return queries.answers(page.generation(), question)


def download(question: Question, *, count: int, exact: bool) -> None:
    """Draw the format, the download button and the equivalent command.

    count: rows of the file; an upper bound unless `exact`.
    """
    number = page.generation()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        form = st.segmented_control(
            "Format",
            list(write.FORMATS),
            default="csv",
            format_func=write.TITLES.__getitem__,
            required=True,
            key="format",
            label_visibility="collapsed",
        )
        form = form or "csv"
        name = write.download_name(_name(question), form)
        limit = SHEET_ROWS_HERE if form == "xlsx" else ROWS_HERE
        st.download_button(
            f"Download {write.TITLES[form]}",
            data=access.at_download(
                lambda: write.download(
                    queries.read(answer_table, number, question),
                    form,
                    _name(question) + write.FORMATS[form][0],
                    queries.read(provenance, number, question),
                )
            ),
            file_name=name,
            type="primary",
            icon=":material/download:",
            on_click="ignore",
            key="download",
            disabled=count > limit or not count,
        )
        st.caption(
            f"{'' if exact else 'up to '}{formatting.count(count, 'row')} · {formatting.markdown(name)} · data version "
            f"{number}"
        )
    if count > limit:
        other = (
            "choose CSV or Parquet, or use the command below"
            if form == "xlsx" and count <= ROWS_HERE
            else "use the command below"
        )
        sheet = (
            f" (a sheet has at most {write.SHEET_ROWS:,} rows)" if form == "xlsx" and count > write.SHEET_ROWS else ""
        )
        st.caption(
            f"{write.TITLES[form]} downloads are limited to {limit:,} rows here. To export more, {other}{sheet}."
        )
    with st.expander("Command line"):
        st.code(command(question, form), language="bash", wrap_lines=True)
        st.caption(
            "The file records its definitions, filters, policy, data version, failed checks and a hash of its rows. "
            "`buyerview verify FILE` recomputes the numbers and lists the records that changed."
        )


def _name(question: Question) -> str:
    parts = ["buyerview", question.measures[0] if len(question.measures) == 1 else f"{len(question.measures)}-measures"]
    parts += [f"by-{'-'.join(question.by)}"] if question.by else []
    return "_".join([*parts, f"{question.start}_{question.end}"])


def command(question: Question, form: str) -> str:
    """Return the command that writes the same file."""
    parts = ["buyerview export", f"--measures {','.join(question.measures)}"]
    parts += [f"--by {','.join(question.by)}"] if question.by else []
    parts += [f"--grain {question.grain}"] if question.grain else []
    parts += [f"--from {question.start}", f"--to {question.end}"]
    parts += [f"--where {shlex.quote(f'{name}={value}')}" for name, values in question.where for value in values]
    return " ".join([*parts, f"--format {form}", f"--out {write.download_name(_name(question), form)}"])


def chart(question: Question, answers: list[Answer], filters: Filters) -> None:
    """Draw the charts of the answers in pairs, and the download of all charts as one picture."""
    able = [
        name
        for name in question.measures
        if any(answer.value is not None for answer in answers if answer.measure == name)
    ]
    if not (question.by or question.grain):
        st.caption("Choose a dimension or a period length to see charts.")
        return
    if not able or len(question.by) > export_charts.DIMENSIONS_DRAWN:
        return
    with theme.card("chart"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            measure = able[0]
            if len(question.by) == export_charts.DIMENSIONS_DRAWN and len(able) > 1:
                measure = page.select(
                    "Measure of the charts",
                    able,
                    {name: MEASURES[name].title for name in able},
                    key="measure",
                    hidden=True,
                    width=320,
                )
            else:
                st.header("Chart", anchor=False, width="content")
            drawn = export_charts.draw(
                replace(question, measures=tuple(able)), answers, filters, measure=measure, is_dark=theme.is_dark()
            )
            title = MEASURES[able[0]].title if len(able) == 1 or len(question.by) > 1 else f"{len(able)} measures"
            chart_download.buttons(export_charts.together(drawn.panels), "explore", title=_titled(title, question))
        if drawn.lines:
            theme.show_html(export_charts.legend(drawn.lines, is_dark=theme.is_dark()))
        for at in range(0, len(drawn.panels), 2):
            pair = drawn.panels[at : at + 2]
            for place, panel in zip(st.columns(min(len(drawn.panels), 2), gap="medium"), pair, strict=False):
                with place:
                    if len(drawn.panels) > 1:
                        theme.show_html(f'<h3 class="bv bv-panel">{formatting.html(panel.title)}</h3>')
                    charts.draw(panel.spec, key=f"panel_{at}_{panel.title}", alternative=panel.alternative)
        if drawn.left_out:
            st.caption(drawn.left_out)


def _titled(title: str, question: Question) -> str:
    by = f" by {' and '.join(formatting.in_words(name).lower() for name in question.by)}" if question.by else ""
    return title + by + (f", by {question.grain}" if question.grain else "")


def too_many(count: int) -> None:
    """Draw that there are too many rows to show, and what to do."""
    what = (
        f"Up to {formatting.html(formatting.count(count, 'row'))}. The file has all of them. To see them here, choose "
        "longer periods, fewer dimensions or a filter."
    )
    theme.show_html(cards.empty("Too many rows to show", what))


def table(question: Question, answers: list[Answer], filters: Filters) -> None:
    """Draw the answers as a table, page by page."""
    targets = page.targets(filters)
    st.header("Table", anchor=False)
    found = export_table.keys(question, answers)
    if not found:
        theme.show_html(cards.empty("No data", "Nothing in this period and selection."))
        return
    at = page.pager(len(found), export_table.ROWS_A_PAGE, key="answers_page")
    theme.show_html(export_table.table(question, found, filters, targets, page=at))
    st.caption(
        "A number links to the records behind it. Hover a dash to see why. Files contain all digits: 0.25 is 25%."
    )
