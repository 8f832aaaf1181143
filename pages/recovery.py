"""Recovery and support: recovery funnel, reorder curves, cases and returns."""

import streamlit as st

from dashboard.components import theme
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import recovery

view = page_view("recovery")
recovery.recovery_headline(view)
left, right = st.columns(2, gap="small")
with left, theme.card("way", height="stretch"):
    recovery.recovery_funnel(view)
with right, theme.card("came_back", height="stretch"):
    recovery.reorder_curves(view)
left, right = st.columns(2, gap="small")
with left, theme.card("cases", height="stretch"):
    recovery.cases(view)
with right, theme.card("returns", height="stretch"):
    recovery.returns(view)
measure_table(view)
