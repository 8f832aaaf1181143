"""Buyer's view: the five tests, the perfect order, and the tests that fail together."""

import streamlit as st

from dashboard.components import theme
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import buyers_view

view = page_view("buyers_view")
if buyers_view.buyers_view_headline(view):
    left, right = st.columns(2, gap="small")
    with left, theme.card("tests", height="stretch"):
        buyers_view.five_tests(view)
    with right, theme.card("together", height="stretch"):
        buyers_view.failing_together(view)
    buyers_view.perfect_order_trend(view)
measure_table(view)
