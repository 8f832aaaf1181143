"""Scorecard reconciliation: our verdicts against the buyer's own scorecard."""

import streamlit as st

from dashboard.components import theme
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import two_books

view = page_view("two_books")
two_books.two_books_headline(view)
left, right = st.columns([3, 2], gap="small")
with left, theme.card("causes", height="stretch"):
    two_books.causes(view)
with right, theme.card("verdicts", height="stretch"):
    two_books.verdicts(view)
with theme.card("disputed"):
    two_books.disputed_orders(view)
measure_table(view)
