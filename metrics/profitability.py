"""Profitability: net sales, cost to serve, contribution, the four zones and what-ifs for Danger customers.

Source: the brief; rules, section 4 (e).
"""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
