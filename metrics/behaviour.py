"""How, how much, what and when customers order, and what serving them costs: association, never a cause.

Source: the brief; rules, section 4 (e).
"""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
