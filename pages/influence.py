"""Inquiries, the options offered on price and lead time, what buyers chose, and how orders are fulfilled."""

import streamlit as st

from dashboard.components import theme
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import influence

filters = page.current_filters()
influence.headline(filters)
left, right = st.columns(2, gap="small")
with left, theme.card("funnel", height="stretch"):
    influence.funnel(filters)
with right, theme.card("chosen", height="stretch"):
    influence.options_chosen(filters)
with theme.card("models"):
    influence.models(filters)
measure_table.measure_table("influence")
