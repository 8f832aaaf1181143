"""Assumptions: the feed overrides the default, and the narrowest scope and the newest valid day win."""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest
from sqlalchemy import Connection, insert, literal, select

from metrics.errors import UnknownName
from metrics.facts.assumptions import ASSUMPTIONS, assumed, assumed_by_scope, assumed_column, stated
from metrics.facts.orders import facts_metadata, facts_state
from metrics.schema import assumptions, customers, metadata
from tests.support.builders import customer, row
from tests.support.engines import memory


@pytest.fixture
def connection() -> Iterator[Connection]:
    engine = memory()
    with engine.connect() as connection:
        metadata.create_all(connection)
        facts_metadata.create_all(connection)
        connection.execute(insert(facts_state).values(as_of=datetime(2026, 4, 30, 23), mapped="[]"))
        yield connection
    engine.dispose()


def give(connection: Connection, **values: object) -> None:
    defaults = {"assumption": "carrying_rate", "scope": "all", "valid_from": "2026-01-01"}
    connection.execute(insert(assumptions), [row("assumptions", defaults | values)])


def test_without_a_row_the_default_applies(connection: Connection) -> None:
    assert assumed(connection, "carrying_rate") == Decimal("0.20")
    assert assumed(connection, "z") == Decimal("1.645")


def test_stated_assumption_is_distinguished_from_the_default(connection: Connection) -> None:
    connection.execute(insert(customers), [customer(), customer(customer_id="D", service_segment="B")])
    assert stated(connection, "carrying_rate") is None
    give(connection, assumed_value="0.15", scope="segment:A")
    assert [stated(connection, "carrying_rate", scope=scope) for scope in ("customer:C", "customer:D", "all")] == [
        Decimal("0.15"),
        None,
        None,
    ]
    give(connection, assumed_value="0.20")
    # Stated, although it equals the default.
    assert stated(connection, "carrying_rate", scope="customer:D") == Decimal("0.20")
    with pytest.raises(UnknownName):
        stated(connection, "carying_rate")


def test_default_stockout_cost_equals_2132_50_of_the_rule_book() -> None:
    defaults = {name: assumption.default for name, assumption in ASSUMPTIONS.items()}
    assert (
        sum(defaults[f"stockout_{outcome}_share"] for outcome in ("waited", "back_ordered", "sale_lost", "buyer_lost"))
        == 1
    )
    parts = [
        defaults[f"stockout_{outcome}_share"] * defaults[f"stockout_{outcome}_cost"]
        for outcome in ("back_ordered", "sale_lost", "buyer_lost")
    ]
    assert defaults["stockout_waited_share"] * defaults["wait_cost"] + sum(parts) == Decimal("2132.50")


def test_the_newest_row_valid_on_the_day_wins(connection: Connection) -> None:
    give(connection, assumed_value="0.25")
    give(connection, assumed_value="0.30", valid_from="2026-03-01")
    give(connection, assumed_value="0.40", valid_from="2026-05-01")  # after as_of
    give(connection, assumed_value="0.99", valid_from="2026-04-01", deleted=True)
    assert assumed(connection, "carrying_rate") == Decimal("0.30")
    assert assumed(connection, "carrying_rate", on=date(2026, 2, 28)) == Decimal("0.25")
    assert assumed(connection, "carrying_rate", on=date(2026, 5, 1)) == Decimal("0.40")


def test_customer_assumption_overrides_segment_and_segment_overrides_all(connection: Connection) -> None:
    connection.execute(insert(customers), [customer(), customer(customer_id="D", service_segment="B")])
    give(connection, assumed_value="0.25")
    give(connection, assumed_value="0.15", scope="segment:A")
    assert assumed(connection, "carrying_rate", scope="customer:C") == Decimal("0.15")
    assert assumed(connection, "carrying_rate", scope="customer:D") == Decimal("0.25")
    give(connection, assumed_value="0.05", scope="customer:C")
    assert assumed(connection, "carrying_rate", scope="customer:C") == Decimal("0.05")
    assert assumed(connection, "carrying_rate", scope="segment:A") == Decimal("0.15")
    assert assumed_by_scope(connection, "carrying_rate") == {
        "all": Decimal("0.25"),
        "segment:A": Decimal("0.15"),
        "customer:C": Decimal("0.05"),
    }


def test_assumed_column_has_the_value_of_each_rows_customer_or_segment(connection: Connection) -> None:
    give(connection, assumed_value="0.15", scope="segment:A")
    give(connection, assumed_value="0.05", scope="customer:C")
    for customer_id, segment, expected in (("C", "A", "0.05"), ("D", "A", "0.15"), ("D", "B", "0.20")):
        column = assumed_column(connection, "carrying_rate", customer_id=literal(customer_id), segment=literal(segment))
        assert connection.execute(select(column)).scalar_one() == Decimal(expected)


def test_an_unknown_assumption_suggests_the_nearest(connection: Connection) -> None:
    with pytest.raises(UnknownName, match="Did you mean carrying_rate"):
        assumed(connection, "carying_rate")
