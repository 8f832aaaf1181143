"""One order from inquiry to invoice, every verdict with its evidence."""

from dashboard import order_page, page

page.subtitle("One order, from the inquiry to the bill: what each test found, and the evidence.")
order_page.find()
if order_page.asked():
    order_page.show(order_page.asked())
