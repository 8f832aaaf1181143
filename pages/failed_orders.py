"""Orders that failed the buyer: the list to work. An address with an order's number opens its story, as links always did."""

from dashboard import failed, look, order_page, page, work
from dashboard import format as fmt

filters = page.chosen()

if order_page.asked():
    page.subtitle("One order, from the inquiry to the bill: what each test found, and the evidence.")
    order_page.back()
    order_page.show(order_page.asked())
else:
    page.subtitle(f"Due {fmt.span(filters.start, filters.end)} · {filters.label} · open an order to read its story")
    choice = failed.choose()
    listing = failed.found(filters, choice)
    work.gone(choice.show)
    if not listing.total:
        failed.none(filters, choice)
    else:
        with look.card("failed"):
            look.html(failed.sums(listing))
            failed.show(listing)
