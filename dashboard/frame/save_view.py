"""Keeping what one looks at as a view, from the filter bar: the page and what was chosen, without the generation."""

from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

import streamlit as st

from dashboard.components import formatting
from dashboard.frame import live_refresh, user_name
from metrics.errors import StoreUnusable
from metrics.store import saved_views
from metrics.store.connection import open_store
from metrics.warehouse import locate

LONGEST = 80


def now() -> datetime:
    """Naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)


def save_view_form() -> None:
    """A name for what is on the screen, and the button that keeps it."""
    with st.form("keep_view", border=False):
        st.text_input(
            "By",
            user_name.user_name() if user_name.has_user_name() else "",
            key="view_by",
            max_chars=user_name.LONGEST,
            placeholder="Your name",
        )
        st.text_input("Keep this view as", key="view_name", max_chars=LONGEST, placeholder="Monday, segment A")
        st.checkbox("Others may see it", key="view_shared", value=True)
        st.form_submit_button("Save view", on_click=_keep)
    if told := st.session_state.pop("_view_told", None):
        st.caption(formatting.markdown(told))


def _keep() -> None:
    name = (st.session_state.get("view_name") or "").strip()
    if not name:
        st.session_state["_view_told"] = "Give the view a name first."
        return
    path = urlsplit(st.context.url or "").path.rpartition("/")[2]
    chosen = [
        (part, value) for part in st.query_params if part != live_refresh.PIN for value in st.query_params.get_all(part)
    ]
    try:
        with open_store(locate()) as store:
            shared = bool(st.session_state.get("view_shared"))
            saved_views.save(
                store,
                (st.session_state.get("view_by") or user_name.user_name()).strip(),
                name,
                path,
                urlencode(chosen),
                shared=shared,
                at=now(),
            )
    except StoreUnusable as error:
        st.session_state["_view_told"] = str(error)
        return
    st.session_state["_view_told"] = f"Kept as “{name}”. Views and alerts lists it."
