"""Post-sale support: questions, parts, complaints, returns. Source: the brief; rules, section 4 (h)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
