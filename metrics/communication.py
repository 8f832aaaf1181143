"""Communications before, during and after the transaction; convenience. Source: the brief; rules, section 4 (g)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
