"""Order to cash: time in each of the 13 steps, waiting orders, and the step at which promises were missed."""

from dashboard.components import theme
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import order_to_cash

view = page_view("order_to_cash")
steps = order_to_cash.by_step(view)
order_to_cash.order_to_cash_headline(view, steps)
with theme.card("steps"):
    order_to_cash.steps_chart(steps)
with theme.card("promise_missed"):
    order_to_cash.late_by_step(view)
    order_to_cash.longest_waiting(view)
measure_table(view)
