"""Is service good? For whom not, since when, and why?"""

import streamlit as st

from dashboard.components import cards, formatting, theme
from dashboard.frame import menu, page
from dashboard.measure_page import trend
from dashboard.reports import pdf
from dashboard.sections import scorecard

filters = page.current_filters()
numbers = scorecard.ScorecardAnswers(page.generation(), filters.period, filters.where, filters.compare)
counts = scorecard.order_counts(filters)
page.subtitle(
    f"Due {formatting.date_range(filters.start, filters.end)}{' (running)' if filters.period.provisional else ''} · "
    f"{formatting.count(counts['judged'], 'order')} judged, {formatting.integer(counts['pending'])} pending, "
    f"{formatting.integer(counts['excluded'])} excluded · {filters.label}"
)

if not numbers.judged:
    page.no_orders(filters)
else:
    theme.show_html(numbers.headline())
    theme.show_html(numbers.tiles(is_dark=theme.is_dark()))

    left, right = st.columns([2, 1], gap="small")
    with left, theme.card("trend", height="stretch"):
        trend.trend_section(
            numbers,
            numbers.offered(),
            scorecard.NAMES,
            key="measure",
            beside=lambda measure: pdf.button(numbers, filters, measure),
        )
    with right, theme.card("reasons", height="stretch"):
        st.header("Why orders fail", anchor=False)
        failed = int(numbers.now["failed_orders"].value or 0)
        st.caption(
            f"{formatting.count(failed, 'order')} failed at least one test; an order that fails two counts twice here."
        )
        theme.show_html(scorecard.failure_reasons(page.generation(), filters, failed))
        menu.link("failed-orders", "Open the failed orders")

    with theme.card("segments"):
        st.header("By customer segment", anchor=False)
        theme.show_html(numbers.segment_table())
        theme.show_html(cards.legend())
