"""Notes of this page run: those that the person may see, and the mark next to a number that has some."""

from collections.abc import Sequence

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from dashboard.components import formatting
from dashboard.frame import access, links
from dashboard.frame.filters import Filters
from metrics.errors import StoreUnusable
from metrics.store import notes
from metrics.store.connection import open_store
from metrics.store.notes import Note
from metrics.warehouse import locate

MARK_NOTES = 5
"""Notes named in the tooltip of a mark."""


def forget() -> None:
    """Begin a page run: read the notes again when a part of the page needs them."""
    st.session_state.pop("_notes", None)


def loaded() -> list[Note]:
    """Return the notes that the person may see. Outside a browser session, or if the store fails, there are none."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return []
    if "_notes" not in st.session_state:
        try:
            with open_store(locate(), write=False) as store:
                st.session_state["_notes"] = notes.notes(store, access.current_access().scope)
        except StoreUnusable:  # the form shows the error
            return []
    found: list[Note] = st.session_state["_notes"]
    return found


def in_view(measure: str, filters: Filters, *, every: bool = True) -> list[Note]:
    """Return the notes about a measure in the period and segments in view, with those about every measure or not."""
    about = notes.about(loaded(), measure, every=every)
    return notes.in_view(about, filters.start, filters.end, dict(filters.where).get("segment", ()))


def mark_link(measure: str, filters: Filters) -> str:
    """Return the mark of a number's notes as a link to them, with their texts as a tooltip; "" without notes."""
    found = in_view(measure, filters, every=False)
    if not found:
        return ""
    more = [f"and {len(found) - MARK_NOTES} more"] if len(found) > MARK_NOTES else []
    tooltip = formatting.html("; ".join([*map(in_words, found[:MARK_NOTES]), *more]))
    count = formatting.count(len(found), "note")
    return (
        f'<a class="bv-mark" href="{formatting.html(links.drill_down_url(measure))}#notes" target="_self" '
        f'title="{tooltip}"><i aria-hidden="true">✎</i> {len(found)}<span class="bv-said">, {count}</span></a>'
    )


def days_of(note: Note) -> str:
    """Return the days of a note in words; "" without a day."""
    if note.days is None:
        return ""
    first, last = note.days
    return formatting.day(first) if first == last else formatting.date_range(first, last)


def in_words(note: Note) -> str:
    """Return a note in one line: "Strike at the port (Ada, 4 May 2026)"."""
    parts = [note.who, days_of(note), f"segment {note.segment}" if note.segment else ""]
    return f"{note.text} ({', '.join(part for part in parts if part)})"


def listing(found: Sequence[Note]) -> str:
    """Return notes as a list: who, when, about what, and the text."""
    items = []
    for note in found:
        about = [
            days_of(note),
            f"segment {note.segment}" if note.segment else "",
            "" if note.measure else "every measure",
        ]
        head = " · ".join(part for part in about if part)
        written = f" · written {formatting.moment(note.created_at)}" if note.created_at else ""
        items.append(
            f'<li><span class="bv-muted"><b>{formatting.html(note.who)}</b>'
            f"{formatting.html(f' · {head}' if head else '')}{formatting.html(written) if written else ''}</span>"
            f"<p>{formatting.html(note.text)}</p></li>"
        )
    return f'<ul class="bv bv-said-list">{"".join(items)}</ul>'
