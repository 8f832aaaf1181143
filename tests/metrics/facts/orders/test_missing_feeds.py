"""Facts without a feed or a column: null, never 0, false or passed (P3 three values, P6 empty is null)."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Table, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from tests.metrics.facts.orders.compare_verdicts import verdict_differences
from tests.metrics.facts.orders.worlds import compare, drawn_worlds
from tests.reference.random_worlds import World
from tests.support.ask_measures import ALL, billed, built, only, sale, together

filled = only()

DELIVERIES = frozenset(name for name in ALL if name.split(".")[0] in ("shipments", "shipment_lines"))
PRODUCT, PLACE = "shipment_lines.product_id", "shipments.received_place"
RECEIVED = ("counted_qty", "received_qty", "shipped_qty", "filled_qty", "damaged_qty", "received_amount")
VERDICTS = ("on_time", "complete", "otif", "damage_free", "filled_accurately")


def facts(*tables: Table, without: frozenset[str] = frozenset(), **feeds: Any) -> list[Mapping[str, Any]]:
    """Return the only row of each table, for records of which some columns are not mapped."""
    kept = {
        feed: [
            {
                name: None if f"{feed}.{name.removesuffix('_is_date')}" in without else value
                for name, value in row.items()
            }
            for row in rows
            if not {f"{feed}.{key}" for key in ("shipment_id", "order_id")} & without
        ]
        for feed, rows in feeds.items()
    }
    with built(mapped=ALL - without, **kept) as connection:
        return [dict(connection.execute(select(table)).mappings().one()) for table in tables]


def test_delivery_verdicts_are_unknown_without_the_shipments_feed() -> None:
    """Due 10 March, billed, no feed of shipments: unknown (no feed), not late, and no quantity is 0."""
    line, order = facts(
        order_line_facts_table, order_facts_table, without=DELIVERIES, **together(sale("O"), billed("O"))
    )
    for row in (line, order):
        assert {name: (row[name], row[f"{name}_reason"]) for name in VERDICTS} == dict.fromkeys(
            VERDICTS, (None, "no_feed")
        )
        assert (row["billed_accurately"], row["billed_accurately_reason"]) == (None, "no_feed")
    assert {name: line[name] for name in RECEIVED} == dict.fromkeys(RECEIVED)
    assert (order["received_qty"], order["received_amount"], order["short_amount"]) == (None, None, None)
    assert order["perfect_order"] is None


def test_amounts_are_empty_and_not_zero_without_prices() -> None:
    """100 ordered and received without a price: no amount, where 0.0000 would read as free goods."""
    records = sale("O", received="2026-03-09")
    (order,) = facts(order_facts_table, without=frozenset({"order_lines.unit_price_amount"}), **records)
    assert [order[name] for name in ("ordered_amount", "received_amount", "short_amount")] == [None, None, None]
    assert (order["ordered_qty"], order["received_qty"]) == (100, 100)


@pytest.mark.every_run("without0-expected0", "without3-expected3")
@pytest.mark.parametrize(
    ("without", "expected"),
    [
        ((), (True, None, True, True)),
        ((PRODUCT,), (True, None, None, True)),
        ((PLACE,), (True, None, True, None)),
        ((PRODUCT, PLACE), (None, "no_feed", None, None)),
    ],
)
def test_p3_filled_accurately_is_not_passed_if_nothing_was_compared(
    without: tuple[str, ...], expected: tuple[object, ...]
) -> None:
    """Right goods at the right place. With neither product nor place mapped, nothing was compared."""
    records = sale("O", received="2026-03-09", ship_to="Here")
    for row in records["shipments"]:
        row["received_place"] = "Here"
    (order,) = facts(order_facts_table, without=frozenset(without), **records)
    names = ("filled_accurately", "filled_accurately_reason", "item_ok", "place_ok")
    assert tuple(order[name] for name in names) == expected


def test_p3_over_shipment_fails_even_if_nothing_else_is_compared() -> None:
    """120 received of 100 owed fails, although neither product nor place is mapped."""
    records = sale("O", received="2026-03-09")
    records["shipment_lines"][0]["shipped_qty"] = 120
    (order,) = facts(order_facts_table, without=frozenset({PRODUCT, PLACE}), **records)
    assert (order["filled_accurately"], order["filled_accurately_reason"]) == (False, "over_shipped")


def without_columns(world: World, dropped: frozenset[str]) -> World:
    """Return a world in which no source maps some columns."""
    records = {
        feed: [
            {
                name: None if f"{feed}.{name.removesuffix('_is_date')}" in dropped else value
                for name, value in row.items()
            }
            for row in rows
            if not {f"{feed}.shipment_id"} & dropped
        ]
        for feed, rows in world.records.items()
    }
    return replace(world, records=records, mapped=world.mapped - dropped)


@pytest.mark.long
@pytest.mark.parametrize("dropped", [DELIVERIES, frozenset({PRODUCT, PLACE})], ids=["deliveries", "product and place"])
@pytest.mark.parametrize("number", [1, pytest.param(3, marks=pytest.mark.long)])
def test_sql_and_reference_agree_without_the_feed(embedded: Connection, dropped: frozenset[str], number: int) -> None:
    compare(embedded, [without_columns(world, dropped) for world in drawn_worlds(number, 20)], verdict_differences)
