"""The "Save view" form. A saved view stores the page and the filters, not the data version."""

from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import streamlit as st

from dashboard.components import formatting
from dashboard.frame import access, live_refresh, menu, menu_entries, messages, user_name
from dashboard.frame.menu_entries import Filter
from metrics.access import Action
from metrics.errors import StoreUnusable
from metrics.store import saved_views
from metrics.store.connection import open_store
from metrics.warehouse import locate

LONGEST = 80
OTHER_PAGES = {Filter.PERIOD: ("period", "dates"), Filter.COMPARE: ("compare",), Filter.GRAIN: ("grain",)}
"""Query parameters that the address keeps for other pages, by the filter that a page may lack."""


def now() -> datetime:
    """Return the current time (naive UTC)."""
    return datetime.now(UTC).replace(tzinfo=None)


def save_view_form() -> None:
    """Draw the form that saves the current page and filters under a name."""
    with st.form("keep_view", border=False):
        if access.signed_in() is None:
            st.text_input(
                "Your name",
                user_name.user_name() if user_name.has_user_name() else "",
                key="view_by",
                max_chars=user_name.LONGEST,
                placeholder="First and last name",
            )
        st.text_input("Name of the view", key="view_name", max_chars=LONGEST, placeholder="Monday, segment A")
        st.checkbox("Share with others", key="view_shared", value=True)
        st.form_submit_button("Save view", on_click=_save)
    message, is_saved = messages.read("_view_message", ("", False))
    if message:
        st.caption(formatting.markdown(message))
        if is_saved:
            menu.link("views-and-alerts", "Views and alerts")


@access.guarded(Action.SAVE_VIEWS)
def _save() -> None:
    name = (st.session_state.get("view_name") or "").strip()
    if not name:
        st.session_state["_view_message"] = ("Enter a name for the view.", False)
        return
    path = urlsplit(st.context.url or "").path.rpartition("/")[2]
    left_out = {live_refresh.PIN, *_parameters_of_other_pages(path)}
    chosen = [
        (part, value) for part in st.query_params if part not in left_out for value in st.query_params.get_all(part)
    ]
    try:
        with open_store(locate()) as store:
            shared = bool(st.session_state.get("view_shared"))
            saved_views.save(
                store,
                _owner(),
                name,
                path,
                urlencode(chosen),
                shared=shared,
                at=now(),
            )
    except StoreUnusable as error:
        st.session_state["_view_message"] = (str(error), False)
        return
    st.session_state["_view_message"] = (f"Saved as “{name}”.", True)


def _parameters_of_other_pages(path: str) -> list[str]:
    """Return the query parameters that do not narrow this page."""
    filters = next((entry.filters for entry in menu_entries.ENTRIES if entry.path == path), menu_entries.ALL_FILTERS)
    return [name for one, names in OTHER_PAGES.items() if one not in filters for name in names]


def _owner() -> str:
    """Return the signed-in person; without sign-in, the name typed in this form or elsewhere."""
    typed = (st.session_state.get("view_by") or "").strip() if access.signed_in() is None else ""
    if typed:
        user_name.use(typed)
    return typed or user_name.user_name()
