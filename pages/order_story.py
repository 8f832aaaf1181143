"""Order timeline: one order from inquiry to invoice, with the evidence of every verdict."""

from dashboard.frame import page
from dashboard.sections import order_story

page.subtitle("One order from inquiry to invoice, with the evidence of every test.")
order_story.find()
if order_story.requested_order():
    order_story.order_story(order_story.requested_order())
