"""Targets by scope, their tolerance bands, and the status of values against them."""

from decimal import Decimal

import pytest

from metrics.measures.catalog import MEASURES
from metrics.model.measure import Direction
from metrics.model.question import Answer
from metrics.targets.targets import State, Target, group_target, state_of, state_of_value, target_for

ROWS = [
    {"measure": "otif", "scope": "all", "target_value": Decimal("0.90"), "tolerance": Decimal("0.02")},
    {"measure": "otif", "scope": "segment:A", "target_value": Decimal("0.98"), "tolerance": None},
    {"measure": "otif", "scope": "segment:B", "target_value": Decimal("0.92"), "tolerance": Decimal("0.01")},
    {"measure": "otif", "scope": "customer:C1", "target_value": Decimal("0.80"), "tolerance": None},
    {"measure": "cycle_days", "scope": "all", "target_value": Decimal(3), "tolerance": Decimal(1)},
]


@pytest.mark.parametrize(
    ("where", "scope"),
    [
        ((), "all"),
        ((("segment", ("A",)),), "segment:A"),
        ((("segment", ("A", "B")),), "all"),
        ((("segment", ("C",)),), "all"),
        ((("segment", ("A",)), ("customer", ("C1",))), "customer:C1"),
    ],
)
def test_the_narrowest_scope_in_view_gives_the_target(
    where: tuple[tuple[str, tuple[str, ...]], ...], scope: str
) -> None:
    found = target_for(ROWS, "otif", where)
    assert found is not None
    assert found.scope == scope


def test_a_measure_without_a_target_has_none() -> None:
    assert target_for(ROWS, "complete", ()) is None


def test_r31_a_groups_target_is_weighted_by_judged_orders() -> None:
    """A 0.98 on 30 orders, B 0.92 on 10 → (29.4 + 9.2) / 40 = 0.965, tolerance 0.1 / 40 = 0.0025; the mean of the two
    would say 0.95.
    """
    assert group_target(ROWS, "otif", {"segment:A": 30, "segment:B": 10, "segment:C": 0}) == Target(
        0.965, 0.0025, "segment:A, segment:B"
    )
    assert group_target(ROWS, "otif", {"segment:A": 30, "segment:C": 1}) is None


@pytest.mark.parametrize(
    ("value", "direction", "state"),
    [
        (0.90, Direction.HIGHER, State.ON),
        (0.88, Direction.HIGHER, State.WATCH),
        (0.879, Direction.HIGHER, State.OFF),
        (0.92, Direction.LOWER, State.WATCH),
        (0.93, Direction.LOWER, State.OFF),
        (0.5, Direction.NEITHER, State.NO_TARGET),
        (None, Direction.HIGHER, State.NO_DATA),
    ],
)
def test_target_state_of_values_around_the_target(value: float | None, direction: Direction, state: State) -> None:
    assert state_of_value(value, Target(0.90, 0.02), direction) is state


def test_low_coverage_is_inconclusive() -> None:
    assert state_of_value(1.0, Target(0.90), Direction.HIGHER, coverage=0.89) is State.INCONCLUSIVE


@pytest.mark.parametrize(("worst", "best"), [(0.91, 0.95), (0.80, 0.95), (0.70, 0.80)])
def test_a_range_in_place_of_the_value_is_inconclusive(worst: float, best: float) -> None:
    """N2: coverage below the minimum is inconclusive, wherever the range lies."""
    one = Answer({}, None, "perfect_order", None, worst=worst, best=best, coverage=0.5, no_data="inconclusive: 50%")
    assert state_of(one, MEASURES["perfect_order"], Target(0.90, 0.02)) is State.INCONCLUSIVE
    assert state_of(one, MEASURES["perfect_order"], None) is State.NO_TARGET
    assert str(State.INCONCLUSIVE) == "inconclusive"
