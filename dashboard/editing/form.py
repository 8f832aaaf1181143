"""Editing in place: a number is chosen and changed, what that does is shown by the very same code, and only then can it
be saved.

What is saved stands in the store; a run of its own brings it into the numbers (dashboard/applying.py), which the page
shows by itself. Until then, and where the run fails, the page says so.
"""

from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st
from sqlalchemy import Connection

from dashboard.components import cards, formatting, theme
from dashboard.editing import background_apply, tables
from dashboard.editing.state import FORMS, EditForm, EditState, load_state
from dashboard.frame import page, user_name
from metrics import warehouse
from metrics.edits import edits
from metrics.edits.edits import Edit
from metrics.edits.preview import preview
from metrics.edits.validation import FIRST, LAST, SUPPORT, WINDOWS, validate_edit
from metrics.errors import ChangedMeanwhile, StoreUnusable
from metrics.facts.assumptions import EVERYONE
from metrics.store.connection import open_store
from metrics.warehouse import locate

SECONDS = 3
"""How often a page with something pending looks whether it was brought in, or refused."""
SHOWN = 30
"""Changes shown, the newest."""
CUSTOMER = "one customer"


def edit_form(kind: str) -> None:
    """Draw the card of a kind: choose, preview, save; what is in force; who changed what."""
    one = FORMS[kind]
    with theme.card(f"edit_{kind}"):
        st.header(one.title, anchor=False)
        try:
            desk = load_state(one)
        except StoreUnusable as error:
            _wrong(error)
            return
        _told(kind)
        if desk.pending:
            _waiting(kind)
        if page.generation() != desk.newest:
            st.caption("Edits are made on the newest numbers: show these to change something.")
        else:
            with st.expander(
                "Change", icon=":material/edit:", expanded="target" in st.query_params, key=f"open_{kind}"
            ):
                _form(kind, one, desk)
            _previewed(kind, desk)
        today = _today()
        with st.expander(f"In force on {formatting.day(today)}", key=f"force_{kind}"):
            theme.show_html(tables.in_force(one.feed, desk.merged, today))
        if desk.changes:
            _history(kind, one, desk)


def _today() -> date:
    """The day numbers are as of: an edit from it on is in force in them."""
    at = page.as_of()
    return at.date() if at is not None else date.today()


# --- choose and change --------------------------------------------------------------------------------------------------------------------


def _form(kind: str, one: EditForm, desk: EditState) -> None:
    st.caption(one.hint)
    segments = page.data_status().options.get("segment", [])
    packed = (
        sorted({*segments, *(row["service_segment"] for row in desk.merged)}) if one.feed == "service_packages" else []
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if one.feed == "service_packages":
            key: tuple[str, ...] = (str(st.selectbox("Package of segment", packed, key=f"{kind}_segment", width=190)),)
        else:
            key = (_what(kind, one.names), _scope(kind, segments))
    held = _held(one.feed, key, desk, _today())
    with st.form(f"{kind}_form", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            values = {
                name: _field(f"{kind}_{'_'.join(key)}_{name}", key, name, held.get(name))
                for name in edits.value_columns(one.feed)
            }
            since = st.date_input(
                "Holds from",
                min(_today(), page.current_filters().period.elapsed) if kind == "targets" else _today(),
                min_value=FIRST,
                max_value=LAST,
                key=f"{kind}_since",
                width=150,
            )
            note = st.text_input("Why (optional)", key=f"{kind}_note", width=340)
        asked = st.form_submit_button("Show what it changes", icon=":material/visibility:")
    if asked:
        _keep(kind, lambda _: Edit(one.feed, key, since, values, note))


def _what(kind: str, names: dict[str, str]) -> str:
    if kind == "targets":
        return page.select("Measure", list(names), names, key="target", width=340)
    chosen: str = st.selectbox("Number", list(names), format_func=names.__getitem__, key=f"{kind}_what", width=460)
    return chosen


def _scope(kind: str, segments: list[str]) -> str:
    scopes = [EVERYONE, *(f"segment:{one}" for one in segments), CUSTOMER]
    chosen: str = st.selectbox("For", scopes, format_func=tables.scope, key=f"{kind}_scope", width=160)
    if chosen != CUSTOMER:
        return chosen
    return f"customer:{st.text_input('Customer number', key=f'{kind}_customer', max_chars=200, width=170).strip()}"


def _held(feed: str, key: tuple[str, ...], desk: EditState, on: date) -> dict[str, str | None]:
    """What is in force for a key on a day, for a scope without anything of its own what is for everyone."""
    found = edits.effective_on(feed, desk.merged, key, on) or edits.effective_on(
        feed, desk.merged, (*key[:-1], EVERYONE), on
    )
    return edits.values_of(feed, found) or {}


def _field(key: str, of: tuple[str, ...], name: str, held: str | None) -> str | None:
    words = {"delivery_window": WINDOWS, "support_level": SUPPORT}.get(name)
    label = tables.label(of[0], name)
    if words:
        options = ("", *words)
        at = options.index(held) if held in options else 0
        return str(
            st.selectbox(
                label,
                options,
                index=at,
                format_func=lambda word: formatting.in_words(word) if word else "nothing promised",
                key=key,
                width=220,
            )
        )
    return st.text_input(label, held or "", key=key, width=260)


# --- preview and save ---------------------------------------------------------------------------------------------------------------------


def _keep(kind: str, make: Callable[[Connection], Edit]) -> None:
    """Keep an edit to be previewed, or say what is wrong with it."""
    try:
        with open_store(locate(), write=False) as store:
            edit = edits.edit_from_row(store, make(store))
        if not edit.deleted:
            with warehouse.reading(locate(), page.generation()) as connection:
                edit = validate_edit(connection, edit)
    except (ValueError, StoreUnusable) as error:
        st.session_state.pop(f"edit_{kind}", None)
        _wrong(error)
        return
    st.session_state[f"edit_{kind}"] = edit


def _previewed(kind: str, desk: EditState) -> None:
    edit: Edit | None = st.session_state.get(f"edit_{kind}")
    if edit is None:
        return
    filters = page.current_filters()
    view = {"start": filters.start, "end": filters.end, "where": filters.where, "on": filters.period.elapsed}
    what, whom = tables.named(edit.feed, edit.key)
    st.subheader(formatting.markdown(f"{what}, {whom}"), anchor=False)
    theme.show_html(tables.step(edit, _held(edit.feed, edit.key, desk, edit.valid_from)))
    asked = (edit, view, page.generation(), desk.latest)
    held, found = st.session_state.get(f"preview_{kind}", (None, None))
    try:
        if held != asked:
            with st.spinner("Working it out …"):
                found = preview(locate(), edit, **view, generation=page.generation())
            st.session_state[f"preview_{kind}"] = (asked, found)
    except StoreUnusable as error:
        _wrong(error)
        return
    st.caption(formatting.markdown(tables.extent(found, edit, filters.start, filters.end)))
    if found.moved:
        theme.show_html(tables.preview(found))
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        user_name.name_field()
        st.button("Save", type="primary", key=f"{kind}_save", on_click=_save, args=(kind, edit))
        st.button("Discard", key=f"{kind}_discard", on_click=_discard, args=(kind,))


def _wrong(error: object) -> None:
    theme.show_html(f'<div role="alert">{cards.banner(formatting.html(error))}</div>')


def _discard(kind: str) -> None:
    st.session_state.pop(f"edit_{kind}", None)


def _save(kind: str, edit: Edit) -> None:
    if not user_name.has_user_name():
        st.session_state[f"told_{kind}"] = ("Give your name first: it stands beside what you change.", True)
        return
    try:
        with warehouse.reading(locate()) as connection, open_store(locate()) as store:
            rows = edits.merged(edit.feed, edits.rows_of(connection, edit.feed), edits.saved_entries(store, edit.feed))
            was = edits.values_of(edit.feed, edits.effective_on(edit.feed, rows, edit.key, edit.valid_from))
            edits.save(store, user_name.user_name(), edit, edits.value_at(edit.feed, rows, edit), was)
    except (ChangedMeanwhile, StoreUnusable) as error:
        st.session_state[f"told_{kind}"] = (str(error), True)
        return
    _discard(kind)
    goes = background_apply.request_apply()
    said = "Saved; the numbers follow in a moment." if goes else "Saved. `buyerview apply` brings it into the numbers."
    st.session_state[f"told_{kind}"] = (said, False)


def _told(kind: str) -> None:
    text, wrong = st.session_state.pop(f"told_{kind}", ("", False))
    if wrong:
        _wrong(text)
    elif text:
        st.toast(text, icon=":material/check:")


@st.fragment(run_every=SECONDS)
def _waiting(kind: str) -> None:
    """What is saved and not yet in the numbers, and why not; looks again by itself."""
    desk = load_state(FORMS[kind])
    if not desk.pending:
        return
    waits = f"{formatting.count(len(desk.pending), 'edit')} saved and not yet in the numbers"
    if background_apply.running():
        theme.show_html(f'<p class="bv" role="status"><b>{waits}:</b> they follow in a moment …</p>')
    elif desk.refused:
        theme.show_html(
            f'<div role="alert">{cards.banner(f"<b>{waits}.</b> The last try failed: {formatting.html(desk.refused)}")}</div>'
        )
    else:
        theme.show_html(f'<p class="bv" role="status"><b>{waits}.</b></p>')
    for name, why in desk.rejected.items():
        _rejected(kind, desk, name, why)
    if background_apply.is_available() and not background_apply.running():
        st.button("Bring in now", key=f"{kind}_apply", on_click=background_apply.request_apply)
    elif not background_apply.is_available():
        st.caption("`buyerview apply` brings it in.")


def _rejected(kind: str, desk: EditState, name: str, why: str) -> None:
    """An edit that broke a rule when it was brought in: what was written, why not, and the way back."""
    change = next(one for one in desk.changes if one["key"] == name)
    wrote = ", ".join(
        f"{column} {change['after'][column]}"
        for column in edits.value_columns(FORMS[kind].feed)
        if change["after"].get(column)
    )
    said = f"<b>{formatting.html(name)}: {formatting.html(wrote)}</b> was refused. {formatting.html(why)} Change it under Change, or take it back."
    theme.show_html(f'<div role="alert">{cards.banner(said)}</div>')
    if st.button("Show what taking it back changes", key=f"{kind}_rejected_{change['entry']}"):
        _keep(kind, lambda store: edits.reverting(store, change))
        st.rerun()


def _history(kind: str, one: EditForm, desk: EditState) -> None:
    with st.expander(f"Who changed what ({len(desk.changes)})", key=f"history_{kind}"):
        theme.show_html(tables.history(one.feed, desk.changes[:SHOWN]))
        numbers: dict[int, Any] = {change["entry"]: change for change in desk.changes[:SHOWN]}
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            entry = st.selectbox(
                "Take back change",
                list(numbers),
                format_func=lambda number: f"no. {number}",
                key=f"{kind}_back",
                width=170,
            )
            if st.button("Show what taking it back changes", key=f"{kind}_revert"):
                _keep(kind, lambda store: edits.reverting(store, numbers[entry]))
                st.rerun()
