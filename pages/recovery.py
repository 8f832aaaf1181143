"""What failed, was it put right, and did the buyer come back? Cases, parts and returns."""

import streamlit as st

from dashboard import came_back, family, look, page

filters = page.chosen()
came_back.headline(filters)
left, right = st.columns(2, gap="small")
with left, look.card("way", height="stretch"):
    came_back.way(filters)
with right, look.card("came_back", height="stretch"):
    came_back.show(filters)
left, right = st.columns(2, gap="small")
with left, look.card("cases", height="stretch"):
    came_back.cases(filters)
with right, look.card("returns", height="stretch"):
    came_back.returns(filters)
family.show("recovery")
