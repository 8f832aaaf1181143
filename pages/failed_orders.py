"""Failed orders: the work list. An address with an order number opens the timeline of the order."""

from dashboard.components import formatting, theme
from dashboard.frame import page
from dashboard.orders import work_list
from dashboard.sections import failed_orders, order_story

filters = page.current_filters()

if order_story.requested_order():
    page.subtitle("One order from inquiry to invoice, with the evidence of every test.")
    order_story.back_link()
    order_story.order_story(order_story.requested_order())
else:
    page.subtitle(
        f"Due {formatting.date_range(filters.start, filters.end)} · {filters.label} · open an order to see its timeline"
    )
    choice = failed_orders.choose()
    listing = failed_orders.listed_orders(filters, choice)
    work_list.orders_not_in_data(choice.show)
    if not listing.total:
        failed_orders.no_orders(filters, choice)
    else:
        with theme.card("failed"):
            theme.show_html(failed_orders.totals(filters, choice, listing))
            failed_orders.failed_orders(filters, choice, listing)
