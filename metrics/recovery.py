"""Service recovery: failed, detected, acknowledged, resolved, ordered again. Source: the brief; rules, section 4 (i)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
