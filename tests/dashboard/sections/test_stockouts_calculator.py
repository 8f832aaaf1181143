"""The calculator on the page reproduces the two published cases, and starts from our own numbers if there are any."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

import pytest

from dashboard.sections.stockouts_calculator import PRESETS, TEXTBOOK, calculate, ours, result
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.queries.fill_rate_inputs import fill_rate_inputs
from metrics.warehouse import Location, reading
from tests.dashboard.conftest import Open


@pytest.mark.parametrize(
    ("case", "lost_now", "lost_then", "gain", "net"),
    [("Study problem", 3_855_000, 1_542_000, 2_313_000, 313_000), ("Paper2Go", 2_070_000, 517_500, 1_552_500, 552_500)],
)
def test_calculator_gives_the_known_results_of_published_cases(
    case: str, lost_now: int, lost_then: int, gain: int, net: int
) -> None:
    found = calculate({name: Decimal(str(value)) for name, value in PRESETS[case].items()})
    assert (found.low.cash, found.high.cash, found.gain, found.net) == (lost_now, lost_then, gain, net)
    assert f"{gain:,}" in result(found)


@pytest.mark.parametrize("where", [(), (("segment", ("B",)),)], ids=["all", "a segment"])
def test_calculator_with_own_data_gives_the_yearly_gain_of_fill_payback(
    where: tuple[tuple[str, tuple[str, ...]], ...], sample: Location
) -> None:
    view = Question(("fill_payback",), start=date(2025, 7, 1), end=date(2026, 6, 30), where=where)
    with reading(sample) as connection:
        (payback,) = answer(connection, view)
        start = fill_rate_inputs(connection, view)
    assert start.stated == ("fill_back_order_cost", "fill_order_profit", "fill_investment")
    found = calculate({name: Decimal(str(value)) for name, value in ours(start).items()})
    assert payback.value is not None
    assert payback.denominator is not None
    assert float(found.gain) == pytest.approx(float(payback.denominator), abs=0.00005)  # money has four decimals
    assert found.payback_years == pytest.approx(float(payback.value), rel=1e-6)


def test_calculator_uses_textbook_orders_and_fill_if_no_order_is_in_view(sample: Location) -> None:
    with reading(sample) as connection:
        start = fill_rate_inputs(connection, Question((), start=date(2020, 1, 1), end=date(2020, 1, 31)))
    case = ours(start)
    assert start.low is None
    assert [case[name] for name in ("orders", "low", "share", "waited")] == [
        PRESETS[TEXTBOOK][name] for name in ("orders", "low", "share", "waited")
    ]
    assert [case[name] for name in ("high", "cost", "deduction", "profit", "invest")] == [98, 60, 0, 450, 250_000]


def test_page_starts_with_own_numbers_if_an_assumption_is_set(
    sample: Location, at_home: Callable[..., None], open_page: Open
) -> None:
    assert sample.folder is not None
    at_home(sample.folder)
    at = open_page("stockouts")
    assert not at.exception
    fields = {field.label: field.value for field in at.number_input}
    assert (fields["Cost of a back-order"], fields["Profit per order"], fields["Investment"]) == (60, 450, 250_000)
    assert any("observed in view" in part.value for part in at.caption)
    assert any("Illustrative, because not set: fill to reach, invoice deduction." in part.value for part in at.caption)


def test_page_says_that_it_uses_textbook_numbers_if_no_assumption_is_set(page_of_small: Open) -> None:
    at = page_of_small("stockouts")
    assert not at.exception
    assert {field.label: field.value for field in at.number_input}["Orders a year"] == PRESETS[TEXTBOOK]["orders"]
    assert any(
        "Coyle's textbook, not your business. To start from your own numbers" in part.value for part in at.caption
    )
