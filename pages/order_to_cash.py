"""Order to cash in 13 steps: time in each, what waits where, and the step at which the promise died."""

from dashboard.components import theme
from dashboard.frame import page
from dashboard.measure_page import measure_table
from dashboard.sections import order_to_cash

filters = page.current_filters()
steps = order_to_cash.by_step(filters)
order_to_cash.headline(filters, steps)
with theme.card("steps"):
    order_to_cash.steps_chart(steps)
with theme.card("died"):
    order_to_cash.late_by_step(filters)
    order_to_cash.longest_waiting(filters)
measure_table.measure_table("order_to_cash")
