"""Service packages (Table 8-1): attainment of each row, fit of package and zone. Source: the brief; rules, section 4 (f)."""

from metrics.measure import Measure

MEASURES: tuple[Measure, ...] = ()
