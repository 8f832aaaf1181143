"""Data quality: freshness, failed checks, rejected records, feeds, restatements and runs."""

import streamlit as st

from dashboard.components import theme
from dashboard.frame import page
from dashboard.sections import data_quality, data_quality_quarantine, data_quality_records

page.subtitle("Data freshness, checks, rejected records and later corrections.")
with theme.card("summary"):
    theme.show_html(data_quality.headline())
with theme.card("checks"):
    data_quality.checks()
with theme.card("warnings"):
    data_quality_records.warnings()
with theme.card("quarantine"):
    st.header("Rejected records", anchor=False)
    data_quality_quarantine.quarantine()
with theme.card("feeds"):
    data_quality.feeds()
    theme.show_html(data_quality_records.stand_ins())
with theme.card("restatements"):
    st.header("Restatements", anchor=False)
    data_quality_records.restatements()
with theme.card("runs"):
    st.header("Runs", anchor=False)
    data_quality_records.runs()
