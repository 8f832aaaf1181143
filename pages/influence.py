"""Inquiries, the options offered on price and lead time, what buyers chose, and how orders are fulfilled."""

import streamlit as st

from dashboard import family, look, offers, page

filters = page.chosen()
offers.headline(filters)
left, right = st.columns(2, gap="small")
with left, look.card("funnel", height="stretch"):
    offers.funnel(filters)
with right, look.card("chosen", height="stretch"):
    offers.chosen(filters)
with look.card("models"):
    offers.models(filters)
family.show("influence")
