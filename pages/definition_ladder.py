"""Definition ladder: the same orders under stricter and stricter definitions, and the effect of another policy."""

import streamlit as st

from dashboard.components import formatting, theme
from dashboard.frame import page
from dashboard.sections import definition_ladder

filters = page.current_filters()
page.subtitle(f"Due {formatting.date_range(filters.start, filters.end)} · {filters.label}")
if not definition_ladder.has_orders(filters):
    page.no_orders(filters)
else:
    found = definition_ladder.ladder(filters)
    with theme.card("ladder"):
        theme.show_html(definition_ladder.headline(found))
        definition_ladder.ladder_steps(found)
        st.caption(
            f"{formatting.integer(found.orders)} orders. Orders that a level cannot judge are unknown in the table."
        )
        with st.expander("All levels with orders and intervals"):
            theme.show_html(definition_ladder.table(found))
    with theme.card("flips"):
        st.header("Orders whose verdict changes", anchor=False)
        other, verdict = definition_ladder.policy()
        definition_ladder.flips(definition_ladder.compared_policies(filters, other, verdict))
