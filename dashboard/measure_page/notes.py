"""Notes on a measure: the list, and the form to add, change and delete them. Trends draw dated notes as flags."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date

import streamlit as st
from sqlalchemy import Connection

from dashboard.components import cards, formatting, tables, theme
from dashboard.components.charts import Flag
from dashboard.components.formatting import Shown
from dashboard.components.locale import reader
from dashboard.components.tables import Cell
from dashboard.frame import access, links, messages, notes, page, user_name
from dashboard.frame.filters import EARLIEST, Filters
from dashboard.frame.period import period_starts
from dashboard.measure_page.cells import link_cell
from metrics.access import Action
from metrics.errors import ChangedMeanwhile, NotYours, StoreUnusable
from metrics.measures.catalog import MEASURES
from metrics.store import notes as stored
from metrics.store.connection import open_store
from metrics.store.notes import LONGEST, Note
from metrics.warehouse import locate

ALL_MEASURES, ALL_SEGMENTS = "Every measure", "All segments"
NEW = 0
"""Number of a note that is not saved yet."""
FIELDS = ("text", "about", "segment", "first", "last")


def flags(measure: str, filters: Filters) -> list[Flag]:
    """Return the dated notes in view as flags of a trend; notes of one period share a flag."""
    found: dict[date, list[Note]] = defaultdict(list)
    for note in notes.in_view(measure, filters):
        if note.days is not None:
            begins = max(note.days[0], filters.start)
            found[period_starts(begins, filters.period.grain)].append(note)
    return [
        Flag(
            begins=begins,
            text=of_period[0].text if len(of_period) == 1 else f"{len(of_period)} notes",
            tooltip="; ".join(map(notes.in_words, of_period)),
        )
        for begins, of_period in sorted(found.items())
    ]


def popover(measure: str, filters: Filters) -> None:
    """Draw the button below a trend that opens the notes of its measure in view."""
    found = notes.in_view(measure, filters)
    label = f"Notes ({len(found)})" if found else "Notes"
    with st.popover(label, icon=":material/edit_note:", type="tertiary", key="notes_popover"):
        _panel(measure, found, first=None, last=None, segment=None)


def section(measure: str, *, first: date | None, last: date | None, segment: str | None) -> None:
    """Draw the notes of a measure on its page. A new note starts with the days and the segment of the number."""
    theme.show_html('<span id="notes"></span>')
    st.header("Notes", anchor=False)
    _panel(measure, stored.about(notes.loaded(), measure), first=first, last=last, segment=segment)


def _panel(measure: str, found: Sequence[Note], *, first: date | None, last: date | None, segment: str | None) -> None:
    if found:
        theme.show_html(notes.listing(found))
    else:
        st.caption("No notes on this number. A note with a day is also drawn on trends.")
    if not access.may(Action.WRITE_NOTES):
        return
    own = {note.note_id: note for note in found if note.who == user_name.user_name()}
    number = NEW
    if own:
        number = st.selectbox(
            "Add or change",
            [NEW, *own],
            format_func=lambda one: f"Change: {own[one].text[:40]}" if one else "New note",
            key="note_chosen",
        )
    user_name.name_field(width=260)
    note = own.get(number) or Note("", "", measure, segment, first, last)
    _form(measure, note)
    _message()


def _form(measure: str, note: Note) -> None:
    """Draw the fields of a new or an own note."""
    segments = [ALL_SEGMENTS, *page.data_status().options.get("segment", [])]
    with st.form(_key("form", note), border=False):
        st.text_area("Note", note.text, key=_key("text", note), max_chars=LONGEST, height=80)
        abouts = [MEASURES[measure].title, ALL_MEASURES]
        st.selectbox("About", abouts, index=int(bool(note.note_id) and note.measure is None), key=_key("about", note))
        at = segments.index(note.segment) if note.segment in segments else 0
        st.selectbox("Segment", segments, index=at, key=_key("segment", note))
        with st.container(horizontal=True, gap="small"):
            for label, field, value in (("Day", "first", note.starts_on), ("Last day", "last", note.ends_on)):
                st.date_input(
                    f"{label} (optional)",
                    value,
                    min_value=EARLIEST,
                    format=reader().date_input,
                    key=_key(field, note),
                    width=150,
                )
        with st.container(horizontal=True, gap="small"):
            st.form_submit_button("Save note", type="primary", on_click=_save, args=(measure, note))
            if note.note_id:
                st.form_submit_button("Delete note", on_click=_remove, args=(note,), icon=":material/delete:")


def _key(name: str, note: Note) -> str:
    return f"note_{name}_{note.note_id}"


@access.guarded(Action.WRITE_NOTES)
def _save(measure: str, note: Note) -> None:
    text, about, segment, first, last = (st.session_state.get(_key(name, note)) for name in FIELDS)
    if not user_name.has_user_name():
        _tell("Enter your name above the note, then save it.", wrong=True)
        return
    new = replace(
        note,
        text=text or "",
        measure=None if about == ALL_MEASURES else measure,
        segment=None if segment == ALL_SEGMENTS else segment,
        starts_on=first,
        ends_on=last,
        scope=note.scope if note.note_id else access.current_access().scope,
    )
    if why := stored.problem(new):
        _tell(why, wrong=True)
        return
    _change(lambda store: stored.save(store, user_name.user_name(), new), "Note saved.", note)


@access.guarded(Action.WRITE_NOTES)
def _remove(note: Note) -> None:
    _change(lambda store: stored.remove(store, user_name.user_name(), note), "Note deleted.", note)


def _change(change: Callable[[Connection], object], done: str, note: Note) -> None:
    """Change the store. Afterwards the form is empty; after a failure it keeps what was typed."""
    try:
        with open_store(locate()) as store:
            change(store)
    except (StoreUnusable, ChangedMeanwhile, NotYours) as error:
        _tell(str(error), wrong=True)
        return
    for name in FIELDS:
        st.session_state.pop(_key(name, note), None)
    st.session_state.pop("note_chosen", None)
    _tell(done)


def _tell(text: str, *, wrong: bool = False) -> None:
    st.session_state["_note_told"] = (text, wrong)


def _message() -> None:
    """Draw the message about the last click at its button."""
    text, wrong = messages.read("_note_told", ("", False))
    if wrong:
        theme.show_html(f'<div role="alert">{cards.banner(formatting.html(text))}</div>')
    elif text:
        st.toast(formatting.markdown(text), icon=":material/check:")


def all_notes() -> None:
    """Draw every note that the person may see as a table, with links to the measures."""
    found = notes.loaded()
    st.header("Notes", anchor=False)
    if not found:
        st.caption("No notes yet. Add a note below a trend, or on the page behind a number.")
        return
    rows = [
        [
            link_cell(Shown(MEASURES[note.measure].title, note.measure), links.drill_down_url(note.measure))
            if note.measure in MEASURES
            else Cell(note.measure or ALL_MEASURES),
            Cell(note.segment or "all"),
            Cell(formatting.day(note.starts_on)),
            Cell(formatting.day(note.ends_on)),
            Cell(note.text),
            Cell(note.who),
            Cell(formatting.moment(note.created_at)),
        ]
        for note in found
    ]
    heads = ("Measure", "Segment", "First day", "Last day", "Note", "Person", "Written")
    theme.show_html(tables.table(heads, rows, caption="Notes on numbers and trends"))
