"""Published mistakes of others that Buyerview must avoid. Those on AtliQ's data are in test_atliq.py."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import Connection

from metrics.measures.catalog import MEASURES
from tests.metrics.queries.test_answer import ask, history, of, publish, together
from tests.support.ask_measures import only
from tests.support.engines import memory

filled = only()


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """The records of all tests, each of a customer of its own."""
    currencies = []
    for number, (currency, quantity) in enumerate((("USD", 1000), ("EUR", 1000), ("AED", 2000)), start=10):
        currencies.append(history(number, currency=currency))
        currencies[-1]["order_lines"][0]["ordered_qty"] = Decimal(quantity)
    engine = memory()
    with engine.connect() as opened:
        cases = together(
            of("late or damaged", history(0, came="2026-03-12"), history(1, damaged=1)),
            of("good or damaged", history(2), history(3, damaged=1)),
            of("three currencies", *currencies),
            of("one order", history(20)),
        )
        publish(opened, cases)
        yield opened
    engine.dispose()


def test_perfect_orders_are_counted_not_multiplied(connection: Connection) -> None:
    """99.95 × 99.2 × … = 94.04 % was called perfect orders. Two orders, one late, the other damaged: no perfect order,
    though 50 % × 50 % is 25 %.
    """
    measures = ("perfect_order", "on_time", "damage_free")
    perfect, on_time, damage_free = ask(connection, *measures, of="late or damaged")
    assert (perfect.numerator, perfect.denominator, perfect.value) == (0, 2, 0.0)
    assert (on_time.value, damage_free.value) == (0.5, 0.5)


def test_perfect_order_requires_more_than_otif(connection: Connection) -> None:
    otif, perfect = ask(connection, "otif", "perfect_order", of="good or damaged")
    assert (otif.numerator, perfect.numerator) == (2, 1)


def test_amounts_of_three_currencies_are_not_added_without_exchange_rates(connection: Connection) -> None:
    """5,000 USD + 5,000 EUR + 10,000 AED = "20,000"."""
    (value,) = ask(connection, "ordered_value", of="three currencies")
    assert value.value is None
    assert "currency" in (value.no_data or "")
    by_currency = ask(connection, "ordered_value", of="three currencies", by=("currency",))
    assert {one.dimensions["currency"]: one.value for one in by_currency} == {"USD": 5000, "EUR": 5000, "AED": 10_000}


def test_rate_is_empty_and_not_100_percent_if_nothing_is_due(connection: Connection) -> None:
    (one,) = ask(connection, "on_time", of="one order", start=date(2026, 6, 1), end=date(2026, 6, 30))
    assert (one.value, one.denominator) == (None, 0)


def test_service_is_never_dated_by_the_actual_date() -> None:
    """A published mistake: the last month collapses because only late orders fall into it."""
    judged = (
        "on_time",
        "complete",
        "otif",
        "damage_free",
        "filled_accurately",
        "billed_accurately",
        "perfect_order",
        "unit_fill_first_pass",
    )
    assert {MEASURES[name].date for name in judged} == {"due_day"}
