"""Any measures by any dimensions over any period: as charts and a table here, and as a file; the command line gives the same."""

import streamlit as st

from dashboard import cards, exporting, look, page
from dashboard import format as fmt

filters = page.chosen()
page.subtitle(f"{fmt.span(filters.start, filters.end)} · {filters.label}")
with look.card("choose"):
    choice = exporting.choose(filters)
    if choice is None:
        look.html(cards.empty("No measure chosen", "Choose at least one measure."))
        st.stop()
    question = choice.question
    answers = exporting.answers(question, filters)
    most = exporting.most(question, filters)
    exporting.download(question, count=most if answers is None else len(answers), exact=answers is not None)

if answers is not None and choice.shown == "both":
    exporting.chart(question, answers, filters)

with look.card("answers"):
    if answers is None:
        exporting.too_many(most)
    else:
        exporting.table(question, answers, filters)
