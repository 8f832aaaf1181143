"""Can the numbers be trusted? How fresh the data is, what was rejected and why, what later records changed."""

import streamlit as st

from dashboard import look, page, quality

page.subtitle("How fresh the data is, what was checked, what was rejected and why, and what later records changed.")
with look.card("summary"):
    look.html(quality.summary())
with look.card("quarantine"):
    st.header("Rejected records", anchor=False)
    quality.quarantine()
left, right = st.columns([3, 2], gap="small")
with left, look.card("feeds", height="stretch"):
    st.header("Every row accounted for", anchor=False)
    look.html(quality.feeds())
with right, look.card("stand_ins", height="stretch"):
    st.header("Stand-ins", anchor=False)
    look.html(quality.stand_ins())
with look.card("runs"):
    st.header("Runs", anchor=False)
    quality.runs()
with look.card("restatements"):
    st.header("Restatements", anchor=False)
    quality.restatements()
