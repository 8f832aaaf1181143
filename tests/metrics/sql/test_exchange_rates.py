"""The rate of a document's day, worked by hand. Source: R25 (currencies)."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

import pytest
from sqlalchemy import Connection, literal, select

from metrics.schema import EXACT_AMOUNT, FACTOR, FEEDS
from metrics.sql.exchange_rates import converted
from tests.support.builders import Row, everything, fx_rate, order, order_line, records
from tests.support.engines import memory
from tests.support.sql_facts import ask, load

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999999)
FED = everything(*FEEDS)
NOT_FED = frozenset(name for name in FED if not name.startswith("fx_rates."))


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def rates_of(
    connection: Connection, documents: list[tuple[str | None, str]], *rates: Row, mapped: frozenset[str] = FED
) -> list[Decimal | None]:
    """Return the rate of an order of each currency and day, the same as on its line."""
    names = [f"O{number}" for number in range(len(documents))]
    orders = [
        order(order_id=name, currency=currency, ordered_at=day)
        for name, (currency, day) in zip(names, documents, strict=True)
    ]
    load(connection, records(orders=orders, order_lines=[order_line(order_id=name) for name in names], fx_rates=rates))
    by_line, by_order = ask(connection, {}, END_OF_APRIL, mapped)
    assert [by_line[name, "1"]["rate"] for name in names] == [by_order[name]["rate"] for name in names]
    return [by_order[name]["rate"] for name in names]


RATES = (
    fx_rate(rate="1.10"),
    fx_rate(on_date="2026-03-05", rate="1.20"),
    fx_rate(currency="GBP", rate="1.30"),
    fx_rate(currency="GBP", on_date="2026-03-05", rate="1.40", deleted=True),
)
DOCUMENTS = {
    ("EUR", "2026-02-28"): None,
    ("EUR", "2026-03-01"): Decimal("1.10"),
    ("EUR", "2026-03-04"): Decimal("1.10"),
    ("EUR", "2026-03-05"): Decimal("1.20"),
    ("EUR", "2026-03-12"): Decimal("1.20"),
    ("EUR", "2026-03-13"): None,
    ("GBP", "2026-03-05"): Decimal("1.30"),
    ("USD", "2026-03-13"): Decimal("1"),
    ("AED", "2026-03-01"): None,
    (None, "2026-03-01"): None,
}
"""The rate of each currency and day. The pound's rate of 5 March is deleted."""


def test_r25_the_latest_rate_on_or_before_the_day_and_at_most_seven_days_old(connection: Connection) -> None:
    found = rates_of(connection, list(DOCUMENTS), *RATES)
    assert dict(zip(DOCUMENTS, found, strict=True)) == DOCUMENTS


@pytest.mark.parametrize("mapped", [FED, NOT_FED], ids=["mapped and empty", "not mapped"])
def test_without_any_rate_no_currency_is_converted(connection: Connection, mapped: frozenset[str]) -> None:
    assert rates_of(connection, [("AED", "2026-03-05")], mapped=mapped) == [1]


def test_converted_amounts_keep_all_decimals(connection: Connection) -> None:
    """A CASE with the amount in it rounds the product to twelve decimals on DuckDB."""
    amount, rate = literal(Decimal("0.123456789012"), EXACT_AMOUNT), literal(Decimal("1.00000001"), FACTOR)
    assert connection.scalar(select(converted(amount, rate))) == Decimal("0.12345679024656789012")
