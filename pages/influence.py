"""Quotes and ordering: inquiries, options offered and chosen, and fulfilment models."""

import streamlit as st

from dashboard.components import theme
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import influence

view = page_view("influence")
influence.influence_headline(view)
left, right = st.columns(2, gap="small")
with left, theme.card("funnel", height="stretch"):
    influence.funnel(view)
with right, theme.card("chosen", height="stretch"):
    influence.options_chosen(view)
with theme.card("models"):
    influence.models(view)
measure_table(view)
