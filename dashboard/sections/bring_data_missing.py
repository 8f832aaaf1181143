"""Bring your data: the last run, the mapped columns, and the missing ones with the measures they would switch on."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from dashboard import queries
from dashboard.bring_data.sources import Source
from dashboard.components import formatting, tables, theme
from dashboard.components.tables import Cell
from dashboard.frame import page
from metrics.facts.mapped_columns import mapped
from metrics.lists.data_quality import run_history
from metrics.lists.missing_columns import missing_columns
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES

SHOWN = 8
"""Combinations of columns listed at once; the others are folded."""
NAMED = 3
"""Measures named next to a missing column."""

Json = Mapping[str, Any]  # Any: values of JSON


def of_trial(source: Source) -> None:
    """Draw the missing columns of a trial run."""
    trial: Json = source.trial
    with theme.card("missing"):
        _section(trial["missing"], whole=trial["measures"])


def of_published_data() -> None:
    """Draw the last run of any source, the mapped columns of the published data, and the missing ones."""
    runs = queries.cached(run_history, page.generation(), size=1).rows
    with theme.card("last_run"):
        st.header("The published data", anchor=False)
        if runs:
            st.caption(formatting.markdown(_last_run(runs[0])))
        with st.expander("Mapped columns by feed"):
            theme.show_html(_mapped(queries.cached(mapped, page.generation())))
    with theme.card("missing"):
        found = queries.cached(missing_columns, page.generation())
        _section([asdict(one) for one in found], whole=len(MEASURES))


def _last_run(run: Row) -> str:
    rows = ", ".join(
        f"{formatting.integer(int(run[name] or 0))} {text}"
        for name, text in (("rows_in", "rows in"), ("rows_loaded", "loaded"), ("rows_quarantined", "quarantined"))
    )
    return f"Last run: {run['source']}, {formatting.moment(run['finished_at'])}. {rows}."


def _mapped(known: frozenset[str]) -> str:
    feeds: dict[str, list[str]] = {}
    for one in sorted(known):
        feed, _, column = one.partition(".")
        feeds.setdefault(feed, []).append(column)
    rows = [
        [Cell(formatting.in_words(feed)), Cell(str(len(columns))), Cell(", ".join(columns))]
        for feed, columns in feeds.items()
    ]
    heads = ("Feed", "Columns mapped", "Names")
    return tables.table(heads, rows, caption="Mapped columns of the published data", numeric=(1,))


def _section(missing: Sequence[Json], *, whole: int) -> None:
    """Draw missing columns, each with the measures that it would switch on."""
    off = sum(len(one["measures"]) for one in missing)
    st.header("What more columns would switch on", anchor=False)
    if not missing:
        st.caption(f"No column is missing. All {whole} measures have their data.")
        return
    st.caption(f"{whole - off} of {whole} measures have their data.")
    theme.show_html(_table(missing[:SHOWN]))
    if len(missing) > SHOWN:
        with st.expander(f"{formatting.count(len(missing) - SHOWN, 'more combination')} of columns"):
            theme.show_html(_table(missing[SHOWN:]))


def _table(missing: Sequence[Json]) -> str:
    rows = [
        [
            Cell(", ".join(one["columns"]), small=_new(one["new_feeds"])),
            Cell(str(len(one["measures"]))),
            Cell(markup=f'<div class="bv-long">{_titles(one["measures"])}</div>'),
        ]
        for one in missing
    ]
    heads = ("Map these columns", "Measures", "For example")
    return tables.table(heads, rows, caption="Missing columns and the measures they switch on", numeric=(1,))


def _new(feeds: Sequence[str]) -> str:
    return f"new feed: {', '.join(feeds)}" if feeds else ""


def _titles(names: Sequence[str]) -> str:
    titles = [formatting.html(MEASURES[name].title) for name in names]
    first, rest = ", ".join(titles[:NAMED]), titles[NAMED:]
    return first + (f"<details><summary>and {len(rest)} more</summary>{', '.join(rest)}</details>" if rest else "")
