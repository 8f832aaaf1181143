"""Arithmetic that computes a number from its exact sums. Pure functions; they read no table.

Source: P6 (empty is null), P8 (small numbers), R30 (spread and percentiles).
"""

import math
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

Number = int | Decimal | float
Z95 = 1.959964
DAYS_A_YEAR = 365
"""The days of a year to which an amount is annualised."""


def wilson(numerator: Number, denominator: Number) -> tuple[float, float] | None:
    """Return the 95% Wilson interval of a share, or None if the denominator is 0. Source: P8 (small numbers)."""
    n = float(denominator)
    if n <= 0:
        return None
    p, z2 = float(numerator) / n, Z95 * Z95
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(max(0.0, p * (1 - p) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def divide(numerator: Number | None, denominator: Number | None) -> float | None:
    """Divide two numbers as doubles; None if there is nothing to divide. Source: P6 (empty is null).

    The whole product divides with this function.
    """
    if numerator is None or not denominator:
        return None
    return float(numerator) / float(denominator)


def standard_error(shares: Iterable[tuple[Number | Fraction, Number | Fraction]]) -> float:
    """Return the standard error of a sum or difference of independent shares (numerator, denominator).

    One row that counts and one that does not are added to each, so that 100% of a few rows is not certain. Source:
    Agresti and Caffo, The American Statistician 54 (2000).
    """
    total = 0.0
    for numerator, denominator in shares:
        count = float(denominator) + 2
        share = (float(numerator) + 1) / count
        total += max(share * (1 - share), 0.0) / count
    return math.sqrt(total)


def differ(
    first: tuple[Number | Fraction, Number | Fraction], second: tuple[Number | Fraction, Number | Fraction]
) -> bool:
    """Return True if two shares (numerator, denominator) differ at 95% confidence. Source: P8 (small numbers)."""
    change = float(Fraction(first[0]) / Fraction(first[1]) - Fraction(second[0]) / Fraction(second[1]))
    return abs(change) > Z95 * standard_error((first, second))


def spread(count: Number, total: Number, squares: Number, *, relative: bool) -> float | None:
    """Return the sample standard deviation (n - 1) of whole numbers, or its share of the mean, from exact sums.

    Source: R30 (spread and percentiles).
    """
    n, s, q = int(count), int(total), int(squares)
    if n < 2:
        return None
    deviation = math.sqrt((n * q - s * s) / (n * (n - 1)))
    if not relative:
        return deviation
    return deviation / (s / n) if s else None


def survival_curve(rows: Iterable[tuple[Number, int, int]]) -> list[tuple[Number, Fraction]]:
    """Return the Kaplan-Meier curve as exact (t, S(t)) at every t with an event.

    rows: (duration, events at that duration, events and censored at that duration); durations are distinct. Rows
    censored at t are still at risk at t. Source: R30 (spread and percentiles).
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
    """Return the first t with S(t) ≤ 1 - fraction (0.5: the median), or None if the curve never falls that far."""
    return next((t for t, surviving in curve if surviving <= 1 - Fraction(fraction)), None)


def survival_at(curve: list[tuple[Number, Fraction]], t: Number) -> Fraction:
    """Return S(t); 1 before the first event."""
    return next((surviving for when, surviving in reversed(curve) if when <= t), Fraction(1))
