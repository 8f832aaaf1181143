"""A partial rebuild of facts and rollups equals a full rebuild, to the last row and digit."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, MetaData, String, Table, delete, insert, select, update

from ingest.pipeline import run
from metrics.facts.orders import facts_state, order_facts_table, order_line_facts_table
from metrics.facts.registry import FACT_TABLES
from metrics.queries.rollups import ROLLUPS
from metrics.rebuild.rebuild import rebuild
from metrics.schema import orders, shipment_lines
from metrics.warehouse import Location, writing

SMALL = Path(__file__).parents[3] / "sample_data" / "small"
JUNE, AUGUST = datetime(2026, 6, 30, 18), datetime(2026, 8, 15, 12)
"""The end of the sample data, and an instant after all its promises, claim windows and invoice windows."""
BUILT = (
    order_line_facts_table,
    order_facts_table,
    *[fact_table.table for fact_table in FACT_TABLES],
    *[rollup.table for rollup in ROLLUPS],
)


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    place = Location(folder=tmp_path_factory.mktemp("rebuild"))
    run(SMALL / "mapping.toml", location=place)
    with writing(place) as build:
        yield build.connection


def contents(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    return {table.name: sorted(map(tuple, connection.execute(select(table))), key=repr) for table in BUILT}


def touched_orders(connection: Connection, order_ids: list[str]) -> Table:
    table = Table("touched_in_test", MetaData(), Column("order_id", String))
    table.create(connection, checkfirst=True)
    connection.execute(delete(table))
    if order_ids:
        connection.execute(insert(table), [{"order_id": order_id} for order_id in order_ids])
    return table


def assert_equals_full_rebuild(connection: Connection, as_of: datetime) -> dict[str, list[tuple[object, ...]]]:
    """Rebuild everything, compare it with the present facts, and return it."""
    in_part = contents(connection)
    rebuild(connection, as_of=as_of, touched=None)
    in_full = contents(connection)
    for name, rows in in_full.items():
        assert in_part[name] == rows, name
    return in_full


@pytest.mark.long  # test_rebuild_fact_tables.py compares a smaller rebuild in every run
def test_a_partial_rebuild_of_changed_orders_and_one_of_later_time_equal_full_rebuilds(connection: Connection) -> None:
    """Changed and deleted records change only their orders. Then time alone judges orders that have become due."""
    assert connection.execute(select(facts_state.c.as_of)).scalar_one() == JUNE
    touched = list(connection.scalars(select(orders.c.order_id).order_by(orders.c.order_id).limit(12)))
    halved, gone = touched[:6], touched[6:]
    connection.execute(update(shipment_lines).where(shipment_lines.c.order_id.in_(halved)).values(received_qty=1))
    connection.execute(update(orders).where(orders.c.order_id.in_(gone)).values(deleted=True))
    rebuild(connection, as_of=JUNE, touched=touched_orders(connection, touched).name)
    left = select(order_facts_table.c.order_id).where(order_facts_table.c.order_id.in_(gone))
    assert connection.scalars(left).all() == []
    in_june = assert_equals_full_rebuild(connection, JUNE)

    rebuild(connection, as_of=AUGUST, touched=touched_orders(connection, []).name)
    assert assert_equals_full_rebuild(connection, AUGUST) != in_june
