"""Why did a number move between two periods, and what changed between two publishes of the data?"""

import streamlit as st

from dashboard import cards, changes, look, page, publishes
from dashboard import format as fmt

filters = page.chosen()
BETWEEN = {"periods": "Two periods", "publishes": "Two publishes of the data"}
with look.card("change"), st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
    between = page.pick("Between", tuple(BETWEEN), BETWEEN, key="between", width=230)
    if between == "publishes":
        then = publishes.choose()
    else:
        measure, by, before = changes.choose(filters)
if between == "publishes":
    page.subtitle(f"{fmt.span(filters.start, filters.end)}, as known then and now · {filters.label}")
    publishes.show(then, filters)
elif before is None:
    page.subtitle(f"{fmt.span(filters.start, filters.end)} · {filters.label}")
    with look.card("none"):
        look.html(cards.empty("Nothing to compare with yet", "Choose the first and the last day."))
else:
    after = (filters.start, filters.period.elapsed)
    page.subtitle(f"{fmt.span(*after)} against {fmt.span(*before)} · {filters.label}")
    found = changes.explained(measure, by, before, filters)
    with look.card("why"):
        look.html(changes.sentence(found, measure, before, after))
        changes.steps(found, measure)
    if found.parts:
        with look.card("parts"):
            look.html(changes.parts(found, measure, by, before, after))
            st.caption(changes.note(found))
