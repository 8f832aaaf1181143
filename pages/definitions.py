"""What every number means: the catalogue, in words."""

import streamlit as st

from dashboard import cards, definitions, editing, look, page
from dashboard import format as fmt

page.subtitle("Every measure: what is counted, out of what, what is left out, and where the definition comes from.")
found = definitions.search()
with look.card("definitions"):
    st.caption(fmt.count(len(found), "measure"))
    if found:
        look.html(definitions.listing(found, page.facts()["feeds"]))
    else:
        look.html(cards.empty("No measure matches", "Try another word, such as fill, late or cycle."))
editing.show("targets")
