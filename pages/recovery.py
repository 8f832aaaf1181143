"""What failed, was it put right, and did the buyer come back? Cases, parts and returns."""

import streamlit as st

from dashboard.components import theme
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import recovery

filters = page.chosen()
recovery.headline(filters)
left, right = st.columns(2, gap="small")
with left, theme.card("way", height="stretch"):
    recovery.way(filters)
with right, theme.card("came_back", height="stretch"):
    recovery.show(filters)
left, right = st.columns(2, gap="small")
with left, theme.card("cases", height="stretch"):
    recovery.cases(filters)
with right, theme.card("returns", height="stretch"):
    recovery.returns(filters)
measure_table.show("recovery")
