"""Bring your data: what was recognised, the questions with sample values, and the mapping with its editor."""

import zoneinfo
from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.bring_data import steps
from dashboard.bring_data.sources import Source
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.tables import Cell

ZONE = "source.time_zone"
COLUMNS_OF_SELECTION = 6
"""Choices of a question that are listed as buttons; more become a selection."""

Question = Mapping[str, Any]  # Any: values of JSON


def recognised(source: Source) -> None:
    """Draw which table is which feed, and which columns are mapped."""
    found: Mapping[str, Any] = source.found
    with theme.card("recognised"):
        st.header("What was recognised", anchor=False)
        rows = sum(table["rows"] for table in found["tables"])
        count = len(found["tables"])
        what = f"{formatting.count(rows, 'record')} in {formatting.count(count, 'table')}"
        st.caption(formatting.markdown(f"{found['recognised']}: {what}" if found["recognised"] else what))
        if found.get("nearly"):
            theme.show_html(f'<div role="status">{cards.banner(formatting.html(found["nearly"]))}</div>')
        if found["lacking"] and not source.is_edited:
            _lacking(source)
        if found["feeds"]:
            theme.show_html(_feeds(found["feeds"]))
        if found["unused"]:
            with st.expander(f"Not used ({len(found['unused'])})", expanded=bool(found["lacking"])):
                pairs = [[Cell(name), Cell(reason)] for name, reason in found["unused"].items()]
                theme.show_html(tables.table(("Table or file", "Reason"), pairs, caption="Tables that are not used"))
        if found["feeds"]:
            with st.expander("Columns and their evidence"):
                theme.show_html(_columns(found["feeds"]))


def _lacking(source: Source) -> None:
    found: Mapping[str, Any] = source.found
    named = formatting.html(", ".join(formatting.in_words(feed).lower() for feed in found["lacking"]))
    todo = (
        "Answer the questions first."
        if _open_questions(source)
        else "Add a file with them, or map their columns under Mapping."
        if found["feeds"]
        else "Add a file with them: a row per order, order line or shipment, below a row with the names of the columns."
    )
    text = f"<b>Needed and not found: {named}.</b> Orders, order lines, shipments and shipment lines are needed. {todo}"
    theme.show_html(f'<div role="alert">{cards.banner(text)}</div>')


def _feeds(feeds: list[Question]) -> str:
    rows = [
        [
            Cell(formatting.in_words(feed["feed"])),
            Cell(feed["table"]),
            Cell(str(len(feed["columns"]))),
            Cell(str(len(feed["unmapped"]))),
        ]
        for feed in feeds
    ]
    heads = ("Feed", "From", "Columns mapped", "Not mapped")
    return tables.table(heads, rows, caption="Feeds that were recognised", numeric=(2, 3))


def _columns(feeds: list[Question]) -> str:
    rows = [
        [Cell(f"{feed['feed']}.{one['column']}"), Cell(one["source"]), Cell(one["evidence"])]
        for feed in feeds
        for one in feed["columns"]
    ]
    rows += [
        [Cell("not mapped", small=formatting.in_words(feed["feed"])), Cell(name), Cell(reason)]
        for feed in feeds
        for name, reason in feed["unmapped"].items()
    ]
    return tables.table(("Column", "Your column", "Evidence"), rows, caption="Columns and their evidence")


# ------------------------------------------------------------------------------------------------------------ questions


def _open_questions(source: Source) -> list[Question]:
    """Return the questions worth asking. An edited mapping has none. The zone alone cannot find a missing feed."""
    found: Mapping[str, Any] = source.found
    asked: list[Question] = [] if source.is_edited else list(found["questions"])
    return [] if found["lacking"] and all(one["zone"] for one in asked) else asked


def questions(source: Source) -> None:
    """Draw the open questions as choices, the most likely answer chosen."""
    asked = _open_questions(source)
    if not asked:
        return
    with theme.card("questions"):
        st.header("Your records do not decide this", anchor=False)
        with st.form("bring_questions", border=False):
            answers = {question["key"]: _choice(source, question) for question in asked}
            sent = st.form_submit_button("Show the result", type="primary")
        if sent:
            steps.answer(source, {key: answer for key, answer in answers.items() if answer is not None})
            st.rerun()


def _choice(source: Source, question: Question) -> str | None:
    """Draw one question. Return the chosen answer."""
    key = f"bring_{source.name}_{question['key']}"
    choices: list[str] = list(question["choices"])
    text = formatting.markdown(question["text"])
    if question["zone"]:
        zones = list(dict.fromkeys((*choices, *sorted(zoneinfo.available_timezones()))))
        local = st.context.timezone
        best = local if question["best"] == "UTC" and local in zones else question["best"]
        return st.selectbox(
            "In which time zone are the records? Days end there.", zones, index=zones.index(best), key=key, width=320
        )
    at = choices.index(question["best"])
    if len(choices) > COLUMNS_OF_SELECTION:
        return st.selectbox(text, choices, index=at, key=key)
    samples = [formatting.markdown(one) for one in question["samples"]]
    captions = [*samples, *[""] * (len(choices) - len(samples))] if any(samples) else None
    return st.radio(text, choices, index=at, key=key, captions=captions, format_func=formatting.markdown)


# ---------------------------------------------------------------------------------------------------------- the mapping


def mapping(source: Source) -> None:
    """Draw the mapping: download it, or edit it and try it again."""
    if not source.mapping or not (source.found.get("feeds") or source.found.get("recognised") or source.is_edited):
        return
    with theme.card("mapping"):
        st.header("Mapping", anchor=False)
        st.caption(
            "The mapping states how your records are read. Every line has its evidence. "
            "It also works on the command line: `buyerview ingest mapping.toml`."
        )
        st.download_button(
            "Download mapping",
            source.mapping,
            file_name=f"{source.name}.toml",
            mime="application/toml",
            key="bring_download",
            icon=":material/download:",
        )
        with st.expander("Edit mapping", expanded=source.is_edited and bool(source.error)):
            text = st.text_area(
                "Text of the mapping",
                source.mapping,
                height=420,
                key=f"bring_text_{source.name}_{hash(source.mapping)}",
            )
            if st.button("Check mapping", key="bring_check", icon=":material/rule:"):
                if reason := steps.edit_mapping(source, text):
                    theme.show_html(f'<div role="alert">{cards.banner(formatting.html(reason))}</div>')
                else:
                    st.rerun()
