"""How long from order to arrival, how dependable, how padded the promise, and the stock it forces on buyers."""

from dashboard import family

family.show("cycle_time")
