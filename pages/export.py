"""Any measure by any dimension over any period, as a file; the command line gives the same."""

import streamlit as st

from dashboard import cards, exporting, look, page
from dashboard import format as fmt

filters = page.chosen()
page.subtitle(f"The numbers of this dashboard as a file · {fmt.span(filters.start, filters.end)} · {filters.label}")
with look.card("choose"):
    choice = exporting.choose(filters)
    if choice is None:
        look.html(cards.empty("No measure chosen", "Choose at least one measure to export."))
        st.stop()
    answers = exporting.table(choice)
    exporting.download(choice, answers)
with look.card("preview"):
    st.header("Preview", anchor=False)
    exporting.preview(answers)
