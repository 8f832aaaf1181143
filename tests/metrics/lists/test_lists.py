"""Lists add up to the measures next to them: failed tests in combination, missing goods, days from order to arrival."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from sqlalchemy import Connection, select

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.lists.availability import most_often_short
from metrics.lists.buyers_view import failure_combinations
from metrics.lists.cycle_time import cycle_day_counts, promised_day_counts
from metrics.lists.rows import VERDICTS
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.warehouse import Location, reading

VIEWS = (Question((), start=date(2026, 1, 1), end=date(2026, 6, 30)), Question((), where=(("segment", ("A", "B")),)))


@pytest.mark.parametrize("view", VIEWS, ids=["half a year", "two segments"])
def test_combinations_add_up_to_the_failed_orders_and_each_test_to_its_own(view: Question, sample: Location) -> None:
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
def test_days_rest_on_the_orders_the_mean_rests_on(view: Question, sample: Location) -> None:
    with reading(sample) as connection:
        found = cycle_day_counts(connection, view)
        (mean,) = answer(connection, Question(("cycle_days",), start=view.start, end=view.end, where=view.where))
    assert sum(orders for _, orders in found) == mean.denominator
    assert (
        sum(days * orders for days, orders in found) == mean.numerator
    )  # no sample order took longer than the last class


@pytest.mark.parametrize("view", VIEWS, ids=["half a year", "two segments"])
def test_promised_days_are_those_of_the_orders_that_arrived(view: Question, sample: Location) -> None:
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


def test_missing_goods_are_those_of_the_lines_page_by_page(sample: Location) -> None:
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
def test_missing_goods_add_up_to_what_the_fill_rates_lack(view: Question, sample: Location) -> None:
    with reading(sample) as connection:
        rows = most_often_short(connection, view, size=1000).rows
        known = {
            one.measure: one
            for one in answer(connection, replace(view, measures=("value_fill_final", "unit_fill_final")))
        }
    for name, column in (("value_fill_final", "missing_amount"), ("unit_fill_final", "missing_qty")):
        lacking = known[name].denominator - known[name].numerator
        assert sum(row[column] or 0 for row in rows) == lacking > 0
