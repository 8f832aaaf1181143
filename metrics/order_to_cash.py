"""Order to cash in 13 steps: time in each, wait before it, where the promise died, payment. Source: the brief; rules, section 4 (c)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
