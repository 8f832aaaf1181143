"""Order to cash in 13 steps: time in each, what waits where, and the step at which the promise died."""

from dashboard.components import theme
from dashboard.measure_page.measure_table import measure_table
from dashboard.measure_page.view import page_view
from dashboard.sections import order_to_cash

view = page_view("order_to_cash")
steps = order_to_cash.by_step(view)
order_to_cash.order_to_cash_headline(view, steps)
with theme.card("steps"):
    order_to_cash.steps_chart(steps)
with theme.card("died"):
    order_to_cash.late_by_step(view)
    order_to_cash.longest_waiting(view)
measure_table(view)
