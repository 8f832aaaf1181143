"""Our verdicts against the buyer's own scorecard."""

import streamlit as st

from dashboard.components import theme
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import two_books

filters = page.current_filters()
two_books.headline(filters)
left, right = st.columns([3, 2], gap="small")
with left, theme.card("causes", height="stretch"):
    two_books.causes(filters)
with right, theme.card("verdicts", height="stretch"):
    two_books.verdicts(filters)
with theme.card("disputed"):
    two_books.orders(filters)
measure_table.measure_table("two_books")
