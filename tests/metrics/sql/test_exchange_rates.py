"""The rate of a document's day, worked by hand. Source: R25 (currencies)."""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection

from metrics.schema import FEEDS
from tests.support.builders import everything, fx_rate, order, order_line, records
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


def rate_of(
    connection: Connection, currency: str | None, day: str, *rates: dict[str, Any], mapped: frozenset[str] = FED
) -> Decimal | None:
    """Return the rate of an order of that day, the same as on its line."""
    load(
        connection,
        records(orders=[order(currency=currency, ordered_at=day)], order_lines=[order_line()], fx_rates=rates),
    )
    lines, orders = ask(connection, {}, END_OF_APRIL, mapped)
    assert lines["O", "1"]["rate"] == orders["O"]["rate"]
    found: Decimal | None = orders["O"]["rate"]
    return found


@pytest.mark.parametrize(
    ("currency", "day", "expected"),
    [
        ("EUR", "2026-02-28", None),
        ("EUR", "2026-03-01", "1.10"),
        ("EUR", "2026-03-04", "1.10"),
        ("EUR", "2026-03-05", "1.20"),
        ("EUR", "2026-03-12", "1.20"),
        ("EUR", "2026-03-13", None),
        ("USD", "2026-03-13", "1"),
        ("AED", "2026-03-01", None),
        (None, "2026-03-01", None),
    ],
)
def test_r25_the_latest_rate_on_or_before_the_day_and_at_most_seven_days_old(
    connection: Connection, currency: str | None, day: str, expected: str | None
) -> None:
    found = rate_of(connection, currency, day, fx_rate(rate="1.10"), fx_rate(on_date="2026-03-05", rate="1.20"))
    assert found == (None if expected is None else Decimal(expected))


def test_a_deleted_rate_was_never_there(connection: Connection) -> None:
    found = rate_of(
        connection, "EUR", "2026-03-05", fx_rate(rate="1.10"), fx_rate(on_date="2026-03-05", rate="1.20", deleted=True)
    )
    assert found == Decimal("1.10")


@pytest.mark.parametrize("mapped", [FED, NOT_FED], ids=["mapped and empty", "not mapped"])
def test_without_any_rate_every_currency_stands_for_itself(connection: Connection, mapped: frozenset[str]) -> None:
    assert rate_of(connection, "AED", "2026-03-05", mapped=mapped) == 1
