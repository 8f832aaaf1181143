"""Availability: the buyer's three questions, first-pass and final fill, and what was missing."""

import streamlit as st

from dashboard.components import theme
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import availability

view = page_view("availability")
if availability.availability_headline(view):
    left, right = st.columns(2, gap="small")
    with left, theme.card("questions", height="stretch"):
        availability.questions(view)
    with right, theme.card("fills", height="stretch"):
        availability.fills(view)
    with theme.card("short"):
        availability.products(view)
measure_table(view)
