"""Quarantine on the data quality page: the broken rules, and the rejected records as received."""

import json
from collections.abc import Sequence
from typing import Any, TypedDict

import pandas as pd
import streamlit as st

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.reasons import in_plain_words
from dashboard.frame import list_file, page
from metrics.lists import data_quality
from metrics.lists.rows import Listing, Row

SIZE = 25
STATUSES = {
    "rejected": "Rejected",
    "waiting": "Waiting for its parent",
    "released": "Released",
    "dropped": "Dropped",
}


def quarantine() -> None:
    """Draw the rejected records: the rules they broke, and each record as received."""
    rules = queries.cached(data_quality.broken_rules, page.generation())
    if not rules:
        theme.show_html(cards.empty("Nothing in quarantine", "Every record of every feed was accepted."))
        return
    left, right = st.columns([2, 3], gap="medium")
    with left:
        _bars_of_rules(rules)
    with right:
        wanted = _filters(sorted({row["rule"] for row in rules}))
        generation, at = page.generation(), int(st.session_state.get("quarantine_page", 1))
        shown = queries.cached(data_quality.quarantined, generation, **wanted, page=at, size=SIZE)
        _records(
            shown,
            lambda: queries.read(data_quality.quarantined, generation, **wanted, size=list_file.FILE_ROWS).rows,
        )


def _place(row: Row) -> str:
    """Return the feed of a broken rule in words, with the column as the file names it."""
    feed = formatting.in_words(row["feed"])
    return f"{feed}, {row['column']}" if row["column"] else feed


def _bars_of_rules(rules: list[Row]) -> None:
    most = rules[0]["records"]
    st.caption("Records by broken rule. Records that broke several rules are counted under each.")
    bars = [
        (
            f"{formatting.in_words(row['rule'])} · {_place(row)}",
            formatting.integer(row["records"]),
            row["records"] / most,
        )
        for row in rules
    ]
    theme.show_html(tables.bars(bars[:12], label="Broken rules with the number of records"))


class _Wanted(TypedDict):
    feeds: tuple[str, ...]
    statuses: tuple[str, ...]
    rule: str | None


def _filters(rules: Sequence[str]) -> _Wanted:
    """Draw the filters of the records, and return what they are set to."""
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        feeds = st.multiselect(
            "Feed",
            sorted({row["feed"] for row in queries.cached(data_quality.quarantine_counts, page.generation())}),
            format_func=formatting.in_words,
            key="quarantine_feeds",
            placeholder="All feeds",
            width=220,
        )
        statuses = st.multiselect(
            "Status",
            list(STATUSES),
            format_func=STATUSES.__getitem__,
            key="quarantine_statuses",
            placeholder="Any",
            width=220,
        )
        rule = st.selectbox(
            "Rule",
            rules,
            index=None,
            format_func=formatting.in_words,
            key="quarantine_rule",
            placeholder="Any rule",
            width=220,
        )
    return {"feeds": tuple(feeds), "statuses": tuple(statuses), "rule": rule}


def _records(shown: Listing, every: list_file.Rows) -> None:
    if not shown.total:
        theme.show_html(
            cards.empty("No matching records", "No quarantined record matches these filters. Remove a filter.")
        )
        return
    table = pd.DataFrame([_listed(row) for row in shown.rows])
    event: Any = st.dataframe(
        table,
        key="quarantine_grid",
        on_select="rerun",
        selection_mode="single-row",
        hide_index=True,
        placeholder="",
        alt="Records in quarantine, one row each",
        column_config={
            "feed": "Feed",
            "object": "File",
            "row": "Row",
            "status": "Status",
            "why": st.column_config.TextColumn("Problem", width="large"),
        },
    )
    page.pager(shown.total, SIZE, key="quarantine_page", rows=every)
    names = [f"{row['object_name']}, row {row['row_no']}" for row in shown.rows]
    chosen = event.selection.rows[0] if event.selection.rows else 0
    at = st.selectbox(
        "Record", range(len(names)), index=min(chosen, len(names) - 1), format_func=names.__getitem__, width=380
    )
    theme.show_html(_record(shown.rows[at]))


def _listed(row: Row) -> Row:
    why = "; ".join(rule.get("message") or rule.get("rule") or "" for rule in row["rules"])
    return {
        "feed": formatting.in_words(row["feed"]),
        "object": row["object_name"],
        "row": row["row_no"],
        "status": STATUSES.get(row["status"], row["status"]),
        "why": in_plain_words(why),
    }


def _record(row: Row) -> str:
    rules = "".join(
        f"<li><b>{formatting.html(rule.get('column') or formatting.in_words(row['feed']))}</b>: "
        f"{formatting.html(in_plain_words(rule.get('message') or rule.get('rule') or ''))}</li>"
        for rule in row["rules"]
    )
    waits = (
        f"<p class='bv-muted'>Waiting for {formatting.html(in_plain_words(row['waits_for']))}</p>"
        if row["waits_for"]
        else ""
    )
    try:
        came = json.loads(row["record"])
    except json.JSONDecodeError:
        came = row["record"]
    broken = {rule.get("column") for rule in row["rules"]}
    shown = tables.record(came if isinstance(came, dict) else str(row["record"]), broken=broken)
    return f'<div class="bv"><ul class="bv-rules">{rules}</ul>{waits}{shown}</div>'
