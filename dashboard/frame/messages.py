"""Messages about the last click: a callback stores one, and the page that follows shows it once.

A message is removed only after the page is drawn to its end. A run that another one interrupts shows it again, because
the browser may never have shown the first.
"""

from typing import TypeVar

import streamlit as st

SHOWN = "_messages_shown"
T = TypeVar("T")


def read(key: str, default: T) -> T:
    """Return the message under `key`, or the default; `remove_shown` then removes it."""
    st.session_state.setdefault(SHOWN, set()).add(key)
    found: T = st.session_state.get(key, default)
    return found


def forget_interrupted() -> None:
    """Begin a run: messages that an interrupted run has shown are shown again."""
    st.session_state[SHOWN] = set()


def remove_shown() -> None:
    """End a run that drew its page to the end: remove the messages it showed."""
    for key in st.session_state.get(SHOWN, set()):
        st.session_state.pop(key, None)
