"""Is service good? For whom not, since when, and why?"""

import streamlit as st

from dashboard import cards, data, look, menu, over_time, page, report, scorecard
from dashboard import format as fmt

filters = page.chosen()
numbers = scorecard.Numbers(page.generation(), filters.period, filters.where, filters.compare)
counts = data.standing(page.generation(), filters.start, filters.end, filters.where)
page.subtitle(
    f"Due {fmt.span(filters.start, filters.end)}{' (running)' if filters.period.provisional else ''} · "
    f"{fmt.count(counts['judged'], 'order')} judged, {fmt.written(counts['pending'])} pending, "
    f"{fmt.written(counts['excluded'])} excluded · {filters.label}"
)

if not numbers.judged:
    page.no_orders(filters)
else:
    look.html(numbers.headline())
    look.html(numbers.tiles(is_dark=look.dark()))

    left, right = st.columns([2, 1], gap="small")
    with left, look.card("trend", height="stretch"):
        over_time.show(numbers, numbers.offered(), scorecard.NAMES, key="measure", beside=lambda measure: report.button(numbers, filters, measure))
    with right, look.card("reasons", height="stretch"):
        st.header("Why orders fail", anchor=False)
        failed = int(numbers.now["failed_orders"].value or 0)
        st.caption(f"{fmt.count(failed, 'order')} failed at least one test; an order that fails two counts twice here.")
        look.html(scorecard.why(page.generation(), filters, failed))
        menu.link("failed-orders", "Open the failed orders")

    with look.card("segments"):
        st.header("By customer segment", anchor=False)
        look.html(numbers.segment_table())
        look.html(cards.legend())
