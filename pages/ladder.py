"""The same orders under ever stricter definitions of good, and exactly which orders another policy flips."""

import streamlit as st

from dashboard import format as fmt
from dashboard import look, page, rungs

filters = page.chosen()
page.subtitle(f"Due {fmt.span(filters.start, filters.end)} · {filters.label}")
with look.card("ladder"):
    found = rungs.climb(filters)
    look.html(rungs.table(found))
    st.caption(f"{found.orders:,} orders known on every rung shown; {found.dropped:,} left out because some rung cannot tell.")
with look.card("flips"):
    st.header("Orders that flip", anchor=False)
    other, verdict = rungs.policy()
    rungs.flips(rungs.compared(filters, other, verdict))
