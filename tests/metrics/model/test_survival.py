"""Compare our Kaplan-Meier with SciPy's on random data: the same curve at every time, and the same quantiles (R30)."""

import random
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import pytest

from metrics.model.statistics import survival_at, survival_curve, survival_quantile


def curve_of(happened: list[int], censored: list[int]) -> list[tuple[int, Fraction]]:
    """Return our curve of single durations."""
    ends, there = Counter(happened), Counter(happened + censored)
    return [(int(t), surviving) for t, surviving in survival_curve((t, ends[t], count) for t, count in there.items())]


def test_r30_survival_curve_of_the_four_orders_in_the_rule_book() -> None:
    curve = curve_of([2, 4], [5, 5])
    assert curve == [(2, Fraction(3, 4)), (4, Fraction(1, 2))]
    assert survival_quantile(curve, Decimal("0.5")) == 4


@pytest.mark.parametrize("seed", range(25))
def test_r30_survival_curve_equals_scipy(seed: int) -> None:
    from scipy.stats import CensoredData, ecdf  # takes a second, which each test process would need to collect tests

    drawn = random.Random(seed)
    longest = drawn.choice([5, 30, 400])
    happened = [drawn.randrange(0, longest) for _ in range(drawn.randrange(1, 200))]
    censored = [drawn.randrange(0, longest) for _ in range(drawn.randrange(0, 200))]
    curve = curve_of(happened, censored)
    theirs = ecdf(CensoredData.right_censored(happened + censored, [False] * len(happened) + [True] * len(censored))).sf
    for t in range(-1, longest + 1):
        assert float(survival_at(curve, t)) == pytest.approx(float(theirs.evaluate(t)), abs=1e-12)
    for fraction in ("0.5", "0.9", "0.95"):
        limit = 1 - float(fraction)
        reached = [
            int(t)
            for t, left in zip(theirs.quantiles, theirs.probabilities, strict=True)
            if left <= limit + 1e-12 and t in happened
        ]
        assert survival_quantile(curve, Decimal(fraction)) == (reached[0] if reached else None)


def test_r30_quantile_without_open_orders_is_the_nearest_rank() -> None:
    happened = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    curve = curve_of(happened, [])
    assert [survival_quantile(curve, Decimal(fraction)) for fraction in ("0.5", "0.9", "0.95")] == [5, 9, 10]


def test_r30_median_that_is_not_reached_is_none() -> None:
    assert survival_quantile(curve_of([3], [5, 5, 5]), Decimal("0.5")) is None
    assert survival_quantile([], Decimal("0.5")) is None
    assert survival_at([], 7) == 1
