"""One order from inquiry to invoice, every verdict with its evidence."""

from dashboard.frame import page
from dashboard.sections import order_story

page.subtitle("One order, from the inquiry to the bill: what each test found, and the evidence.")
order_story.find()
if order_story.requested_order():
    order_story.order_story(order_story.requested_order())
