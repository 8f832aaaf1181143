"""Shares of lists, worked by hand."""

from decimal import Decimal

import pytest

from metrics.model.share import Share, share
from metrics.model.statistics import Number


@pytest.mark.parametrize(
    ("numerator", "denominator", "value"),
    [(3, 4, 0.75), (0, 5, 0.0), (5, 5, 1.0), (1, 3, 0.3333333333333333), (Decimal("2.5"), 10, 0.25)],
)
def test_share_gives_both_parts_and_the_quotient(numerator: Number, denominator: Number, value: float) -> None:
    assert share(numerator, denominator) == Share(numerator, denominator, value)


@pytest.mark.parametrize("numerator", [0, 3])
def test_share_without_a_whole_has_no_value(numerator: int) -> None:
    assert share(numerator, 0) == Share(numerator, 0, None)
