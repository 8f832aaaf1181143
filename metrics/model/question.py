"""A question and its answers: plain data. metrics/queries computes the answers.

Source: P7 (point, coverage and range), P8 (small numbers), P9 (traceable numbers).
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from metrics.model.statistics import Number

NO_ROWS = "no data: nothing in this period and selection"
ALL_QUARANTINED = "inconclusive: every line is in quarantine"
NO_RATES = "no data: no amount has an exchange rate"
NOTHING_KNOWN = "inconclusive: no order has all its evidence; it lies between the bounds"
SEVERAL_CURRENCIES = "no data: more than one currency and no fx_rates feed; filter by currency"
SEVERAL_UNITS = "no data: several units; break down by base_unit or use value"
"""Reasons why a number is withheld. `reasons.py` has the reasons that the mapped columns give."""


@dataclass(frozen=True)
class Question:
    """The measures, dimensions, period and filters of a question. `start` and `end` are inclusive days of each
    measure's date.

    date: due, ordered, arrived or shipped, to date rows by this day. None: the measure's own date.
    """

    measures: tuple[str, ...]
    by: tuple[str, ...] = ()
    grain: str | None = None
    start: datetime.date | None = None
    end: datetime.date | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    date: str | None = None


@dataclass(frozen=True)
class Answer:
    """One number with its evidence. For a share, numerator / denominator = value; shares are 0 to 1.

    judged: rows (or units) to be judged; unknown: rows whose evidence is missing; low, high: 95% Wilson interval;
    pending, excluded: rows not judged yet or never, and currency: that of the money; only exports have these three.
    no_data: the reason why there is no value; remark: a note shown next to the value (left out because a rate is
    missing ...). provisional: set if some rows can still change.
    """

    dimensions: dict[str, str | None]
    period: datetime.date | None
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
    pending: int | None = None
    excluded: int | None = None
    currency: str | None = None
    no_data: str | None = None
    remark: str | None = None
    provisional: "Provisional | None" = None


@dataclass(frozen=True)
class Provisional:
    """The rows of an answer that can still change without new records, because a window has not passed at `as_of`.

    window: "claims window". open: rows still inside it. through: last day up to which evidence is complete, over all
    rows of the measure. complete: the answer up to that day; None if the question begins later. later: the answer after
    that day.
    """

    window: str
    open: Number
    through: datetime.date
    complete: Answer | None = None
    later: Answer | None = None


Ask = Callable[[Question], list[Answer]]
"""Asks another question of the same data version (for measures that combine other measures)."""
