"""Scorecard: service against targets, its trend, the reasons for failures, and the segments."""

import streamlit as st

from dashboard.components import cards, formatting, theme
from dashboard.frame import menu, page
from dashboard.measure_page import measure_table, tiles, trend
from dashboard.reports import pdf
from dashboard.sections import scorecard

filters = page.current_filters()
shown = scorecard.load_scorecard(page.generation(), filters)
counts = scorecard.order_counts(page.generation(), filters)
page.subtitle(
    f"Due {formatting.date_range(filters.start, filters.end)}{' (running)' if filters.period.provisional else ''} · "
    f"{formatting.count(counts['judged'], 'order')} judged, {formatting.integer(counts['pending'])} pending, "
    f"{formatting.integer(counts['excluded'])} excluded · {filters.label}"
)

if not shown.judged:
    page.no_orders(filters)
else:
    theme.show_html(scorecard.headline_markup(shown))
    tiles.tiles(shown.view)

    left, right = st.columns([2, 1], gap="small")
    with left, theme.card("trend", height="stretch"):
        trend.trend_section(
            shown.trend,
            scorecard.offered(shown),
            scorecard.NAMES,
            key="measure",
            beside=lambda measure: pdf.button(shown, page.as_of(), measure),
        )
    with right, theme.card("reasons", height="stretch"):
        st.header("Why orders fail", anchor=False)
        if shown.failed:
            st.caption(
                f"{formatting.count(shown.failed, 'order')} failed at least one test. "
                "Orders failing several tests are counted under each."
            )
        theme.show_html(scorecard.failure_reasons(shown))
        if shown.failed:
            menu.link("failed-orders", "Open the failed orders", query={"show": "all"})

    best = scorecard.best_levers(shown)
    if best:
        with theme.card("levers"):
            st.header("What would raise perfect orders most", anchor=False)
            theme.show_html(best)
            menu.link("levers", "All levers")

    with theme.card("segments"):
        st.header("By customer segment", anchor=False)
        theme.show_html(measure_table.segment_table(shown.view))
        theme.show_html(cards.legend())
