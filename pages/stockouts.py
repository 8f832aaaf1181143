"""Stockouts: their outcome for the buyer, their cost, and the value of a better fill rate."""

from contextlib import nullcontext

import streamlit as st

from dashboard.components import theme
from dashboard.editing import form
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import stockouts, stockouts_calculator

view = page_view("stockouts")
has_stockouts = stockouts.stockouts_headline(view)
if has_stockouts:
    counts = stockouts.by_outcome(view)
    left, right = st.columns(2, gap="small")
    with left, theme.card("outcomes", height="stretch"):
        stockouts.outcomes(view.answers, counts)
    with right, theme.card("costs", height="stretch"):
        stockouts.costs(view.answers, counts)
with theme.card("calculator"):
    st.header("What is a better fill rate worth?", anchor=False)
    with nullcontext() if has_stockouts else st.expander("Calculator", key="calculator_open"):
        stockouts_calculator.calculator(view)
measure_table(view)
form.edit_form("assumptions")
