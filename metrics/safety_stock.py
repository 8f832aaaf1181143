"""What our variability costs the buyer in safety stock. Source: the brief; rules, section 4 (l)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
