"""Lists and order pages on both kinds of warehouse: a drill-down lists exactly the orders that its number counts."""

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Connection

from metrics import warehouse
from metrics.lists import data_quality, failed_orders, options, order_story
from metrics.lists.rows import VERDICTS
from metrics.queries import answer
from metrics.queries.answer import Question
from metrics.warehouse import Location
from tests.dashboard.small_warehouse import AS_OF, publish

JUNE = {"start": date(2026, 6, 1), "end": date(2026, 6, 30)}


@pytest.fixture
def small(any_location: Location) -> Iterator[Connection]:
    publish(any_location, count=40)
    with warehouse.reading(any_location) as connection:
        yield connection


def test_order_lists_and_order_stories(small: Connection) -> None:
    """Test all lists at once, because each warehouse takes seconds to build."""
    _check_failed_orders(small)
    _check_counts_and_options(small)
    _check_one_order(small)
    _check_data_quality(small)


def _check_failed_orders(small: Connection) -> None:
    whole = failed_orders.failed_orders(small, size=1000)
    counted = answer.answer(small, Question(("failed_orders",)))[0].value
    assert whole.total == len(whole.rows) == counted
    assert sum(one["orders"] for one in whole.sums) == whole.total
    for total, amount in (("value", "ordered_amount"), ("short_value", "short_amount")):
        rows = [row for row in whole.rows if amount == "ordered_amount" or row["complete"] is False]
        known = [row[amount] * row["rate"] for row in rows if row[amount] is not None and row["rate"] is not None]
        assert sum(one[total] or 0 for one in whole.sums) == sum(known)
    without_rate = sum(row["ordered_amount"] is not None and row["rate"] is None for row in whole.rows)
    assert sum(one["without_rate"] for one in whole.sums) == without_rate
    assert all(any(row[verdict] is False for verdict in VERDICTS) for row in whole.rows)
    ids = [row["order_id"] for row in whole.rows]

    pages = [
        row["order_id"] for page in (1, 2, 3, 4) for row in failed_orders.failed_orders(small, page=page, size=5).rows
    ]
    assert pages == ids[:20], "pages follow each other without gap or repeat"
    assert [row["due_day"] for row in whole.rows] == sorted((row["due_day"] for row in whole.rows), reverse=True)
    values = [row["ordered_amount"] for row in failed_orders.failed_orders(small, sort="value", size=1000).rows]
    assert values == sorted(values, reverse=True)

    wrong = failed_orders.failed_orders(small, reasons=("wrong_item",), **JUNE)  # type: ignore[arg-type]
    assert [row["order_id"] for row in wrong.rows] == ["HAND-WRONG"]
    reasons = {(row["verdict"], row["reason"]): row["orders"] for row in failed_orders.failure_reasons(small)}
    assert reasons[("filled_accurately", "wrong_item")] == 1
    assert (
        reasons[("billed_accurately", "billed_price")]
        == failed_orders.failed_orders(small, reasons=("billed_price",)).total
    )
    in_c = failed_orders.failed_orders(small, where=(("segment", ("C",)),), size=1000)
    assert {row["segment"] for row in in_c.rows} == {"C"}


def _check_counts_and_options(small: Connection) -> None:
    standing = failed_orders.order_counts(small)
    assert standing["judged"] == answer.answer(small, Question(("judged_orders",)))[0].value
    assert options.date_range(small)["orders"] == sum(standing.values())
    assert options.options(small, "segment") == ["A", "B", "C"]
    assert options.options(small, "customer", limit=3) == [], "too many to list"
    assert failed_orders.nearest_day(small, date(2030, 1, 1)) == options.date_range(small)["last_day"]
    assert failed_orders.nearest_day(small, date(2001, 1, 1)) == options.date_range(small)["first_day"]


def _check_one_order(small: Connection) -> None:
    story = order_story.order_records(small, "HAND-SHORT")
    assert story is not None
    assert (len(story.lines), len(story.shipments), len(story.invoices)) == (1, 1, 1)
    assert (story.lines[0]["owed_qty"], story.lines[0]["counted_qty"]) == (100, 60)
    assert story.customer["service_segment"] == "B"
    assert story.product_names == {"P1": "Pump"}
    assert order_story.order_records(small, "NOPE") is None

    targets = {
        (row["measure"], row["scope"]): float(row["target_value"]) for row in options.targets_on(small, AS_OF.date())
    }
    assert targets[("otif", "segment:A")] == 0.95
    assert options.targets_on(small, date(2019, 1, 1)) == []


def _check_data_quality(small: Connection) -> None:
    runs = data_quality.run_history(small)
    assert (runs.total, runs.rows[0]["rows_quarantined"]) == (1, 3)
    assert next(row["rows_failed"] for row in data_quality.checks_of_run(small, 1)) == 3
    assert data_quality.broken_rules(small) == [
        {"feed": "order_lines", "rule": "not a number", "column": "ordered_qty", "records": 3}
    ]
    held = data_quality.quarantined(
        small, feeds=("order_lines",), statuses=("rejected",), rule="not a number", page=2, size=2
    )
    assert (held.total, [row["row_no"] for row in held.rows], held.rows[0]["rules"][0]["message"]) == (
        3,
        [9],
        "'two' is not a number: write 2",
    )
    assert data_quality.quarantined(small, rule="100%_").total == 0
    assert data_quality.restated_records(small).total == 1
    assert data_quality.freshness(small)["data_as_of"] == AS_OF
    assert data_quality.stand_ins(small) == []
    assert [row["code"] for row in data_quality.warnings(small)] == ["same_key_differs"]
    assert "invoices" in data_quality.mapped_feeds(small)
    assert all(
        row["rows_in"] == row["rows_loaded"] + row["rows_quarantined"] + row["rows_superseded"]
        for row in data_quality.feed_rows(small)
    )
