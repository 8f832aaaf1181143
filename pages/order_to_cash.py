"""Order to cash in 13 steps: time in each, what waits where, and the step at which the promise died."""

from dashboard import family

family.show("order_to_cash")
