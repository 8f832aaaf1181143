"""Links from the order timeline to the list it was opened from: back to the list, previous order, next order."""

from collections.abc import Callable, Mapping

import streamlit as st

from dashboard.frame.filters import Filters
from dashboard.orders import list_choices
from metrics.errors import StoreUnusable
from metrics.lists.rows import Place

Lists = Mapping[str, tuple[Callable[[Filters, str], Place | None], int]]
"""Lists by path: the function that finds the place of an order, and the number of rows of a page."""


def order_in_list(lists: Lists, filters: Filters, order_id: str) -> None:
    """Draw the links, if the address names one of the lists. At an end of the list a button is disabled."""
    path = st.query_params.get(list_choices.LIST, "")
    if path not in lists:
        return
    place_of, size = lists[path]
    try:
        place = place_of(filters, order_id)
    except StoreUnusable:  # the work panel shows the error
        place = None
    back = list_choices.in_address()
    if place is not None and place.position > size:
        back[list_choices.PAGE] = [str((place.position - 1) // size + 1)]
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="order_in_list"):
        st.page_link(
            st.session_state["_pages"][path],
            label="Back to the list",
            icon=":material/arrow_back:",
            query_params=back,
            width="content",
        )
        _button("Previous order", ":material/chevron_left:", place.previous if place else None)
        _button("Next order", ":material/chevron_right:", place.following if place else None)


def _button(label: str, icon: str, order_id: str | None) -> None:
    st.button(label, icon=icon, disabled=order_id is None, on_click=_open, args=(order_id,), key=label)


def _open(order_id: str) -> None:
    st.query_params["order"] = st.session_state["find"] = order_id
