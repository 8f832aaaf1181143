"""Provisional answers on screen: the sentence of a tile, and comparisons of the complete part only (N2)."""

from dataclasses import replace
from datetime import date

from dashboard.components import cards, changes, formatting
from dashboard.components.cards import Tile
from metrics.measures.catalog import MEASURES
from metrics.model.question import Answer, Provisional
from metrics.targets.targets import Target

PERFECT, FAILED = MEASURES["perfect_order"], MEASURES["failed_orders"]
THROUGH = date(2026, 5, 31)


def _share(value: float | None, **figures: float | str) -> Answer:
    return Answer({}, None, "perfect_order", value, denominator=100, **figures)  # type: ignore[arg-type]


NOW = replace(
    _share(None, worst=0.5, best=0.9, coverage=0.6, no_data="inconclusive: 60.0% of the verdicts are known"),
    provisional=Provisional("claims window", 40, THROUGH, _share(0.816), _share(None, worst=0.1, best=0.95)),
)


def test_provisional_text_shows_the_complete_part_and_the_range_of_the_rest() -> None:
    """81.6 % through 31 May, 10 to 95 % after it."""
    day = formatting.day(THROUGH, year=False)
    assert cards.provisional_text(NOW, PERFECT) == (
        f"81.6% of orders due through {day}; later ones are still inside their claims window (10.0–95.0%)"
    )
    assert cards.provisional_text(_share(0.9), PERFECT) == ""


def test_provisional_tile_shows_a_range_instead_of_a_value_and_the_text() -> None:
    tile = Tile(PERFECT, NOW, _share(0.8), Target(0.95), [], versus="vs prior 13 weeks")
    shown = cards.tiles([tile], is_dark=False)
    assert "50.0–90.0%" in shown
    assert "inconclusive" in shown
    assert "; later ones are provisional</span>" in shown
    assert "later ones are still inside their claims window" in shown, "in the tooltip"


def test_coverage_is_a_tooltip_unless_it_is_below_the_minimum() -> None:
    known = _share(0.874, worst=0.866, best=0.883, coverage=0.984)
    shown = cards.tiles([Tile(PERFECT, known, None, None, [], tooltip="3 records rejected")], is_dark=False)
    assert 'title="Coverage 98.4% (range 86.6–88.3%). 3 records rejected"' in shown
    assert "bv-note" not in shown
    low = replace(known, measure="on_time", coverage=0.899)
    shown = cards.tiles([Tile(MEASURES["on_time"], low, None, None, [])], is_dark=False)
    assert 'bv-note">Coverage 89.9% (range 86.6–88.3%)' in shown
    assert 'bv-note">Coverage 60.0%: too low for one number' in cards.tiles(
        [Tile(PERFECT, NOW, None, None, [])], is_dark=False
    )


def test_comparison_uses_only_the_complete_part_of_a_period() -> None:
    """81.6 % of the complete part against 80.0 %: 1.6 pp better. A whole period that is too recent is not compared."""
    assert changes.change_text(NOW, _share(0.8), PERFECT, "vs before") == "↑ 1.6 pp better vs before"
    assert NOW.provisional is not None
    recent = replace(NOW, provisional=replace(NOW.provisional, complete=None))
    assert changes.change_text(recent, _share(0.8), PERFECT, "vs before") == "Provisional: not compared vs before"


def test_a_provisional_count_is_not_compared() -> None:
    complete = Answer({}, None, "failed_orders", 9)
    count = Answer({}, None, "failed_orders", 12, provisional=Provisional("claims window", 3, THROUGH, complete))
    assert changes.change_text(count, complete, FAILED, "vs before") == "Provisional: not compared vs before"
    day = formatting.day(THROUGH, year=False)
    expected = f"9 orders due through {day}; later ones are still inside their claims window"
    assert cards.provisional_text(count, FAILED) == expected
