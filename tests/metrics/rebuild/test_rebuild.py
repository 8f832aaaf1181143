"""A partial rebuild of facts and rollups equals a full rebuild, to the last row and digit."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, MetaData, String, Table, delete, insert, select, update

from ingest.pipeline import run
from metrics.facts.edited_feeds import DEPENDENT_TABLES
from metrics.facts.orders import facts_state, order_facts_table, order_line_facts_table
from metrics.facts.registry import FACT_TABLES
from metrics.queries.rollups import ROLLUPS
from metrics.rebuild import rebuild as rebuild_module
from metrics.rebuild.rebuild import rebuild
from metrics.schema import assumptions, orders, run_files, service_cases, service_packages, shipment_lines
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


def assert_equals_full_rebuild(connection: Connection, as_of: datetime) -> None:
    in_part = contents(connection)
    rebuild(connection, as_of=as_of, touched=None)
    in_full = contents(connection)
    for name, rows in in_full.items():
        assert in_part[name] == rows, name


def test_time_alone_judges_orders_that_have_become_due(connection: Connection) -> None:
    rebuild(connection, as_of=JUNE, touched=None)
    before = contents(connection)
    rebuild(connection, as_of=AUGUST, touched=touched_orders(connection, []).name)
    assert contents(connection) != before
    assert_equals_full_rebuild(connection, AUGUST)


def test_changed_and_deleted_records_change_only_their_orders(connection: Connection) -> None:
    rebuild(connection, as_of=JUNE, touched=None)
    touched = list(connection.scalars(select(orders.c.order_id).order_by(orders.c.order_id).limit(12)))
    halved, gone = touched[:6], touched[6:]
    connection.execute(update(shipment_lines).where(shipment_lines.c.order_id.in_(halved)).values(received_qty=1))
    connection.execute(update(orders).where(orders.c.order_id.in_(gone)).values(deleted=True))
    rebuild(connection, as_of=JUNE, touched=touched_orders(connection, touched).name)
    assert (
        connection.scalars(select(order_facts_table.c.order_id).where(order_facts_table.c.order_id.in_(gone))).all()
        == []
    )
    assert_equals_full_rebuild(connection, JUNE)


def test_edits_alone_change_only_the_tables_that_depend_on_them(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No order is judged, and all tables equal those of a full rebuild."""
    as_of = connection.scalar(select(facts_state.c.as_of))
    assert as_of is not None
    before = contents(connection)
    on_time = order_facts_table.c.on_time
    late = connection.scalars(select(order_facts_table.c.order_id).where(on_time.is_(False)).limit(1)).one()
    about = {"source": "test", "file_id": 900, "row_no": 1, "deleted": False}
    opened = {"opened_at": datetime(2026, 6, 1), "opened_at_is_date": False}
    connection.execute(insert(service_cases).values(**about, **opened, case_id="buyerview:1", order_id=late))
    lost = {"assumption": "lost_k", "scope": "all", "valid_from": date(2020, 1, 1), "assumed_value": 9}
    connection.execute(delete(assumptions).where(assumptions.c.assumption == "lost_k"))
    connection.execute(insert(assumptions).values(**about, **lost))
    counts = dict.fromkeys(("rows_staged", "rows_in", "rows_loaded", "rows_quarantined", "rows_superseded"), 0)
    file = {"file_id": 900, "run_id": 900, "source": "test", "feed": "assumptions", "name": "edits", "sha256": "-"}
    connection.execute(insert(run_files).values(**file, **counts))
    with monkeypatch.context() as patch:
        patch.setattr(rebuild_module, "order_line_facts", None)
        edits = frozenset(("assumptions", "service_cases"))
        rebuild(connection, as_of=as_of, touched=touched_orders(connection, [late]).name, feeds=edits)
        connection.execute(update(service_packages).values(lead_time_days_max=1))
        rebuild(connection, as_of=as_of, touched=None, feeds=frozenset(("service_packages",)))
    changed = {name for name, rows in contents(connection).items() if rows != before[name]}
    assert {"case_facts", "recovery_facts", "stockout_facts", "cycle_facts"} <= changed
    assert changed <= {one.table.name for tables in DEPENDENT_TABLES.values() for one in tables}
    assert_equals_full_rebuild(connection, as_of)
