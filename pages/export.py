"""Explore and export: any measures by any dimensions, as charts, table and file."""

import streamlit as st

from dashboard.components import cards, formatting, theme
from dashboard.frame import page
from dashboard.sections import export

filters = page.current_filters()
page.subtitle(f"{formatting.date_range(filters.start, filters.end)} · {filters.label}{page.amounts(filters)}")
with theme.card("choose"):
    choice = export.choose(filters)
    if choice is None:
        theme.show_html(cards.empty("No measure chosen", "Choose at least one measure."))
        st.stop()
    question = choice.question
    answers = export.answers(question, filters)
    most = export.most(question, filters)
    export.download(question, count=most if answers is None else len(answers), exact=answers is not None)

if answers is not None and choice.shown == "both":
    export.chart(question, answers, filters)

with theme.card("answers"):
    if answers is None:
        export.too_many(most)
    else:
        export.table(question, answers, filters)
