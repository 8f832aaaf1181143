"""The edit card: choose a value, change it, preview the effect, save; values in effect and history below.

The preview runs the normal queries. A saved edit goes to the store; a background run applies it
(`background_apply.py`), and the page then refreshes automatically. Until then the card shows it as pending.
"""

from collections.abc import Callable
from datetime import date

import streamlit as st
from sqlalchemy import Connection

from dashboard import queries
from dashboard.components import cards, formatting, theme
from dashboard.components.locale import reader
from dashboard.editing import background_apply, tables, units
from dashboard.editing.state import FORMS, EditForm, EditState, load_state
from dashboard.editing.units import Kind
from dashboard.frame import access, live_refresh, messages, page, user_name
from metrics import warehouse
from metrics.access import Action
from metrics.edits import edits
from metrics.edits.edits import Edit
from metrics.edits.preview import preview
from metrics.edits.validation import FIRST, LAST, SUPPORT, WINDOWS, validate_edit
from metrics.errors import ChangedMeanwhile, StoreUnusable
from metrics.facts.assumptions import EVERYONE
from metrics.schema import Row
from metrics.store.connection import open_store
from metrics.warehouse import locate

SECONDS = 3
"""Seconds between two checks of pending edits."""
SHOWN = 30
"""Number of changes in the history."""
CUSTOMER = "one customer"


def edit_form(kind: str) -> None:
    """Draw the card of one of FORMS."""
    form = FORMS[kind]
    with theme.card(f"edit_{kind}"):
        st.header(form.title, anchor=False)
        if not queries.sees_every_row():
            st.caption("These values concern all rows, and you see a part of the rows.")
            return
        try:
            state = load_state(form)
        except StoreUnusable as error:
            _wrong(error)
            return
        if saved := messages.read(f"saved_{kind}", ""):
            st.toast(saved, icon=":material/check:")
        if state.pending:
            _waiting(kind)
        may_edit = access.may(Action.EDIT_NUMBERS)
        if not may_edit:
            st.caption("Editors can change these values.")
        elif page.generation() != state.newest:
            st.caption("Only the newest data version can be edited. Choose Show newest data.")
        else:
            with st.expander(
                "Edit values", icon=":material/edit:", expanded="target" in st.query_params, key=f"open_{kind}"
            ):
                _form(kind, form, state)
            _previewed(kind, state)
        today = _today()
        with st.expander(f"Values in effect on {formatting.day(today)}", key=f"force_{kind}"):
            theme.show_html(tables.in_force(form.feed, state.merged, today))
        if state.changes:
            _history(kind, form, state, may_edit=may_edit)


def _today() -> date:
    """Return the day of the end of the data. An edit valid from that day on is in effect in the newest numbers."""
    at = page.as_of()
    return at.date() if at is not None else date.today()


# ------------------------------------------------------------------------------------------------------------- editing


def _form(kind: str, form: EditForm, state: EditState) -> None:
    st.caption(form.hint)
    segments = page.data_status().options.get("segment", [])
    segments_with_package = (
        sorted({*segments, *(row["service_segment"] for row in state.merged)})
        if form.feed == "service_packages"
        else []
    )
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if form.feed == "service_packages":
            key: tuple[str, ...] = (
                str(st.selectbox("Segment", segments_with_package, key=f"{kind}_segment", width=190)),
            )
        else:
            key = (_what(kind, form.names), _scope(kind, segments))
    current = _current_values(form.feed, key, state, _today())
    with st.form(f"{kind}_form", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            values = {
                name: _field(f"{kind}_{'_'.join(key)}_{name}", form.feed, key, name, current.get(name))
                for name in edits.value_columns(form.feed)
            }
            since = st.date_input(
                "Valid from",
                min(_today(), page.current_filters().period.elapsed) if kind == "targets" else _today(),
                min_value=FIRST,
                max_value=LAST,
                format=reader().date_input,
                key=f"{kind}_since",
                width=150,
            )
            note = st.text_input("Reason (optional)", key=f"{kind}_note", width=340)
        submitted = st.form_submit_button("Preview edit", icon=":material/visibility:")
    if submitted:
        _keep(kind, lambda _: Edit(form.feed, key, since, _stored(form.feed, key, values), note))


def _what(kind: str, names: dict[str, str]) -> str:
    if kind == "targets":
        return page.select("Measure", list(names), names, key="target", width=340)
    chosen: str = st.selectbox("Number", list(names), format_func=names.__getitem__, key=f"{kind}_what", width=460)
    return chosen


def _scope(kind: str, segments: list[str]) -> str:
    scopes = [EVERYONE, *(f"segment:{segment}" for segment in segments), CUSTOMER]
    chosen: str = st.selectbox("For", scopes, format_func=tables.scope, key=f"{kind}_scope", width=160)
    if chosen != CUSTOMER:
        return chosen
    return f"customer:{st.text_input('Customer number', key=f'{kind}_customer', max_chars=200, width=170).strip()}"


def _current_values(feed: str, key: tuple[str, ...], state: EditState, on: date) -> dict[str, str | None]:
    """Return the values in effect for a key on a day; those for everyone if the scope has none of its own."""
    row = edits.effective_on(feed, state.merged, key, on) or edits.effective_on(
        feed, state.merged, (*key[:-1], EVERYONE), on
    )
    return edits.values_of(feed, row) or {}


def _stored(feed: str, key: tuple[str, ...], values: dict[str, str | None]) -> dict[str, str | None]:
    """Return typed values as the store keeps them: percentages as shares. Raises ValueError if one is out of range."""
    return {
        name: units.stored_share(text, tables.TITLES[name].capitalize())
        if text and units.kind(feed, key, name) is Kind.PERCENT
        else text
        for name, text in values.items()
    }


def _field(key: str, feed: str, of: tuple[str, ...], name: str, current: str | None) -> str | None:
    words = {"delivery_window": WINDOWS, "support_level": SUPPORT}.get(name)
    label, typed_as = tables.label(feed, of, name), units.kind(feed, of, name)
    if typed_as is Kind.YES_NO:
        codes = list(units.YES_NO)
        at = codes.index(current) if current in codes else codes.index("0")
        chosen: str = st.selectbox(label, codes, at, format_func=units.YES_NO.__getitem__, key=key, width=120)
        return chosen
    if words:
        options = ("", *words)
        at = options.index(current) if current is not None and current in options else 0
        return str(
            st.selectbox(
                label,
                options,
                index=at,
                format_func=lambda word: formatting.in_words(word) if word else "Not promised",
                key=key,
                width=220,
            )
        )
    shown = units.typed_percent(current) if typed_as is Kind.PERCENT else current
    return st.text_input(label, shown or "", key=key, width=260)


# ---------------------------------------------------------------------------------------------------- preview and save


def _keep(kind: str, make: Callable[[Connection], Edit]) -> bool:
    """Store an edit for the preview and return True, or draw the reason why it is invalid."""
    try:
        with open_store(locate(), write=False) as store:
            edit = edits.edit_from_row(store, make(store))
        if not edit.deleted:
            with warehouse.reading(locate(), page.generation()) as connection:
                edit = validate_edit(connection, edit)
    except (ValueError, StoreUnusable) as error:
        st.session_state.pop(f"edit_{kind}", None)
        _wrong(error)
        return False
    st.session_state[f"edit_{kind}"] = edit
    return True


def _previewed(kind: str, state: EditState) -> None:
    edit: Edit | None = st.session_state.get(f"edit_{kind}")
    if edit is None:
        return
    filters = page.current_filters()
    start, end, where, on = filters.start, filters.end, filters.where, filters.period.elapsed
    what, whom = tables.named(edit.feed, edit.key)
    st.subheader(formatting.markdown(f"{what}, {whom}"), anchor=False)
    theme.show_html(tables.step(edit, _current_values(edit.feed, edit.key, state, edit.valid_from)))
    wanted = (edit, start, end, where, on, page.generation(), state.latest)
    shown, effect = st.session_state.get(f"preview_{kind}", (None, None))
    try:
        if shown != wanted:
            with st.spinner("Calculating preview …"):
                effect = preview(locate(), edit, start=start, end=end, where=where, on=on, generation=page.generation())
            st.session_state[f"preview_{kind}"] = (wanted, effect)
    except StoreUnusable as error:
        _wrong(error)
        return
    st.caption(formatting.markdown(tables.extent(effect, edit, filters.start, filters.end)))
    if effect.moved:
        theme.show_html(tables.preview(effect))
    if problem := messages.read(f"problem_{kind}", ""):  # at the button: other places may be off screen
        _wrong(problem)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        user_name.name_field()
        st.button("Save edit", type="primary", key=f"{kind}_save", on_click=_save, args=(kind, edit))
        st.button("Discard edit", key=f"{kind}_discard", on_click=_discard, args=(kind,))


def _wrong(error: object) -> None:
    theme.show_html(f'<div role="alert">{cards.banner(formatting.html(error))}</div>')


def _discard(kind: str) -> None:
    st.session_state.pop(f"edit_{kind}", None)


@access.guarded(Action.EDIT_NUMBERS)
def _save(kind: str, edit: Edit) -> None:
    if not user_name.has_user_name():
        st.session_state[f"problem_{kind}"] = "Enter your name first. It appears in the change history."
        return
    try:
        with warehouse.reading(locate()) as connection, open_store(locate()) as store:
            rows = edits.merged(edit.feed, edits.rows_of(connection, edit.feed), edits.saved_entries(store, edit.feed))
            was = edits.values_of(edit.feed, edits.effective_on(edit.feed, rows, edit.key, edit.valid_from))
            edits.save(store, user_name.user_name(), edit, edits.value_at(edit.feed, rows, edit), was)
    except (ChangedMeanwhile, StoreUnusable) as error:
        st.session_state[f"problem_{kind}"] = str(error)
        return
    _discard(kind)
    if background_apply.apply_after_save():
        text = "Edit saved. The numbers will update shortly."
    elif not access.may(Action.APPLY):
        text = "Edit saved. The numbers will update when an administrator applies it."
    else:
        text = "Edit saved. Run `buyerview apply` to update the numbers."
    st.session_state[f"saved_{kind}"] = text


@live_refresh.every(SECONDS)
def _waiting(kind: str) -> None:
    """Draw the pending edits with the reason of a failure. Refreshes automatically."""
    state = load_state(FORMS[kind])
    if not state.pending:
        return
    waits = f"{formatting.count(len(state.pending), 'pending edit')}"
    if background_apply.running():
        theme.show_html(f'<p class="bv" role="status"><b>{waits}:</b> updating the numbers …</p>')
    elif state.refused:
        text = f"<b>{waits}.</b> The last update failed: {formatting.html(state.refused)}"
        theme.show_html(f'<div role="alert">{cards.banner(text)}</div>')
    else:
        theme.show_html(f'<p class="bv" role="status"><b>{waits}.</b></p>')
    for name, why in state.rejected.items():
        _rejected(kind, state, name, why)
    if not access.may(Action.APPLY):
        return
    if background_apply.is_available() and not background_apply.running():
        st.button("Apply edits", key=f"{kind}_apply", on_click=_apply)
    elif not background_apply.is_available():
        st.caption("Run `buyerview apply` to update the numbers.")


@access.guarded(Action.APPLY)
def _apply() -> None:
    background_apply.request_apply()


def _rejected(kind: str, state: EditState, name: str, why: str) -> None:
    """Draw an edit that a run rejected: its values, the reason, and the button that removes it."""
    change, feed = next(change for change in state.changes if change["key"] == name), FORMS[kind].feed
    key = [change["after"][column] for column in edits.key_columns(feed)]
    values = ", ".join(
        f"{tables.TITLES[column]} {units.shown(feed, key, column, change['after'][column])}"
        for column in edits.value_columns(feed)
        if change["after"].get(column)
    )
    text = f"<b>{formatting.html(name)}: {formatting.html(values)}</b> was rejected. {formatting.html(why)} "
    text += "Correct it under Edit values, or remove the edit."
    theme.show_html(f'<div role="alert">{cards.banner(text)}</div>')
    may_edit = access.may(Action.EDIT_NUMBERS)
    is_asked = may_edit and st.button("Preview removal", key=f"{kind}_rejected_{change['entry']}")
    if is_asked and _keep(kind, lambda store: edits.reverting(store, change)):
        st.rerun()


def _history(kind: str, form: EditForm, state: EditState, *, may_edit: bool) -> None:
    with st.expander(f"Change history ({len(state.changes)})", key=f"history_{kind}"):
        theme.show_html(tables.history(form.feed, state.changes[:SHOWN]))
        if not may_edit:
            return
        numbers: dict[int, Row] = {change["entry"]: change for change in state.changes[:SHOWN]}
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            entry = st.selectbox(
                "Edit to remove",
                list(numbers),
                format_func=lambda number: f"no. {number}",
                key=f"{kind}_back",
                width=170,
            )
            is_asked = st.button("Preview removal", key=f"{kind}_revert")
        if is_asked and _keep(kind, lambda store: edits.reverting(store, numbers[entry])):
            st.rerun()
