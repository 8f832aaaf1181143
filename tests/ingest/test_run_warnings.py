"""I15: mapped columns that are empty in all records, in report, `--json` and on the data quality page."""

import pytest
from sqlalchemy import select

from metrics.facts.orders import order_facts_table
from metrics.lists.data_quality import warnings
from metrics.warehouse import reading
from tests.ingest.files import Source, kept, rows


@pytest.mark.long
def test_i15_mapped_and_empty_columns_are_listed_with_their_measures(any_source: Source) -> None:
    any_source.write("shipments.csv", "delivery,left,proof,by\nS1,,,\nS2,,,road\n")
    any_source.write("orders.csv", "no,customer,placed,promised,zone\nO1,C1,2026-03-02,2026-03-10,\n")
    any_source.columns["shipments"]["carrier"] = "'by'"
    any_source.columns["orders"]["ship_to_time_zone"] = "'zone'"
    any_source.columns["orders"]["channel"] = "{ value = 'web' }"
    report = any_source.take_in()
    found = {(one.feed, one.column): one for one in report.warnings}
    assert {*found} == {("shipments", "shipped_at"), ("shipments", "received_at"), ("orders", "ship_to_time_zone")}
    received = found["shipments", "received_at"]
    assert (received.code, received.rows) == ("column_is_empty", 2)
    assert received.message.startswith("received_at is mapped and empty in all 2 loaded records.")
    assert {"on_time", "otif", "complete"} <= {*received.measures}
    assert "days_late" not in received.message.partition("Map the column")[2]
    assert [one["measures"] for one in report.to_json()["warnings"] if one["column"] == "received_at"] == [
        received.measures
    ]
    with reading(any_source.location) as connection:
        assert {(row["feed"], row["column_name"]) for row in warnings(connection)} == {*found}
    any_source.write("shipments.csv", "delivery,left,proof,by\nS1,2026-03-08,2026-03-09,\nS2,,,road\n")
    left = any_source.take_in()
    assert {(one.feed, one.column) for one in left.warnings} == {("orders", "ship_to_time_zone")}


def test_i12_a_receipt_above_the_notified_quantity_is_loaded_and_flagged(source: Source) -> None:
    """S1/1 notifies 10 and receives 12, S2/1 as notified: both are loaded."""
    source.write("shipment_lines.csv", "delivery,item,no,pos,qty,got\nS1,1,O1,1,10,12\nS1,2,O1,2,5,5\nS2,1,O2,1,7,\n")
    source.columns["shipment_lines"]["received_qty"] = "'got'"
    (warning,) = source.take_in().warnings
    assert (warning.code, warning.rows, warning.column) == ("received_above_notified", 1, "received_qty")
    assert "shipment_id S1, shipment_line_no 1: 12 of 10" in warning.message
    with reading(source.location) as connection:
        assert kept(connection) == []
        assert [row["received_qty"] for row in rows(connection, "shipment_lines")] == [12, 5, None]
        facts = order_facts_table.c
        verdicts = connection.execute(
            select(facts.complete, facts.filled_accurately_reason).where(facts.order_id == "O1")
        ).one()
        assert tuple(verdicts) == (True, "over_shipped"), "12 of 10 owed is too much (R9)"
