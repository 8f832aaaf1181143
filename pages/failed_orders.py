"""Orders that failed the buyer: the list to work. An address with an order's number opens its story, as links always did."""

from dashboard.components import formatting, theme
from dashboard.frame import page
from dashboard.orders import work_list
from dashboard.sections import failed_orders, order_story

filters = page.chosen()

if order_story.asked():
    page.subtitle("One order, from the inquiry to the bill: what each test found, and the evidence.")
    order_story.back()
    order_story.show(order_story.asked())
else:
    page.subtitle(f"Due {formatting.span(filters.start, filters.end)} · {filters.label} · open an order to read its story")
    choice = failed_orders.choose()
    listing = failed_orders.found(filters, choice)
    work_list.gone(choice.show)
    if not listing.total:
        failed_orders.none(filters, choice)
    else:
        with theme.card("failed"):
            theme.html(failed_orders.sums(listing))
            failed_orders.show(listing)
