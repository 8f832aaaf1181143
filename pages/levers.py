"""Levers: what would raise the share of perfect orders most, if it were gone."""

from dashboard.components import cards, formatting, theme
from dashboard.frame import page
from dashboard.sections import levers

filters = page.current_filters()
page.subtitle(
    f"Due {formatting.date_range(filters.start, filters.end)} · {filters.label} · open a number to see its orders"
)
found = levers.in_view(filters)
if not found.whole.judged and not found.failed:
    page.no_orders(filters)
elif not found.failed:
    with theme.card("none"):
        theme.show_html(cards.empty("No failed orders", "No judged order in view is known to have failed a test."))
else:
    with theme.card("headline"):
        theme.show_html(levers.headline(found))
    with theme.card("levers"):
        levers.ranked(found)
