"""The calculator on the page reproduces the two cases whose answers are known (rules, section 6)."""

from decimal import Decimal

import pytest

from dashboard.calculator import PRESETS, result, worked_out


@pytest.mark.parametrize(
    ("case", "lost_now", "lost_then", "gain", "net"),
    [("Study problem", 3_855_000, 1_542_000, 2_313_000, 313_000), ("Paper2Go", 2_070_000, 517_500, 1_552_500, 552_500)],
)
def test_known_cases(case: str, lost_now: int, lost_then: int, gain: int, net: int) -> None:
    found = worked_out({name: Decimal(str(value)) for name, value in PRESETS[case].items()})
    assert (found.low.cash, found.high.cash, found.gain, found.net) == (lost_now, lost_then, gain, net)
    assert f"{gain:,}" in result(found)
