"""Spearman's rank correlation of exact numbers. Pure functions; they read no table."""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Ranks = np.ndarray[Any, np.dtype[np.int64]]

SAFE = 2**31
"""Floats represent whole numbers below it exactly, and products of two of them fit 64 bits."""

FEWEST_CUSTOMERS = 3
"""The fewest customers for a rank correlation."""


def spearman(pairs: Iterable[tuple[Fraction, Fraction]]) -> float | None:
    """Return Spearman's rank correlation. Equal values share the mean of their ranks.

    None for fewer than three pairs, or if one side never varies.
    """
    listed = list(pairs)
    return correlation_of_ranks(ranks([x for x, _ in listed]), ranks([y for _, y in listed]))


def correlation_of_ranks(first: "Ranks", second: "Ranks") -> float | None:
    """Return the correlation of two rankings of the same items, both in twice the ranks."""
    n = len(first)
    if n < FEWEST_CUSTOMERS:
        return None
    product = n * int(first @ second) - int(first.sum()) * int(second.sum())
    spreads = [n * int(twice @ twice) - int(twice.sum()) ** 2 for twice in (first, second)]
    return product / math.sqrt(spreads[0] * spreads[1]) if all(spreads) else None


def ranks(numbers: Sequence[Fraction]) -> "Ranks":
    """Return twice the rank of each number, so that shared ranks are whole numbers."""
    return ranks_of_quotients([number.numerator for number in numbers], [number.denominator for number in numbers])


def ranks_of_quotients(over: Sequence[int], under: Sequence[int]) -> "Ranks":
    """Return twice the rank of each quotient of whole numbers; `under` is above 0.

    Python divides whole numbers of any size to the nearest float, so floats sort like the quotients. Where two floats
    are equal, the cross products show if the quotients are equal too.
    """
    import numpy as np  # slow to import, and few questions rank customers

    largest = max((max(map(abs, over)), max(under))) if len(over) else 0
    kind = np.int64 if largest < SAFE else object
    tops, bottoms = np.array(over, dtype=kind), np.array(under, dtype=kind)
    nearest = (tops / bottoms).astype(np.float64)
    order = np.argsort(nearest, kind="stable")
    tops, bottoms = tops[order], bottoms[order]
    same = tops[1:] * bottoms[:-1] == tops[:-1] * bottoms[1:]
    if (same != (nearest[order][1:] == nearest[order][:-1])).any():  # floats too close to compare
        exact = np.array([Fraction(x, y) for x, y in zip(over, under, strict=True)], dtype=object)
        order = np.argsort(exact, kind="stable")
        same = exact[order][1:] == exact[order][:-1]
    starts = np.flatnonzero(np.append([True] if len(order) else [], ~same.astype(bool)))
    sizes = np.diff(np.append(starts, len(order)))
    doubled = np.empty(len(order), dtype=np.int64)
    doubled[order] = np.repeat(2 * starts + 1 + sizes, sizes)
    return doubled
