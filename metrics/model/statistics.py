"""Arithmetic that finishes a number once its exact sums are known. Pure; nothing here reads a table. Source: rules P6,
P8, R30.
"""

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

Number = int | Decimal | float
Z95 = 1.959964
DAYS_A_YEAR = 365
"""Days a period's amount is brought to, to be told as of a year."""


def wilson(numerator: Number, denominator: Number) -> tuple[float, float] | None:
    """The 95 % Wilson interval of a share, or None where there is nothing to divide by. Source: rules P8."""
    n = float(denominator)
    if n <= 0:
        return None
    p, z2 = float(numerator) / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(max(0.0, p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def divide(numerator: Number | None, denominator: Number | None) -> float | None:
    """The one division of the product: both sides as doubles, None where there is nothing to divide (P6)."""
    if numerator is None or not denominator:
        return None
    return float(numerator) / float(denominator)


def spread(count: Number, total: Number, squares: Number, *, relative: bool) -> float | None:
    """Sample standard deviation (n - 1) of whole numbers from exact sums, or its share of the mean. Source: rules R30."""
    n, s, q = int(count), int(total), int(squares)
    if n < 2:
        return None
    deviation = math.sqrt((n * q - s * s) / (n * (n - 1)))
    if not relative:
        return deviation
    return deviation / (s / n) if s else None


def survival_curve(rows: Iterable[tuple[Number, int, int]]) -> list[tuple[Number, Fraction]]:
    """The Kaplan-Meier curve as (t, S(t)) at every t at which something happened, exact.

    rows: (duration, how many it happened to at that duration, how many were there: happened or censored), durations
    distinct. Those censored at t are still at risk at t. Source: rules R30.
    """
    ordered = sorted(rows, key=lambda row: row[0])
    at_risk = sum(count for _, _, count in ordered)
    curve: list[tuple[Number, Fraction]] = []
    surviving = Fraction(1)
    for duration, happened, count in ordered:
        if happened:
            surviving *= Fraction(at_risk - happened, at_risk)
            curve.append((duration, surviving))
        at_risk -= count
    return curve


def survival_quantile(curve: list[tuple[Number, Fraction]], fraction: Decimal) -> Number | None:
    """The first t with S(t) ≤ 1 - fraction (the median for 0.5), or None where the curve never falls so far."""
    return next((t for t, surviving in curve if surviving <= 1 - Fraction(fraction)), None)


def survival_at(curve: list[tuple[Number, Fraction]], t: Number) -> Fraction:
    """S(t): 1 before anything happened."""
    return next((surviving for when, surviving in reversed(curve) if when <= t), Fraction(1))
