"""The user's name. It comes from the sign-in. Without sign-in it is typed once and remembered in a cookie.

The address does not contain it, because a person who opens a copied link would then act under that name.
"""

from urllib.parse import quote, unquote

import streamlit as st

from dashboard.frame import access

NOBODY = "someone"
"""Name of a user who has not typed one."""

LONGEST = 60
COOKIE = "buyerview_name"
COOKIE_SECONDS = 365 * 86_400
"""Lifetime of the cookie."""


def user_name() -> str:
    """Return the user's name."""
    named = access.signed_in()
    if named is not None:
        return named[0]
    name: str | None = st.session_state.get("who")
    return (_remembered() if name is None else name).strip() or NOBODY


def has_user_name() -> bool:
    """Return True if the user has signed in or typed a name."""
    return user_name() != NOBODY


def use(name: str) -> None:
    """Use a name that was typed in another field. The next page run remembers it."""
    st.session_state["who"] = name


def _remembered() -> str:
    """Return the name in the browser's cookie; "" if there is none."""
    return unquote(st.context.cookies.get(COOKIE, ""))[:LONGEST]


def name_field(*, width: int = 190) -> None:
    """Draw the field for the name, unless the sign-in gives it."""
    if access.signed_in() is not None:
        return
    st.text_input(
        "Your name",
        _remembered(),
        key="who",
        max_chars=LONGEST,
        placeholder="First and last name",
        autocomplete="name",
        persist_state="session",
        help="Shown next to your edits and comments. This browser remembers it.",
        width=width,
    )


def remember_user_name() -> None:
    """Store a typed name in the browser's cookie, or delete the cookie of a cleared name."""
    if access.signed_in() is not None:
        return
    with st.container(key="who_kept"):  # always there, or the elements after it would move
        name: str | None = st.session_state.get("who")
        if name is None or name.strip() == _remembered():
            return
        seconds = COOKIE_SECONDS if name.strip() else 0
        value = quote(name.strip(), safe="")  # quoted, so that it cannot end the JavaScript string
        st.html(
            f'<script>document.cookie = "{COOKIE}={value}; path=/; max-age={seconds}; samesite=lax" + '
            '(location.protocol === "https:" ? "; secure" : "")</script>',
            unsafe_allow_javascript=True,
        )
