"""Responsiveness to special requests and sudden changes; information timely and accurate. Source: the brief; rules, section 4 (h)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
