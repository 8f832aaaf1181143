"""Messages about the last click survive a run that another one interrupts."""

from streamlit.testing.v1 import AppTest


def _page() -> None:
    import streamlit as st

    from dashboard.frame import messages

    messages.forget_interrupted()
    st.text(messages.read("problem", "none"))
    if not st.session_state.get("interrupted"):
        st.session_state["interrupted"] = True
        st.rerun()
    messages.remove_shown()


def test_a_message_is_shown_again_after_an_interrupted_run_and_then_removed() -> None:
    at = AppTest.from_function(_page)
    at.session_state["problem"] = "Choose a remedy."
    assert at.run().text[0].value == "Choose a remedy."
    assert at.run().text[0].value == "none"
