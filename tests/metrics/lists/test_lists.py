"""Lists add up to the measures next to them: failed tests in combination, missing goods, days from order to arrival."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import Connection, StaticPool, create_engine, insert, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.lists.availability import most_often_short
from metrics.lists.buyers_view import failure_combinations
from metrics.lists.cycle_time import cycle_day_counts, promised_day_counts
from metrics.lists.rows import VERDICTS
from metrics.model.question import Answer, Question
from metrics.queries.answer import answer
from metrics.schema import mapped_columns, products
from metrics.warehouse import Location, reading

VIEWS = (Question((), start=date(2026, 1, 1), end=date(2026, 6, 30)), Question((), where=(("segment", ("A", "B")),)))


@pytest.mark.parametrize("view", VIEWS, ids=["half a year", "two segments"])
def test_failure_combinations_add_up_to_all_failed_orders_and_to_each_failed_test(
    view: Question, sample: Location
) -> None:
    with reading(sample) as connection:
        found = failure_combinations(connection, view)
        known = {
            one.measure: one
            for one in answer(
                connection, Question(("failed_orders", *VERDICTS), start=view.start, end=view.end, where=view.where)
            )
        }
    assert sum(orders for _, orders in found) == known["failed_orders"].value
    assert len({names for names, _ in found}) == len(found)
    for name in VERDICTS:
        missed = known[name].denominator - known[name].numerator
        assert sum(orders for names, orders in found if name in names) == missed


@pytest.mark.parametrize("view", VIEWS, ids=["half a year", "two segments"])
def test_cycle_day_counts_use_the_same_orders_as_the_mean(view: Question, sample: Location) -> None:
    with reading(sample) as connection:
        found = cycle_day_counts(connection, view)
        (mean,) = answer(connection, Question(("cycle_days",), start=view.start, end=view.end, where=view.where))
    assert sum(orders for _, orders in found) == mean.denominator
    assert (
        sum(days * orders for days, orders in found) == mean.numerator
    )  # no sample order took longer than the last class


@pytest.mark.parametrize("view", VIEWS, ids=["half a year", "two segments"])
def test_promised_day_counts_include_only_arrived_orders(view: Question, sample: Location) -> None:
    expected: dict[int, int] = {}
    with reading(sample) as connection:
        for row in connection.execute(select(*order_facts_table.c)).mappings():
            arrived = (
                row["arrived_day"] is not None
                and row["cycle_days"] is not None
                and row["first_promised_day"] is not None
            )
            inside = arrived and (view.start or date.min) <= row["arrived_day"] <= (view.end or date.max)
            if inside and all(row[name] in values for name, values in view.where):
                days = (row["first_promised_day"] - row["ordered_day"]).days
                expected[days] = expected.get(days, 0) + 1
        assert promised_day_counts(connection, view) == sorted(expected.items())
        assert sum(expected.values()) <= sum(orders for _, orders in cycle_day_counts(connection, view))
    assert len(expected) > 5


def missing_by_product(connection: Connection) -> dict[str, Decimal]:
    """Recount in plain Python: owed goods lines with less counted than owed, where known."""
    line = order_line_facts_table.c
    found: dict[str, Decimal] = {}
    for row in connection.execute(select(*line)).mappings():
        if (
            row["due_day"] is not None
            and row["state"] == "judged"
            and row["line_kind"] == "goods"
            and row["filled_qty"] == row["filled_most_qty"]
            and row["complete_reason"] != "quarantined"
        ):
            missing = row["owed_qty"] - row["filled_qty"]
            if missing > 0:
                found[row["product_id"]] = found.get(row["product_id"], Decimal(0)) + missing
    return found


def test_pages_of_missing_goods_equal_the_missing_quantities_of_the_lines(sample: Location) -> None:
    with reading(sample) as connection:
        expected = missing_by_product(connection)
        first = most_often_short(connection, Question(()), page=1, size=3)
        rest = [row for at in range(2, 40) for row in most_often_short(connection, Question(()), page=at, size=3).rows]
    rows = [*first.rows, *rest]
    assert first.total == len(rows) == len(expected) > 3
    assert {row["product_id"]: row["missing_qty"] for row in rows} == expected
    worth = [row["missing_amount"] for row in rows if row["missing_amount"] is not None]
    assert worth == sorted(worth, reverse=True)


@pytest.mark.parametrize("view", VIEWS, ids=["half a year", "two segments"])
def test_missing_goods_add_up_to_the_unfilled_part_of_the_fill_rates(view: Question, sample: Location) -> None:
    """Money adds up over all products, quantities only within one base unit (N7: unlike units are never added)."""
    with reading(sample) as connection:
        rows = most_often_short(connection, view, size=1000).rows
        (value,) = answer(connection, replace(view, measures=("value_fill_final",)))
        units = answer(connection, replace(view, measures=("unit_fill_final",), by=("base_unit",)))
    assert sum(row["missing_amount"] or 0 for row in rows) == lacking(value) > 0
    missing: dict[str, Decimal] = {}
    for row in rows:
        missing[row["base_unit"]] = missing.get(row["base_unit"], Decimal(0)) + row["missing_qty"]
    assert missing == {one.dimensions["base_unit"]: lacking(one) for one in units if lacking(one)}


def test_n7_missing_goods_of_several_units_or_currencies_are_never_added() -> None:
    """N7: product P lacks 3 pieces (30 EUR) and 2 kg (10 USD), product Q 4 kg (8 EUR) and 1 kg (2 EUR)."""
    shared = {"state": "judged", "line_kind": "goods", "due_day": date(2026, 1, 5), "in_quarantine": False, "rate": 1}
    lines = [("P", "piece", "EUR", 3, 10), ("P", "kg", "USD", 2, 5), ("Q", "kg", "EUR", 4, 2), ("Q", "kg", "EUR", 1, 2)]
    engine = create_engine("duckdb:///:memory:", poolclass=StaticPool)
    with engine.connect() as connection:
        for table in (order_line_facts_table, products, mapped_columns):
            table.create(connection)
        for number, (product, unit, currency, missing, price) in enumerate(lines):
            quantities = {"owed_qty": 10, "filled_qty": 10 - missing, "filled_most_qty": 10 - missing}
            amounts = {"owed_amount": 10 * price, "filled_amount": (10 - missing) * price}
            of_line = {"order_id": "O", "line_no": str(number), "product_id": product, "complete": False}
            line = {**shared, **of_line, **quantities, **amounts, "base_unit": unit, "currency": currency}
            connection.execute(insert(order_line_facts_table).values(line))
        found = {row["product_id"]: row for row in most_often_short(connection, Question(())).rows}
        columns = ("base_unit", "missing_qty", "missing_amount", "short_lines")
        assert [found["P"][name] for name in columns] == [None, None, None, 2]
        assert [found["Q"][name] for name in columns] == ["kg", 5, 10, 2]
        connection.execute(insert(mapped_columns).values(source="s", feed="fx_rates", column_name="rate"))
        with_rates = {
            row["product_id"]: row["missing_amount"] for row in most_often_short(connection, Question(())).rows
        }
        assert with_rates == {"P": 40, "Q": 10}
    engine.dispose()


def lacking(one: Answer) -> Decimal:
    """The denominator of an answer less its numerator."""
    return Decimal(one.denominator or 0) - Decimal(one.numerator or 0)
