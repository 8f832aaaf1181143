"""The fill-rate calculator: both published cases to the cent, and what it refuses."""

from decimal import Decimal

import pytest

from metrics.errors import SettingRefused
from metrics.measures.fill_scenarios import Scenario, cash_lost, compare

D = Decimal


def coyle(fill: str) -> Scenario:
    """Coyle, study problem 12: 5,000 orders, 70 % back-ordered at 150, the rest lost at 12,500."""
    return Scenario(D(5000), D(fill), D("0.70"), D(150), D(12_500))


def paper2go(fill: str) -> Scenario:
    """Coyle, case Paper2Go: 500,000 orders, 85 % handled again at 15 and 30 deducted, the rest lost at 90."""
    return Scenario(D(500_000), D(fill), D("0.85"), D(15), D(90), D(30))


def test_coyle_study_problem_12() -> None:
    # low: 5,000 × 20 % = 1,000 incomplete: 700 × 150 = 105,000 and 300 × 12,500 = 3,750,000
    # high: 5,000 × 8 % = 400: 280 × 150 = 42,000 and 120 × 12,500 = 1,500,000
    found = compare(coyle("0.80"), coyle("0.92"), investment=D(2_000_000))
    assert (found.low.incomplete, found.low.back_ordered, found.low.lost, found.low.cash) == (
        1000,
        105_000,
        3_750_000,
        3_855_000,
    )
    assert (found.high.incomplete, found.high.back_ordered, found.high.lost, found.high.cash) == (
        400,
        42_000,
        1_500_000,
        1_542_000,
    )
    assert found.gain == found.break_even == 2_313_000
    assert found.net == 313_000
    assert found.payback_years == pytest.approx(0.8647, abs=5e-5)


def test_coyle_case_paper2go() -> None:
    # low: 40,000 incomplete: 34,000 × (15 + 30) = 1,530,000 and 6,000 × 90 = 540,000; high: a quarter of it
    found = compare(paper2go("0.92"), paper2go("0.98"), investment=D(1_000_000))
    assert (found.low.incomplete, found.low.back_ordered, found.low.lost, found.low.cash) == (
        40_000,
        1_530_000,
        540_000,
        2_070_000,
    )
    assert (found.high.incomplete, found.high.back_ordered, found.high.lost, found.high.cash) == (
        10_000,
        382_500,
        135_000,
        517_500,
    )
    assert found.gain == 1_552_500
    assert found.net == 552_500


def test_fill_rate_of_100_percent_has_no_loss_and_no_gain() -> None:
    found = compare(coyle("1"), coyle("1"), investment=D(1))
    assert found.low.cash == found.gain == 0
    assert found.payback_years is None


def test_the_break_even_investment_pays_back_in_exactly_a_year() -> None:
    at_break_even = compare(coyle("0.80"), coyle("0.92"), investment=compare(coyle("0.80"), coyle("0.92")).break_even)
    assert (at_break_even.net, at_break_even.payback_years) == (0, 1.0)


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"fill": D("1.2")}, "fill"),
        ({"fill": D("-0.1")}, "fill"),
        ({"back_ordered_share": D(70)}, "back_ordered_share"),
        ({"waited_share": D("0.4")}, "waited_share"),
        ({"orders": D(-1)}, "orders"),
        ({"back_order_cost": D(-150)}, "back_order_cost"),
        ({"order_profit": D(-1)}, "order_profit"),
        ({"invoice_deduction": D(-1)}, "invoice_deduction"),
    ],
)
def test_impossible_inputs_are_refused_by_name(values: dict[str, Decimal], name: str) -> None:
    given = {
        "orders": D(5000),
        "fill": D("0.8"),
        "back_ordered_share": D("0.7"),
        "back_order_cost": D(150),
        "order_profit": D(12_500),
    }
    with pytest.raises(SettingRefused) as refused:
        Scenario(**(given | values))
    assert refused.value.name == name


def test_a_lower_fill_or_a_negative_investment_is_refused() -> None:
    with pytest.raises(SettingRefused, match="below the present fill"):
        compare(coyle("0.92"), coyle("0.80"))
    with pytest.raises(SettingRefused, match="investment"):
        compare(coyle("0.80"), coyle("0.92"), investment=D(-1))


def test_waiting_buyers_cause_no_back_order_cost() -> None:
    """1,000 incomplete: 500 back-ordered at 150, 300 waited at 0, 200 lost at 12,500: 75,000 + 2,500,000."""
    scenario = Scenario(D(5000), D("0.80"), D("0.50"), D(150), D(12_500), waited_share=D("0.30"))
    assert (cash_lost(scenario).back_ordered, cash_lost(scenario).lost) == (75_000, 2_500_000)


def test_lost_cash_is_proportional_to_the_number_of_orders() -> None:
    assert (
        cash_lost(coyle("0.5")).cash * 2 == cash_lost(Scenario(D(10_000), D("0.5"), D("0.70"), D(150), D(12_500))).cash
    )
