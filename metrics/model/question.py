"""A question and its answers: what may be asked of the catalogue, and all that travels with a number. Plain data;
`query.py` answers.

Source: rules P7 to P9.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from metrics.model.statistics import Number

NO_ROWS = "no data: nothing in this period and selection"


@dataclass(frozen=True)
class Question:
    """Which measures, by what, when and for whom. `start` and `end` are inclusive days of each measure's own date."""

    measures: tuple[str, ...]
    by: tuple[str, ...] = ()
    grain: str | None = None
    start: date | None = None
    end: date | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class Answer:
    """One number and all that travels with it. For a share: numerator / denominator = value; shares are 0 to 1.

    judged: rows (or units) that were to be judged; unknown: those whose evidence is missing; low, high: 95 % Wilson
    interval;
    no_data: why there is no value; remark: what a reader must know beside the value (left out for want of a rate,
    provisional ...).
    """

    dimensions: dict[str, str | None]
    period: date | None
    measure: str
    value: Number | None
    numerator: Number | None = None
    denominator: Number | None = None
    coverage: float | None = None
    worst: float | None = None
    best: float | None = None
    low: float | None = None
    high: float | None = None
    judged: Number | None = None
    unknown: Number | None = None
    no_data: str | None = None
    remark: str | None = None


Ask = Callable[[Question], list[Answer]]
"""Asks the catalogue another question in the same generation (for measures made of other measures)."""
