"""Customer: one customer for a visit or a call, with a printable service review."""

import streamlit as st

from dashboard.components import cards, formatting, tables, theme
from dashboard.frame import page
from dashboard.measure_page import tiles, trend
from dashboard.reports import service_review
from dashboard.sections import customer, customer_review, scorecard
from dashboard.sections.scorecard import Scorecard

filters = page.current_filters()
chosen = customer_review.chosen_customer(filters)
page.subtitle(f"Due {formatting.date_range(filters.start, filters.end)} · {filters.label}{page.amounts(filters)}")
if chosen is None:
    customer.choose_customer(filters)
else:
    review = customer_review.load_review(chosen, page.generation(), filters)
    shown = Scorecard(review.view, review.trend)
    with theme.card("customer"):
        st.header(formatting.markdown(review.name), anchor=False)
        theme.show_html(tables.facts(customer_review.facts(review)[1:]))
        service_review.button(review, page.as_of())
    if not shown.judged:
        page.no_orders(filters)
    else:
        theme.show_html(scorecard.headline_markup(shown))
        tiles.tiles(shown.view)
        with theme.card("trend"):
            trend.trend_section(shown.trend, scorecard.offered(shown), scorecard.NAMES, key="measure")
    customer.section_tables(review, empty=bool(shown.judged))
    if shown.judged:
        theme.show_html(cards.legend())
