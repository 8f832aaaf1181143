"""Was the buyer told before, during and after; in time, and rightly; and were special wishes met?"""

import streamlit as st

from dashboard import family, look, notices, page

filters = page.chosen()
notices.headline(filters)
left, right = st.columns([3, 2], gap="small")
with left, look.card("notice", height="stretch"):
    notices.notice(filters)
with right, look.card("phases", height="stretch"):
    notices.phases(filters)
with look.card("dimensions"):
    notices.dimensions(filters)
family.show("communications")
