"""The same orders under ever stricter definitions of good, and exactly which orders another policy flips."""

import streamlit as st

from dashboard import data, look, page, rungs
from dashboard import format as fmt

filters = page.chosen()
page.subtitle(f"Due {fmt.span(filters.start, filters.end)} · {filters.label}")
if not data.standing(page.generation(), filters.start, filters.end, filters.where)["judged"]:
    page.no_orders(filters)
else:
    found = rungs.climb(filters)
    with look.card("ladder"):
        look.html(rungs.headline(found))
        rungs.descent(found)
        st.caption(
            f"{fmt.written(found.orders)} orders known on every rung shown; {fmt.written(found.dropped)} left out because some rung cannot tell."
        )
        with st.expander("Every rung with its orders and interval, and those that cannot be tested"):
            look.html(rungs.table(found))
    with look.card("flips"):
        st.header("Orders that flip", anchor=False)
        other, verdict = rungs.policy()
        rungs.flips(rungs.compared(filters, other, verdict))
