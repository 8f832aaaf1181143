"""Our verdicts against the buyer's own scorecard."""

import streamlit as st

from dashboard import disputes, family, look, page

filters = page.chosen()
disputes.headline(filters)
left, right = st.columns([3, 2], gap="small")
with left, look.card("causes", height="stretch"):
    disputes.causes(filters)
with right, look.card("verdicts", height="stretch"):
    disputes.verdicts(filters)
with look.card("disputed"):
    disputes.orders(filters)
family.show("books")
