"""Orders that failed the buyer: the list to work, and one order's story."""

from dashboard import failed, look, page
from dashboard import format as fmt

filters = page.chosen()
order_id = failed.opened()

if order_id:
    page.subtitle("One order, from the order to the bill: what each test found, and the evidence.")
    failed.show_story(order_id)
else:
    page.subtitle(f"Due {fmt.span(filters.start, filters.end)} · {filters.label} · choose an order to read its story")
    choice = failed.choose()
    listing = failed.found(filters, choice)
    if not listing.total:
        failed.none(filters, choice)
    else:
        with look.card("failed"):
            look.html(failed.sums(listing))
            failed.grid(listing)
