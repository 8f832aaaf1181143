"""What every number means: the catalogue, in words."""

import streamlit as st

from dashboard import cards, definitions, editing, look, page
from dashboard import format as fmt

page.subtitle("Every measure: what is counted, out of what, what is left out, and where the definition comes from.")
editing.show("targets")
feeds = page.facts()["feeds"]
found, asked = definitions.search(), definitions.asked()
if asked is not None:
    found = [measure for measure in found if measure is not asked]
    with look.card("asked"):
        look.html(definitions.listing([asked], feeds))
with look.card("definitions"):
    st.caption(fmt.count(len(found), "measure") if asked is None else fmt.count(len(found), "other measure"))
    if found:
        look.html(definitions.listing(found, feeds))
    else:
        look.html(cards.empty("No measure matches", "Try another word, such as fill, late or cycle."))
