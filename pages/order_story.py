"""Order timeline: one order from inquiry to invoice, with the evidence of every verdict."""

from dashboard.frame import page
from dashboard.sections import at_risk, failed_orders, order_in_list, order_story

LISTS = {
    failed_orders.PATH: (failed_orders.place_of, failed_orders.SIZE),
    at_risk.PATH: (at_risk.place_of, at_risk.SIZE),
}

page.subtitle("One order from inquiry to invoice, with the evidence of every test.")
order_story.find()
if order_story.requested_order():
    order_in_list.order_in_list(LISTS, page.current_filters(), order_story.requested_order())
    order_story.order_story(order_story.requested_order())
