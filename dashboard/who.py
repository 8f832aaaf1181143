"""Who acts: a name typed once and kept for the visit. It is not in the address, or whoever opens a copied link would act under it."""

import streamlit as st

NOBODY = "someone"
"""Who acts while no name is given."""

LONGEST = 60


def me() -> str:
    """The name of whoever sits at the screen."""
    return (st.session_state.get("who") or "").strip() or NOBODY


def known() -> bool:
    """Whether a name was given."""
    return me() != NOBODY


def ask(*, width: int = 190) -> None:
    """Draw the field for the name."""
    st.text_input(
        "Your name",
        key="who",
        max_chars=LONGEST,
        placeholder="Who are you?",
        autocomplete="name",
        persist_state="session",
        help="Stands beside what you write; kept until you leave",
        width=width,
    )
