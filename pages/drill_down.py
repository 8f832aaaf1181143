"""Drill-down: a number with its proof, its breakdown and the rows behind it."""

import streamlit as st

from dashboard.components import formatting, theme
from dashboard.frame import page
from dashboard.measure_page import notes
from dashboard.sections import drill_down

filters = page.current_filters()
asked = drill_down.requested(filters)
found = drill_down.rows(asked)
days, amounts = formatting.date_range(asked.start, asked.end), page.amounts(filters) if asked.measure.in_money else ""
page.subtitle(f"{asked.measure.title} · {days} · {drill_down.label(asked, filters)}{amounts}")
theme.show_html(drill_down.trail(asked))
with theme.card("number"):
    theme.show_html(drill_down.number(found, asked))
if found.made_of:
    with theme.card("made_of"):
        st.header("Inputs", anchor=False)
        theme.show_html(drill_down.inputs(found, asked))
if able := drill_down.breakdowns(asked):
    with theme.card("breakdown"):
        drill_down.break_down(asked, able)
if not found.made_of:
    with theme.card("rows"):
        theme.show_html(drill_down.proof_line(found, asked))
        drill_down.listing(found, asked)
with theme.card("notes"):
    first, last = asked.days or (None, None)
    notes.section(asked.measure.name, first=first, last=last, segment=dict(asked.at).get("segment"))
