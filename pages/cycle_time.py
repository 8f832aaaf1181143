"""Cycle time and promise: days taken and promised, reliability by carrier, padding."""

import streamlit as st

from dashboard.components import theme
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import cycle_time, cycle_time_padding

view = page_view("cycle_time")
if cycle_time.cycle_time_headline(view):
    left, right = st.columns(2, gap="small")
    with left, theme.card("spread", height="stretch"):
        cycle_time.spread(view)
    with right, theme.card("carriers", height="stretch"):
        cycle_time.carriers(view)
    with theme.card("padding"):
        cycle_time_padding.padding_against_kept(view)
measure_table(view)
