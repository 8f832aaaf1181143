"""Choices of a work list in an address: its filters, sort order and page. They lead from an order back to its list."""

import streamlit as st

LIST = "list"
"""Query parameter of the order timeline: the path of the list from which it was opened."""
CHOICES = ("show", "reason", "sort", "lever", "product")
PAGE = "page_no"
MAX_PAGE_DIGITS = 6
"""A larger number of a page would exceed the integers of SQL."""


def in_address() -> dict[str, list[str]]:
    """Return the choices of the list in the address, except its page."""
    return {name: st.query_params.get_all(name) for name in CHOICES if name in st.query_params}


def page_number(key: str) -> int:
    """Return the page of the list: that of its pager `key`, or of the address when the list opens."""
    asked = st.query_params.get(PAGE, "")
    if key not in st.session_state and asked.isdecimal() and len(asked) <= MAX_PAGE_DIGITS:
        st.session_state[key] = max(1, int(asked))
    return int(st.session_state.get(key, 1))
