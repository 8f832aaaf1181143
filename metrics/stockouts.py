"""Stockouts: events, outcomes, expected cost; investing in fill rate. Source: the brief; rules, section 4 (d), R38."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
