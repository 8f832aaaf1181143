"""Limits and signals of a series of periods, against cases worked by hand."""

import pytest

from metrics.model.process_behaviour import behaviour


def signals(values: list[float], counts: list[float] | None = None) -> list[str | None]:
    found = behaviour(values, counts)
    assert found is not None
    return [period.signal for period in found.periods]


def test_limits_of_numbers_are_the_mean_plus_minus_2_66_mean_moving_ranges() -> None:
    """Mean 10; the nine moving ranges are 2 each, so the limits are 10 ± 5.32."""
    found = behaviour([9, 11] * 5)
    assert found is not None
    assert found.mean == 10
    assert {(round(period.low, 2), round(period.high, 2)) for period in found.periods} == {(4.68, 15.32)}
    assert found.changed_at is None


def test_a_value_outside_the_limits_is_a_signal() -> None:
    """Seven times 9, 12, and 25: mean 172/15 = 11.47; moving ranges 13 × 3 and 13, mean 52/14; 25 is over 21.35."""
    values = [9.0, 12] * 7 + [25]
    assert signals(values) == [*[None] * 14, "outside"]
    found = behaviour(values)
    assert found is not None
    assert found.periods[-1].high == pytest.approx(172 / 15 + 2.66 * 52 / 14)
    assert found.changed_at == 14


def test_eight_in_a_row_on_one_side_are_a_signal_and_seven_are_not() -> None:
    eight = [12, 10, 12, 10, *[8, 9] * 4]  # mean 112/12 = 9.33: the last eight lie below
    assert signals(eight) == [None] * 4 + ["run"] * 8
    found = behaviour(eight)
    assert found is not None
    assert found.changed_at == 4
    assert set(signals([12, 10, 12, 10, 12, *[8, 9, 8, 9, 8, 9, 8]])) == {None}


def test_a_value_on_the_mean_ends_a_run() -> None:
    values = [10.0, 12, 12, 12, 12, 10, 8, 8, 8, 8, 10]
    assert set(signals(values)) == {None}


def test_a_share_has_wider_limits_where_fewer_rows_are_counted() -> None:
    """Shares of 0.5 in 10 periods: √(0.25 / 100) = 0.05, three are 0.15; √(0.25 / 25) = 0.1, three are 0.3."""
    found = behaviour([0.5] * 10, [100] * 9 + [25])
    assert found is not None
    assert [round(period.high - period.low, 6) for period in found.periods] == [0.3] * 9 + [0.6]


def test_limits_of_a_share_stay_between_0_and_1() -> None:
    found = behaviour([1.0, 0.9] * 5, [10] * 10)
    assert found is not None
    assert {period.high for period in found.periods} == {1.0}


def test_shares_that_vary_more_than_chance_have_wider_limits() -> None:
    """0.4 and 0.6 of 100 rows: each is 2 standard deviations from 0.5, neighbours differ by 4, 4 / 1.128 = 3.546."""
    found = behaviour([0.4, 0.6] * 5, [100] * 10)
    assert found is not None
    assert found.periods[0].high == pytest.approx(min(1, 0.5 + 3 * 0.05 * 4 / 1.128))
    assert {period.signal for period in found.periods} == {None}


def test_under_ten_periods_have_no_limits() -> None:
    assert behaviour([9, 11] * 4 + [9]) is None
    assert behaviour([]) is None
