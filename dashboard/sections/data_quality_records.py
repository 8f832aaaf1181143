"""Record lists of the data quality page: warnings, stand-ins, runs with files and checks, restatements."""

import pandas as pd
import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.reasons import column_in_words, in_plain_words
from dashboard.components.tables import Cell
from dashboard.frame import links, list_file, page
from dashboard.orders.records import pairs, record_link
from metrics.lists import data_quality
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES

SIZE = 10
RUNS_SHOWN = 5
"""Runs listed at once; earlier runs are folded."""
CHECKS_SHOWN = 14
WARNINGS_SHOWN = 8
"""Warnings listed at once; the others are folded."""


def stand_ins() -> str:
    """Return the stand-ins as a table: columns that a source fills with another value."""
    declared = page.data_status().stand_ins
    if not declared:
        return '<p class="bv bv-muted">No stand-ins: every mapped column has its own values.</p>'
    rows = [
        [Cell(f"{row['feed']}.{row['column_name']}"), Cell(row["stands_in_for"]), Cell(row["source"])]
        for row in declared
    ]
    return tables.table(("Column", "Filled with", "Source"), rows, caption="Stand-ins declared by sources")


def _all_records(what: str) -> bool:
    """Draw that something counts all records, and return True, if the person has a row scope."""
    if queries.sees_every_row():
        return False
    theme.show_html(cards.empty(f"{what} are not shown", f"{what} count all records, and you see a part of the rows."))
    return True


def warnings() -> None:
    """Draw the warnings about loaded records, each with the measures it names."""
    st.header("Warnings about loaded records", anchor=False)
    if _all_records("Warnings"):
        return
    noted = queries.cached(data_quality.warnings, page.generation())
    if not noted:
        theme.show_html(cards.empty("No warnings", "No loaded record needs your attention."))
        return
    theme.show_html(_warnings(noted[:WARNINGS_SHOWN]))
    if len(noted) > WARNINGS_SHOWN:
        with st.expander(f"{formatting.count(len(noted) - WARNINGS_SHOWN, 'more warning')}"):
            theme.show_html(_warnings(noted[WARNINGS_SHOWN:]))


def _warnings(noted: list[Row]) -> str:
    rows = [
        [
            Cell(formatting.in_words(one["feed"]), small=one["object_name"] or one["source"]),
            Cell(markup=f'<div class="bv-long">{formatting.html(in_plain_words(one["message"]))}</div>'),
            Cell(formatting.integer(int(one["rows_concerned"]))),
            Cell(markup=_measures(one["measures"])),
        ]
        for one in noted
    ]
    heads = ("Feed", "Warning", "Records", "Affected measures")
    return tables.table(heads, rows, caption="Warnings about loaded records", numeric=(2,))


def _measures(names: str | None) -> str:
    """Return a count of measures that unfolds to links to their definitions."""
    listed = names.split(", ") if names else []
    if not listed:
        return formatting.DASH
    links_to = ", ".join(
        f'<a href="{formatting.html(links.page_url("definitions", {"measure": name}))}" '
        f'target="_self">{formatting.html(MEASURES[name].title)}</a>'
        for name in listed
        if name in MEASURES
    )
    count = formatting.count(len(listed), "measure")
    return f'<div class="bv-long"><details><summary>{count}</summary>{links_to}</details></div>'


def runs() -> None:
    """Draw the latest runs; earlier runs, and the files and checks of a run, are folded."""
    history = queries.cached(data_quality.run_history, page.generation())
    rows = [
        [
            Cell(f"Run {run['run_id']}", small=f"data version {run['generation']}"),
            Cell(run["source"]),
            Cell(markup=f'<span class="bv-nowrap">{formatting.html(formatting.moment(run["started_at"]))}</span>'),
            Cell(_took(run)),
            Cell(formatting.moment(run["data_as_of"])),
            *(
                Cell(formatting.integer(int(run[name] or 0)))
                for name in ("rows_in", "rows_loaded", "rows_quarantined", "rows_superseded")
            ),
        ]
        for run in history.rows
    ]
    theme.show_html(_runs(rows[:RUNS_SHOWN], "Published runs, the latest first"))
    if len(rows) > RUNS_SHOWN:
        with st.expander(formatting.count(len(rows) - RUNS_SHOWN, "earlier run")):
            theme.show_html(_runs(rows[RUNS_SHOWN:], "Earlier published runs"))
            if history.total > len(rows):
                st.caption(f"The latest {len(rows)} of {formatting.integer(history.total)} runs are listed.")
    ids = [run["run_id"] for run in history.rows]
    if ids:
        with st.expander("Files and checks of a run", key="run_details"):
            _run_details(ids)


def _runs(rows: list[list[Cell]], caption: str) -> str:
    heads = ("Run", "Source", "Started", "Took", "Data as of", "Rows in", "Loaded", "Quarantined", "Superseded")
    return tables.table(heads, rows, caption=caption, numeric=(3, 5, 6, 7, 8))


def _run_details(ids: list[int]) -> None:
    """Draw the files and checks of the chosen run."""
    shown = st.selectbox("Files and checks of", ids, format_func=lambda number: f"Run {number}", key="run", width=160)
    left, right = st.columns(2, gap="medium")
    with left:
        theme.show_html(_files(queries.cached(data_quality.files_of_run, page.generation(), shown)))
    with right:
        if not _all_records("Checks"):
            _checks(queries.cached(data_quality.checks_of_run, page.generation(), shown))


def _took(run: Row) -> str:
    if run["finished_at"] is None:
        return formatting.DASH
    seconds = (run["finished_at"] - run["started_at"]).total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _files(files: list[Row]) -> str:
    rows = [
        [
            Cell(markup=f'<span class="bv-break">{formatting.html(file["name"])}</span>', small=f"to {file['feed']}"),
            *(
                Cell(formatting.integer(int(file[name])))
                for name in ("rows_in", "rows_loaded", "rows_quarantined", "rows_superseded")
            ),
        ]
        for file in files
    ]
    return tables.table(
        ("File", "Rows in", "Loaded", "Quarantined", "Superseded"),
        rows,
        caption="Files of the run",
        numeric=(1, 2, 3, 4),
    )


def _checks(checks: list[Row]) -> None:
    """Draw the failed checks of a run; the full list is folded."""
    if not checks:
        theme.show_html(cards.empty("No checks", "This run recorded no checks."))
        return
    failing = [check for check in checks if check["rows_failed"] > 0]
    more = f" (the first {CHECKS_SHOWN} are listed)" if len(failing) > CHECKS_SHOWN else ""
    st.caption(f"{len(checks)} checks, {len(failing)} failed{more}.")
    if failing:
        rows = [
            [
                Cell(_check_name(one), small=_checked(one)),
                Cell(formatting.integer(one["rows_checked"])),
                Cell(formatting.integer(one["rows_failed"])),
            ]
            for one in failing[:CHECKS_SHOWN]
        ]
        theme.show_html(tables.table(("Check", "Rows", "Failed"), rows, caption="Failed checks", numeric=(1, 2)))
    with st.expander(f"All {len(checks)} checks"):
        every = [
            {
                "check": _check_name(check),
                "on": _checked(check),
                "rows": check["rows_checked"],
                "failed": check["rows_failed"],
            }
            for check in checks
        ]
        st.dataframe(pd.DataFrame(every), hide_index=True, alt="All checks of the run")


def _check_name(check: Row) -> str:
    return formatting.in_words(check["expectation"].removeprefix("expect_"))


def _checked(check: Row) -> str:
    return column_in_words(check["feed"], check["column_name"])


def restatements() -> None:
    """Draw the records that later records changed."""
    if _all_records("Restatements"):
        return
    at = int(st.session_state.get("restated_page", 1))
    listing = queries.cached(data_quality.restated_records, page.generation(), page=at, size=SIZE)
    if not listing.total:
        theme.show_html(cards.empty("No restatements", "No later record changed an earlier one."))
        return
    rows = [
        [
            Cell(formatting.in_words(row["feed"]), small=f"run {row['run_id']}"),
            Cell(markup=record_link(row["key"])),
            Cell(row["why"]),
            Cell(pairs(row["before"])),
            Cell(pairs(row["after"])),
        ]
        for row in listing.rows
    ]
    heads, is_page = ("Feed", "Record", "Why", "Before", "After"), listing.total > len(rows)
    theme.show_html(tables.table(heads, rows, caption="Restated records", is_page=is_page))
    generation = page.generation()
    page.pager(
        listing.total,
        SIZE,
        key="restated_page",
        rows=lambda: queries.read(data_quality.restated_records, generation, size=list_file.FILE_ROWS).rows,
    )
