"""Access of people: a list of grants, the form that gives access, and the button that removes it."""

from datetime import UTC, datetime

import streamlit as st

from dashboard.components import cards, formatting, tables, theme
from dashboard.components.tables import Cell
from dashboard.frame import access, page, user_name
from metrics.access import ADDED, Access, Action, Role, Scope
from metrics.errors import BuyerviewError
from metrics.lists.rows import Row
from metrics.model.access_scope import SCOPE_COLUMNS, check_scope
from metrics.store import access as grants
from metrics.store import audit
from metrics.store.connection import open_store
from metrics.warehouse import locate

SHOWN = 20
"""Number of changes in the history."""


def people_with_access() -> None:
    """Draw the people with role and scope, the forms and the history; for administrators only."""
    if not access.may(Action.GRANT_ACCESS):
        with theme.card("refused"):
            theme.show_html(cards.empty("Only for administrators", "Ask an administrator of Buyerview."))
        return
    try:
        with open_store(locate(), write=False) as store:
            known, changes = grants.grants(store), audit.latest_entries(store, "access", limit=SHOWN)
    except BuyerviewError as error:
        theme.show_html(cards.empty("The access cannot be read", formatting.html(error)))
        return
    with theme.card("people"):
        st.header("People", anchor=False)
        _show_message()
        if known:
            rows = [[Cell(one.person), Cell(str(one.role)), Cell(_scope_text(one.scope))] for one in known]
            theme.show_html(tables.table(("Person", "Role", "Sees"), rows, caption="People with access"))
            with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
                people = [one.person for one in known]
                person = st.selectbox(
                    "Person", people, index=None, placeholder="Choose a person", key="access_revoked", width=300
                )
                sure = st.checkbox("This person loses access", key=f"access_sure_{person}", disabled=person is None)
                st.button("Remove access", on_click=_revoke, args=(person,), key="access_revoke", disabled=not sure)
        else:
            theme.show_html(cards.empty("Nobody has access yet", "Give the first person access below."))
    with theme.card("grant"):
        _grant_form()
    if changes:
        number = f"the latest {SHOWN}" if len(changes) == SHOWN else len(changes)
        with st.expander(f"Change history ({number})", key="access_history"):
            theme.show_html(tables.table(("When", "Who", "Change"), _history(changes), caption="Changes of access"))


def _grant_form() -> None:
    st.header("Give or change access", anchor=False)
    allowed = " ".join(f"{str(role).capitalize()}: {', '.join(actions)}." for role, actions in ADDED.items())
    st.caption(formatting.markdown(f"{allowed} Each role may also do what the roles before it may do."))
    options = page.data_status().options if page.has_data() else {}
    with st.form("access_form", border=False):
        with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
            st.text_input(
                "Person", key="access_person", max_chars=grants.LONGEST, placeholder="ada@example.com", width=300
            )
            st.selectbox("Role", [str(role) for role in Role], key="access_role", width=180)
        with (
            st.expander("Limit the rows that the person sees", key="access_limit"),
            st.container(horizontal=True, gap="small"),
        ):
            for name in SCOPE_COLUMNS:
                st.multiselect(
                    formatting.in_words(name),
                    options.get(name, []),
                    key=f"access_in_{name}",
                    accept_new_options=True,
                    placeholder="All",
                    width=240,
                )
        st.form_submit_button("Give access", type="primary", on_click=_grant)


@access.guarded(Action.GRANT_ACCESS)
def _grant() -> None:
    chosen = {name: tuple(st.session_state.get(f"access_in_{name}") or ()) for name in SCOPE_COLUMNS}
    scope: Scope = tuple((name, values) for name, values in chosen.items() if values)
    try:
        check_scope(scope)
        person = grants.person_name(st.session_state.get("access_person") or "")
        given = Access(person, Role(st.session_state["access_role"]), scope)
        with open_store(locate()) as store:
            grants.grant(store, user_name.user_name(), given, at=datetime.now(UTC).replace(tzinfo=None))
    except BuyerviewError as error:
        st.session_state["_access_told"] = (str(error), True)
        return
    st.session_state["_access_told"] = (f"{person} is {given.role} and sees {_scope_text(scope)}.", False)


@access.guarded(Action.GRANT_ACCESS)
def _revoke(person: str) -> None:
    try:
        with open_store(locate()) as store:
            grants.revoke(store, user_name.user_name(), person)
    except BuyerviewError as error:
        st.session_state["_access_told"] = (str(error), True)
        return
    st.session_state[f"access_sure_{person}"] = False  # asked again if the person gets access later
    st.session_state["_access_told"] = (f"{person} has no access any more.", False)


def _show_message() -> None:
    text, wrong = st.session_state.pop("_access_told", ("", False))
    if wrong:
        theme.show_html(f'<div role="alert">{cards.banner(formatting.html(text))}</div>')
    elif text:
        st.toast(formatting.markdown(text), icon=":material/check:")


def _scope_text(scope: Scope) -> str:
    parts = [f"{formatting.in_words(name).lower()} {' or '.join(values)}" for name, values in scope]
    return "; ".join(parts) or "everything"


def _history(changes: list[Row]) -> list[list[Cell]]:
    rows = []
    for change in changes:
        before, after = change["before"], change["after"]
        text = f"{change['key'].removeprefix('access ')}: {_state(before)} → {_state(after)}"
        rows.append([Cell(formatting.moment(change["at"])), Cell(change["who"]), Cell(text)])
    return rows


def _state(values: Row | None) -> str:
    if values is None:
        return "no access"
    scope = tuple((name, tuple(allowed)) for name, allowed in values["scope"])
    return f"{values['role']}, {_scope_text(scope)}"
