"""Why did a number move between two periods?"""

import streamlit as st

from dashboard import cards, changes, look, page
from dashboard import format as fmt

filters = page.chosen()
page.subtitle(f"{fmt.span(filters.start, filters.end)} against as many days before · {filters.label}")
with look.card("change"):
    measure, by = changes.choose()
    found = changes.explained(measure, by, filters)
    if found is None:
        look.html(cards.empty("Nothing to compare with", "All data has no period before it. Choose weeks or dates."))
    else:
        look.html(changes.sentence(found, measure))
if found is not None and found.parts:
    with look.card("parts"):
        look.html(changes.parts(found, measure, by))
        st.caption(changes.note(found))
