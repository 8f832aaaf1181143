"""Order to cash in 13 steps: time in each, what waits where, and the step at which the promise died."""

from dashboard import family, look, page, thirteen_steps

filters = page.chosen()
steps = thirteen_steps.by_step(filters)
thirteen_steps.headline(filters, steps)
with look.card("steps"):
    thirteen_steps.show(steps)
with look.card("died"):
    thirteen_steps.late(filters)
    thirteen_steps.standing(filters)
family.show("order_to_cash")
