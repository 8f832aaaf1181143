"""Communications: notice of late orders, messages by phase, and the four dimensions of service."""

import streamlit as st

from dashboard.components import theme
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import communications

view = page_view("communications")
communications.communications_headline(view)
left, right = st.columns([3, 2], gap="small")
with left, theme.card("notice", height="stretch"):
    communications.notice(view)
with right, theme.card("phases", height="stretch"):
    communications.phases(view)
with theme.card("dimensions"):
    communications.dimensions(view)
measure_table(view)
