"""Was the buyer told before, during and after; in time, and rightly; and were special wishes met?"""

import streamlit as st

from dashboard.components import theme
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import communications

filters = page.current_filters()
communications.headline(filters)
left, right = st.columns([3, 2], gap="small")
with left, theme.card("notice", height="stretch"):
    communications.notice(filters)
with right, theme.card("phases", height="stretch"):
    communications.phases(filters)
with theme.card("dimensions"):
    communications.dimensions(filters)
measure_table.measure_table("communications")
