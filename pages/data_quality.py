"""Can the numbers be trusted? How fresh the data is, what was rejected and why, what later records changed."""

import streamlit as st

from dashboard import look, page, quality, trust

page.subtitle("How fresh the data is, what was checked, what was rejected and why, and what later records changed.")
with look.card("summary"):
    look.html(trust.headline())
with look.card("checks"):
    trust.checks()
with look.card("quarantine"):
    st.header("Rejected records", anchor=False)
    quality.quarantine()
with look.card("feeds"):
    trust.feeds()
    look.html(quality.stand_ins())
with look.card("restatements"):
    st.header("Restatements", anchor=False)
    quality.restatements()
with look.card("runs"):
    st.header("Runs", anchor=False)
    quality.runs()
