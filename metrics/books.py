"""Two-books reconciliation: our verdicts against the buyer's own scorecard. Source: the brief; rules, section 4 (k)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
