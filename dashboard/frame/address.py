"""Query parameters of the filters: the frame keeps them from page to page, also if a click drops them."""

from collections.abc import Collection

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.runtime.state.query_params import QueryParams

from dashboard.frame import live_refresh
from dashboard.frame.filters import MORE, Filters

KEPT_PARAMETERS = ("period", "dates", "segment", *MORE, "compare", "grain", live_refresh.PIN)
"""Query parameters of the frame, kept from page to page."""


def filters_url() -> dict[str, list[str]]:
    """Return the query parameters that the frame keeps from page to page; {} outside a browser session."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return {}
    kept: dict[str, list[str]] = st.session_state.get("_address", {})
    return kept


def dropped_values(path: str) -> dict[str, list[str]]:
    """Return the complete query parameters if the change to the page at `path` dropped the filters; else {}.

    A menu link clicked before the controls are drawn has no filters, because Streamlit keeps only parameters that a
    control has bound. Going back to an address without filters does not count. The parameters are unbound, so that they
    can be set.
    """
    came_from, before = st.session_state.get("_path"), filters_url()
    st.session_state["_path"] = path
    context = get_script_run_ctx(suppress_warning=True)
    now = _of_address()
    if came_from in (None, path) or not before or now or (context is not None and context.is_history_navigation):
        st.session_state["_address"] = now  # also if this run stops early
        return {}
    whole = {name: st.query_params.get_all(name) for name in st.query_params} | before
    if context is not None:
        with context.session_state.query_params() as parameters:
            _unbind(parameters, whole)
    return whole


def _unbind(parameters: QueryParams, names: Collection[str]) -> None:
    """Unbind query parameters from their controls: Streamlit refuses to set a bound one.

    The server binds a parameter before the browser has the control, so it may be bound although a click dropped it.
    """
    for name in names:
        if (binding := parameters.get_binding_for_param(name)) is not None:
            parameters.unbind_widget(binding.widget_id)


def _of_address() -> dict[str, list[str]]:
    return {name: st.query_params.get_all(name) for name in KEPT_PARAMETERS if name in st.query_params}


def store_choice(filters: Filters) -> None:
    """Store the filters for the page of this run."""
    st.session_state["_filters"] = filters
    st.session_state["_address"] = _of_address()


def read_filters() -> Filters:
    """Return the filters of this run."""
    filters: Filters = st.session_state["_filters"]
    return filters
