"""The promise: padding, lead, revisions, requested windows granted. Source: the brief; rules, section 4 (c), (g)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
