"""A failed check marks exactly the numbers of its feed and column. Too many quarantined records withhold them. Late
feeds count as late.
"""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, delete, insert

from metrics.lists.quality_marks import COLUMNS_BEHIND, FACT_TABLE_FEEDS, Mark, columns_behind, quality_marks
from metrics.measures.catalog import MEASURES
from metrics.model.reasons import columns_of, feed_of
from metrics.schema import FEEDS, checks, quarantine, run_files, runs
from tests.support.ask_measures import built

NOW = datetime(2026, 5, 1, 6)


@pytest.fixture(scope="module")
def loaded() -> Iterator[Connection]:
    """A warehouse with 1,000 records per feed, loaded by five daily runs."""
    with built() as opened:
        for run in range(1, 6):
            at = NOW - timedelta(days=6 - run)
            common = {"source": "s", "outcome": "published", "data_as_of_declared": False, "generation": run}
            opened.execute(
                insert(runs), {"run_id": run, "started_at": at, "finished_at": at, "data_as_of": at, **common}
            )
            counts = {
                "rows_staged": 200,
                "rows_in": 200,
                "rows_loaded": 200,
                "rows_quarantined": 0,
                "rows_superseded": 0,
            }
            files = [
                {"file_id": run, "run_id": run, "source": "s", "feed": feed, "name": "f", "sha256": "", **counts}
                for feed in FEEDS
            ]
            opened.execute(insert(run_files), files)
        yield opened


@pytest.fixture
def connection(loaded: Connection) -> Connection:
    """The warehouse without quarantined records."""
    for table in (checks, quarantine):
        loaded.execute(delete(table))
    return loaded


def keep_out(connection: Connection, feed: str, column: str, records: int, *, status: str = "rejected") -> None:
    """Return records that a check on a column rejects. The source has another name for the column."""
    rule = f"{column}_fits_type"
    found = {
        "run_id": 5,
        "feed": feed,
        "expectation": rule,
        "column_name": column,
        "rows_checked": 200,
        "rows_failed": records,
    }
    connection.execute(insert(checks), found)
    rules = json.dumps([{"rule": rule, "column": f"their_{column}", "value": "?", "message": ""}])
    rejected = {
        "file_id": 5,
        "run_id": 5,
        "feed": feed,
        "object_name": "f",
        "record": "{}",
        "rules": rules,
        "status": status,
    }
    connection.execute(insert(quarantine), [{**rejected, "row_no": at} for at in range(records)])


def marked(connection: Connection) -> dict[str, Mark]:
    return quality_marks(connection, NOW)


def test_no_measure_is_marked_if_no_record_is_quarantined(connection: Connection) -> None:
    assert marked(connection) == {}


@pytest.mark.parametrize(
    ("feed", "column", "marks_these", "leaves_these"),
    [
        (
            "products",
            "unit_cost_amount",
            {"product_cost", "customer_profit"},
            {"otif", "net_sales_value", "cost_to_serve", "cycle_days"},
        ),
        (
            "shipments",
            "freight_amount",
            {"cost_to_serve", "customer_profit"},
            {"otif", "on_time", "net_sales_value", "quotes_answered"},
        ),
        (
            "shipments",
            "received_at",
            {"otif", "perfect_order", "cycle_p90"},
            {"product_cost", "ordered_value", "info_accurate"},
        ),
        (
            "invoice_lines",
            "line_amount",
            {"billed_accurately", "perfect_order", "net_sales_value"},
            {"otif", "complete", "cycle_days"},
        ),
        ("messages", "correct", {"info_accurate", "ack_on_time"}, {"otif", "responsiveness_hours", "net_sales_value"}),
        ("orders", "channel", set(), {"otif", "orders", "cycle_days", "net_sales_value"}),
        ("orders", "order_id", {"otif", "orders", "cycle_days", "books_matched"}, {"quotes_answered", "product_cost"}),
    ],
)
def test_failed_check_marks_exactly_the_measures_that_use_its_column(
    feed: str, column: str, marks_these: set[str], leaves_these: set[str], connection: Connection
) -> None:
    keep_out(connection, feed, column, 3)
    found = marked(connection)
    assert marks_these <= set(found)
    assert not leaves_these & set(found)
    assert set(found) == {name for name, measure in MEASURES.items() if f"{feed}.{column}" in columns_behind(measure)}
    assert all(one.records == 3 and not one.withheld for one in found.values())


def test_affected_measures_are_withheld_if_over_a_tenth_of_a_feed_is_quarantined(connection: Connection) -> None:
    keep_out(connection, "shipments", "received_at", 100)
    assert not marked(connection)["otif"].withheld  # a tenth is not more than a tenth
    keep_out(connection, "shipments", "received_at", 1)
    found = marked(connection)
    assert found["otif"].withheld
    assert "product_cost" not in found


def test_released_record_marks_no_measure(connection: Connection) -> None:
    keep_out(connection, "shipments", "received_at", 9, status="released")
    assert marked(connection) == {}


def test_unreadable_record_marks_every_measure_of_its_feed(connection: Connection) -> None:
    keep_out(connection, "messages", "ok_text", 2)
    found = marked(connection)
    assert set(found) == {name for name, measure in MEASURES.items() if "messages" in measure.feeds}


def test_a_feed_is_late_after_twice_its_usual_gap(connection: Connection) -> None:
    assert quality_marks(connection, NOW + timedelta(hours=23)) == {}
    late = quality_marks(connection, NOW + timedelta(days=1, minutes=1))
    assert {one.feed for one in late["info_accurate"].late} == {"messages"}
    assert late["info_accurate"].late[0].usual == timedelta(days=1)
    assert set(late) == {name for name, measure in MEASURES.items() if measure.feeds}


def test_columns_behind_measures_exist() -> None:
    known = {f"{name}.{column.name}" for name, feed in FEEDS.items() for column in feed.table.columns} | {
        f"{name}.*" for name in FEEDS
    }
    assert {one for columns in (*COLUMNS_BEHIND.values(), *FACT_TABLE_FEEDS.values()) for one in columns} <= known
    assert set(FACT_TABLE_FEEDS) >= {measure.facts.name for measure in MEASURES.values()} - {
        "order_facts",
        "order_line_facts",
    }
    for measure in MEASURES.values():
        assert columns_behind(measure)
        for need in measure.needs:
            alternatives = [
                {column for column in columns_of(one) if feed_of(column) in measure.feeds} for one in need.any_of
            ]
            assert any(one and one <= columns_behind(measure) for one in alternatives) or not measure.feeds
