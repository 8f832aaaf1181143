"""Share of a list on a page: a part, its whole, and their quotient. Measures have answers instead."""

from dataclasses import dataclass

from metrics.model.statistics import Number, divide


@dataclass(frozen=True)
class Share:
    """A part of a whole. value: None without a whole. Source: P6 (empty is null)."""

    numerator: Number
    denominator: Number
    value: float | None


def share(numerator: Number, denominator: Number) -> Share:
    """Return the share of a part in a whole."""
    return Share(numerator, denominator, divide(numerator, denominator))
