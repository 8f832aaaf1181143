"""Order to cash in 13 steps: time in each, what waits where, and the step at which the promise died."""

from dashboard import family, look, page, thirteen_steps

with look.card("steps"):
    thirteen_steps.show(page.chosen())
family.show("order_to_cash")
