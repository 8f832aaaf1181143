"""Influencing the order: inquiries, options offered and chosen, conversion, fulfilment model. Source: the brief; rules, section 4 (j)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
