"""Who acts: a name typed once, kept for the visit and, as a cookie, by the browser it was typed in.

It is not in the address, or whoever opens a copied link would act under it. It proves nothing: there is no sign-in.
"""

from urllib.parse import quote, unquote

import streamlit as st

NOBODY = "someone"
"""Who acts while no name is given."""

LONGEST = 60
COOKIE = "buyerview_name"
KEPT_FOR = 365 * 86_400
"""Seconds a browser keeps the name."""


def user_name() -> str:
    """The name of whoever sits at the screen."""
    name: str | None = st.session_state.get("who")
    return (_remembered() if name is None else name).strip() or NOBODY


def has_user_name() -> bool:
    """Whether a name was given."""
    return user_name() != NOBODY


def _remembered() -> str:
    """The name this browser kept from a visit before; "" where there is none."""
    return unquote(st.context.cookies.get(COOKIE, ""))[:LONGEST]


def name_field(*, width: int = 190) -> None:
    """Draw the field for the name."""
    st.text_input(
        "Your name",
        _remembered(),
        key="who",
        max_chars=LONGEST,
        placeholder="Who are you?",
        autocomplete="name",
        persist_state="session",
        help="Stands beside what you write; this browser remembers it",
        width=width,
    )


def remember_user_name() -> None:
    """Have the browser keep a name that was typed, or forget one that was cleared."""
    name: str | None = st.session_state.get("who")
    if name is None or name.strip() == _remembered():
        return
    seconds = KEPT_FOR if name.strip() else 0
    value = quote(name.strip(), safe="")  # nothing that could end the text it stands in
    with st.container(key="who_kept"):
        st.html(
            f'<script>document.cookie = "{COOKIE}={value}; path=/; max-age={seconds}; samesite=lax" + '
            '(location.protocol === "https:" ? "; secure" : "")</script>',
            unsafe_allow_javascript=True,
        )
