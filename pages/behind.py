"""Behind a number: what it is, that its rows come to it, its break-down, and every row down to one order's story."""

import streamlit as st

from dashboard import behind, look, page
from dashboard import format as fmt

filters = page.chosen()
asked = behind.asked(filters)
found = behind.rows(asked)
page.subtitle(f"{asked.measure.title} · {fmt.span(asked.start, asked.end)} · {filters.label}")
look.html(behind.trail(asked))
with look.card("number"):
    look.html(behind.number(found, asked))
if found.made_of:
    with look.card("made_of"):
        st.header("Made of other measures", anchor=False)
        look.html(behind.made_of(found, asked))
with look.card("breakdown"):
    behind.break_down(asked)
if not found.made_of:
    with look.card("rows"):
        look.html(behind.proof(found, asked))
        behind.listing(found, asked)
