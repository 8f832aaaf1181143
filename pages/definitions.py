"""Definitions: every measure of the catalogue, with search and targets."""

import streamlit as st

from dashboard.components import cards, formatting, theme
from dashboard.editing import form
from dashboard.frame import page
from dashboard.sections import definitions

page.subtitle("Every measure with its numerator, denominator, exclusions and source.")
if page.has_data():
    form.edit_form("targets")
feeds = page.data_status().feeds if page.has_data() else None
found, asked = definitions.search(), definitions.asked()
if asked is not None:
    found = [measure for measure in found if measure is not asked]
    with theme.card("asked"):
        theme.show_html(definitions.listing([asked], feeds))
with theme.card("definitions"):
    number = formatting.count(len(found), "measure" if asked is None else "other measure")
    st.caption(f"{number}. {definitions.COLLECTED}")
    if found:
        theme.show_html(definitions.listing(found, feeds))
    else:
        theme.show_html(cards.empty("No measure matches", "Try another word, such as fill, late or cycle."))
