"""Publish a generation whose order facts come from Spark: `python -m tests.fault.lake_process HOME LAKE URL`.

Spark copies the orders in eleven statements in place of the rules of judging: a test of kills needs many short jobs.
"""

import sys
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, insert, make_url, not_, or_, select

from metrics.facts.orders import facts_metadata, facts_state, order_facts_table
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild.lake_facts import update_facts
from metrics.schema import orders
from metrics.warehouse import Lake, Location, create_tables, writing

AS_OF = datetime(2026, 6, 30, 18)
ORDERS = 200
COPIED = ("order_id", "customer_id", "ordered_at", "ordered_at_is_date")


def main(home: str, lake: str, url: str) -> None:
    from metrics.rebuild import spark_facts  # needs PySpark, which only a process of the long run has

    spark_facts.rebuild = copy_orders
    place = Location(folder=Path(home), lake=Lake(Path(lake), make_url(url)))
    with writing(place) as build:
        create_tables(build.connection)
        if build.base is None:
            unknown = {"ordered_at_is_date": False, "ship_to_time_zone": "UTC", "time_zone_assumed": True}
            origin = {"source": "test", "file_id": 1, "deleted": False, **unknown}
            rows = [
                {"order_id": f"O{number}", "customer_id": "C1", "row_no": number, "ordered_at": AS_OF, **origin}
                for number in range(ORDERS)
            ]
            build.connection.execute(insert(orders), rows)
        update_facts(build, as_of=AS_OF, touched=None)
        build.publish()


def copy_orders(connection: Connection, *, as_of: datetime, touched: str | None, feeds: object) -> None:
    """Fill the order facts by the last digit of the order number."""
    assert touched is feeds is None
    for metadata in (facts_metadata, rollup_metadata):
        metadata.create_all(connection)
    ends = [orders.c.order_id.like(f"%{digit}") for digit in range(10)]
    for part in (*ends, not_(or_(*ends))):
        rows = select(*[orders.c[name] for name in COPIED]).where(part)
        connection.execute(insert(order_facts_table).from_select(COPIED, rows))
    connection.execute(insert(facts_state).values(as_of=as_of, mapped="[]"))


if __name__ == "__main__":
    main(*sys.argv[1:])
