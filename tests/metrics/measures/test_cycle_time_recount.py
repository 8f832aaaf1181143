"""Compare the clocks of the sample with the clocks of the reference implementation."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, select

from metrics.facts.cycle_times import cycle_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.schema import FEEDS
from metrics.warehouse import Location, reading
from tests.reference.cycle_times import business_time, buyers_holds, net_day, net_time
from tests.reference.dates import day_starts, shifted


def test_clocks_of_the_sample_equal_an_independent_recount(sample: Location) -> None:
    """Compare the clocks of each sale: net time, holds and working time."""
    with reading(sample) as connection:
        kinds = recounted(connection)
    assert all(number > 3 for number in kinds.values()), kinds


def recounted(connection: Connection) -> dict[str, int]:
    """Compare all clocks. Return the number of compared clocks by kind."""

    def table(source: Table) -> list[dict[str, Any]]:
        return [dict(row) for row in connection.execute(select(*source.c)).mappings()]

    live = {
        name: [row for row in table(FEEDS[name].table) if not row["deleted"]]
        for name in ("orders", "holds", "calendars", "service_packages")
    }
    headers = {row["order_id"]: row for row in live["orders"]}
    facts = [row for row in table(order_facts_table) if row["order_type"] == "sale" and row["order_id"] in headers]
    wanted: dict[str, datetime] = {}
    for line in table(order_line_facts_table):
        if line["request_at"] is not None:
            wanted[line["order_id"]] = max(line["request_at"], wanted.get(line["order_id"], datetime.min))
    clocks = {row["order_id"]: row for row in table(cycle_facts_table)}
    assert clocks.keys() == {row["order_id"] for row in facts}
    kinds = {"timed": 0, "ahead": 0, "held": 0, "worked": 0}
    for fact in facts:
        order_id, zone, clock = fact["order_id"], fact["ship_to_time_zone"], clocks[fact["order_id"]]
        valid = [
            row
            for row in live["service_packages"]
            if row["service_segment"] == fact["segment"] and row["valid_from"] <= fact["ordered_day"]
        ]
        lead = max(valid, key=lambda row: row["valid_from"])["lead_time_days_max"] if valid else None
        starts = net_day(fact["ordered_day"], fact["requested_day"], lead)
        arrived, settled = fact["arrived_day"], fact["settled_at"]
        assert clock["cycle_days_net"] == (None if arrived is None else max(0, (arrived - starts).days))
        if fact["ordered_at_is_date"] or settled is None or settled.microsecond == 999999:
            assert clock["cycle_seconds"] is clock["cycle_seconds_net"] is clock["business_seconds"] is None
            continue
        gross = (fact["ordered_at"], settled)
        dwell = timedelta(0)
        if order_id in wanted and lead is not None:
            at = wanted[order_id]
            if at.microsecond == 999999:  # a bare date starts with its day
                at = day_starts(fact["requested_day"], zone)
            dwell = max(dwell, shifted(at, -lead, zone) - fact["ordered_at"])
        held = buyers_holds(order_id, [row for row in live["holds"] if row["order_id"] == order_id], [], zone, settled)
        worked = business_time(gross, live["calendars"], (headers[order_id]["ship_to"], "ship_to", "default"), zone)
        assert clock["cycle_seconds"] == (gross[1] - gross[0]).total_seconds(), order_id
        assert clock["cycle_seconds_net"] == net_time(gross, dwell, held).total_seconds(), order_id
        assert clock["business_seconds"] == (None if worked is None else worked.total_seconds()), order_id
        kinds["timed"] += 1
        kinds["ahead"] += dwell > timedelta(0)
        kinds["held"] += clock["held_seconds"] > 0
        kinds["worked"] += worked is not None
    return kinds
