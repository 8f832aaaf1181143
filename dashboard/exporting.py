"""The parts of the export page: choose measures, dimensions, grain and format; look at the first rows; take the file."""

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from dashboard import data, export, page
from dashboard import format as fmt
from dashboard.filters import Filters
from metrics.catalog import DIMENSIONS, GRAINS, MEASURES
from metrics.query import Question

DEFAULT_MEASURES = ("otif", "on_time", "complete")
WHOLE = "whole"
GRAIN_NAMES = {WHOLE: "Whole period", **{grain: f"By {grain}" for grain in GRAINS}}
PREVIEW_ROWS = 100


@dataclass(frozen=True)
class Choice:
    """What to export."""

    question: Question
    format: str


def choose(filters: Filters) -> Choice | None:
    """Draw the choices; None while no measure is chosen."""
    titles = {name: measure.title for name, measure in MEASURES.items()}
    asked = [name for name in st.query_params.get_all("m") if name in MEASURES]
    measures = st.multiselect(
        "Measures",
        list(MEASURES),
        default=asked or list(DEFAULT_MEASURES),
        format_func=titles.__getitem__,
        key="export_measures",
        placeholder="Choose at least one",
    )
    if tuple(measures) != DEFAULT_MEASURES and measures != st.query_params.get_all("m"):
        st.query_params["m"] = measures
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        by = st.multiselect("By", list(DIMENSIONS), format_func=fmt.words, key="by", placeholder="No dimension", width=380)
        grain = page.pick("Periods", tuple(GRAIN_NAMES), GRAIN_NAMES, key="grain", width=170)
        chosen = st.segmented_control(
            "Format", list(export.FORMATS), default="csv", format_func=export.TITLES.__getitem__, required=True, key="format"
        )
    if not measures:
        return None
    question = Question(
        measures=tuple(measures),
        by=tuple(by),
        grain=None if grain == WHOLE else grain,
        start=filters.start,
        end=filters.end,
        where=filters.where,
    )
    return Choice(question, chosen or "csv")


def table(choice: Choice) -> pd.DataFrame:
    """The answers to be exported."""
    found: pd.DataFrame = data.frame(page.generation(), choice.question)
    return found


def download(choice: Choice, answers: pd.DataFrame) -> None:
    """The button, what it gives, and the command that gives the same."""
    number, name = page.generation(), export.download_name(_name(choice), choice.format)
    said = data.provenance(number, choice.question)  # here: the bytes are made on a click, by a thread that knows no session
    too_many = choice.format == "xlsx" and len(answers) > export.SHEET_ROWS
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        st.download_button(
            f"Download {export.TITLES[choice.format]}",
            data=lambda: export.download(answers, choice.format, _name(choice) + export.FORMATS[choice.format][0], said),
            file_name=name,
            type="primary",
            icon=":material/download:",
            on_click="ignore",
            key="download",
            disabled=too_many or answers.empty,
        )
        st.caption(
            "More rows than an Excel sheet holds: take CSV or Parquet, or fewer dimensions."
            if too_many
            else f"{fmt.count(len(answers), 'row')} · {fmt.markdown(name)} · generation {number}"
        )
    with st.expander("The same from the command line"):
        st.code(command(choice), language="bash", wrap_lines=True)


def _name(choice: Choice) -> str:
    question = choice.question
    parts = ["buyerview", question.measures[0] if len(question.measures) == 1 else f"{len(question.measures)}-measures"]
    parts += [f"by-{'-'.join(question.by)}"] if question.by else []
    return "_".join([*parts, f"{question.start}_{question.end}"])


def command(choice: Choice) -> str:
    """The command that writes the same file."""
    question = choice.question
    parts = ["buyerview export", f"--measures {','.join(question.measures)}"]
    parts += [f"--by {','.join(question.by)}"] if question.by else []
    parts += [f"--grain {question.grain}"] if question.grain else []
    parts += [f"--from {question.start}", f"--to {question.end}"]
    parts += [f"--where {_quoted(f'{name}={value}')}" for name, values in question.where for value in values]
    return " ".join([*parts, f"--format {choice.format}", f"--out {export.download_name(_name(choice), choice.format)}"])


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)


def preview(answers: pd.DataFrame) -> None:
    """The first rows, exactly as the file holds them."""
    shown = answers.head(PREVIEW_ROWS)
    cells = pd.DataFrame(list(export.rows(shown)), columns=shown.columns)
    numbers = {name: st.column_config.NumberColumn(name, format="%.6g") for name in export.NUMBERS if name in cells}
    st.dataframe(cells, hide_index=True, placeholder="", key="preview", alt="First rows of the export", column_config=numbers)
    st.caption(
        f"{'The first ' + format(PREVIEW_ROWS, ',') + ' of ' + format(len(answers), ',') if len(answers) > PREVIEW_ROWS else 'All'} rows. "
        "Rates are fractions: 0.25 is 25 %. Files hold every digit."
    )
