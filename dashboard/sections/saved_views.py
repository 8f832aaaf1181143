"""The list of saved views. The form that saves a view is in dashboard/frame/save_view.py."""

import shlex
from collections.abc import Callable
from urllib.parse import parse_qsl

import streamlit as st
from sqlalchemy import Connection

from dashboard import queries
from dashboard.components import cards, formatting, tables, theme
from dashboard.components.tables import Cell
from dashboard.frame import access, menu_entries, messages, page, save_view, user_name
from dashboard.frame.filters import SAVE_VIEW
from dashboard.measure_page.cells import link_cell
from metrics.access import Action
from metrics.errors import StoreUnusable
from metrics.lists.rows import Row
from metrics.measures.catalog import MEASURES
from metrics.store import saved_views
from metrics.store.connection import open_store
from metrics.warehouse import locate

MEASURE_PARTS = ("measure", "m")
"""Parts of an address that name measures."""


def list_views() -> None:
    """Draw the saved views as links; users can rename and delete their own."""
    st.header("Saved views", anchor=False)
    if message := messages.read("_views_told", ""):
        theme.show_html(cards.banner(formatting.html(message)))
    try:
        with open_store(locate(), write=False) as store:
            listed = saved_views.views(store, user_name.user_name())
        if not queries.sees_every_row():  # filters of other persons may name customers outside the scope
            listed = [view for view in listed if view["owner"] == user_name.user_name()]
    except StoreUnusable as error:
        theme.show_html(cards.empty("Views cannot be read", formatting.html(error)))
        return
    if not listed:
        theme.show_html(
            cards.empty("No saved views yet", f"Open a page, choose period and filters, then <b>{SAVE_VIEW}</b>.")
        )
        return
    rows = [
        [
            Cell(
                markup=link_cell(view["name"], view_url(view)).markup,
                small=unavailable_parts(view),
            ),
            Cell(next((entry.title for entry in menu_entries.ENTRIES if entry.path == view["page"]), view["page"])),
            Cell(_chosen(view)),
            Cell(view["owner"], small="shared" if view["shared"] else "private"),
        ]
        for view in listed
    ]
    theme.show_html(tables.table(("View", "Page", "Filters", "Owner"), rows, caption="Saved views"))
    command = f"buyerview digest --view {shlex.quote(listed[0]['name'])} --pdf --to ada@example.com"
    theme.show_html(
        '<p class="bv bv-muted">To send a view regularly, schedule the command '
        f"<code>{formatting.html(command)}</code></p>"
    )
    own = {view["view_id"]: view for view in listed if view["owner"] == user_name.user_name()}
    if own and access.may(Action.SAVE_VIEWS):
        with (
            st.expander("Rename or delete your views", key="views_change"),
            st.container(horizontal=True, vertical_alignment="bottom", gap="small"),
        ):
            number = st.selectbox(
                "View", list(own), format_func=lambda one: own[one]["name"], key="view_changed", width=220
            )
            name = st.text_input(
                "New name",
                value=own[number]["name"],
                key=f"view_renamed_{number}",
                max_chars=save_view.LONGEST,
                width=220,
            )
            shared = st.checkbox("Share with others", value=own[number]["shared"], key=f"view_reshared_{number}")
            st.button("Save", on_click=_rename, args=(number, name, shared), key="view_save", disabled=not name.strip())
            st.button("Delete", on_click=_remove, args=(number,), key="view_delete", icon=":material/delete:")


def view_url(view: Row) -> str:
    """Return the address of a view."""
    return f"/{view['page']}" + (f"?{view['query']}" if view["query"] else "")


def unavailable_parts(view: Row) -> str:
    """Return the page, measures and filter values of a view that no longer exist; "" if all exist."""
    options = page.data_status().options
    gone = [] if any(entry.path == view["page"] for entry in menu_entries.ENTRIES) else [f"the page {view['page']}"]
    for part, value in parse_qsl(view["query"]):
        if part in MEASURE_PARTS and value not in MEASURES:
            gone.append(f"the measure {value}")
        elif options.get(part) and value not in options[part]:
            gone.append(f"{formatting.in_words(part).lower()} {value}")
    return f"no longer available: {', '.join(gone)}" if gone else ""


def _chosen(view: Row) -> str:
    parts = [f"{formatting.in_words(part).lower()} {value}" for part, value in parse_qsl(view["query"])]
    return ", ".join(parts) or "none"


@access.guarded(Action.SAVE_VIEWS)
def _rename(number: int, name: str, shared: bool) -> None:
    _change(
        lambda store: saved_views.rename(
            store, user_name.user_name(), number, name.strip(), shared=shared, at=save_view.now()
        )
    )


@access.guarded(Action.SAVE_VIEWS)
def _remove(number: int) -> None:
    _change(lambda store: saved_views.remove(store, user_name.user_name(), number))


def _change(change: Callable[[Connection], None]) -> None:
    try:
        with open_store(locate()) as store:
            change(store)
    except StoreUnusable as error:
        st.session_state["_views_told"] = str(error)
