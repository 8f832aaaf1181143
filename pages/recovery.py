"""What failed, was it put right, and did the buyer come back? Cases, parts and returns."""

import streamlit as st

from dashboard.components import theme
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import recovery

filters = page.current_filters()
recovery.headline(filters)
left, right = st.columns(2, gap="small")
with left, theme.card("way", height="stretch"):
    recovery.recovery_funnel(filters)
with right, theme.card("came_back", height="stretch"):
    recovery.reorder_curves(filters)
left, right = st.columns(2, gap="small")
with left, theme.card("cases", height="stretch"):
    recovery.cases(filters)
with right, theme.card("returns", height="stretch"):
    recovery.returns(filters)
measure_table.measure_table("recovery")
