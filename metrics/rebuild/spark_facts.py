"""Build facts and rollups on Spark, from canonical tables in Parquet files.

The build is the one of `rebuild.py`: Spark runs the same statements. Tables are lists of Parquet files.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import URL, Connection, Date, Select, String, cast, create_engine, false, insert, or_, select, union
from sqlalchemy.pool import NullPool

from metrics import schema
from metrics.facts.orders import facts_metadata, order_facts_table
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild.rebuild import rebuild
from metrics.schema import orders
from metrics.sql.temporary_tables import temporary_table
from metrics.warehouse.spark_dialect import columns_of, session_of

DERIVED = (facts_metadata, rollup_metadata)
"""Tables that the build writes. It also writes `local_days`."""


def build_facts(
    url: URL,
    sources: Mapping[str, Sequence[str]],
    target: Path,
    *,
    as_of: datetime,
    months: frozenset[date] | None = None,
    feeds: frozenset[str] | None = None,
) -> dict[str, list[str]]:
    """Build facts and rollups to `as_of` (naive UTC) on the cluster. Return the Parquet files of each table.

    sources: Parquet files of the canonical tables and, for a partial build, of the tables that the former build
    returned. A table without files is empty.
    target: folder for new files, which every worker can write. It must be a new folder for each build.
    months: first days of the months whose orders changed. None: all may have changed. A partial build judges the orders
    of these months again, and writes only files with changed rows; the other files are those of the former build.
    feeds: the feeds whose records changed, as in `rebuild`.
    """
    engine = create_engine(url, poolclass=NullPool, connect_args={"folder": str(target)})
    with engine.connect() as connection:
        attach(connection, sources)
        touched = None if months is None else _orders_of(connection, months)
        rebuild(connection, as_of=as_of, touched=touched, feeds=feeds)
        files = session_of(connection).files
        built = {name for metadata in DERIVED for name in metadata.tables} | {schema.local_days.name}
        return {name: files[name] for name in sorted(built)}


def attach(connection: Connection, sources: Mapping[str, Sequence[str]]) -> None:
    """Make the canonical tables, and those of a former build, known to Spark."""
    session = session_of(connection)
    for metadata in (schema.metadata, *DERIVED):
        for table in metadata.tables.values():
            if metadata is schema.metadata or table.name in sources:
                session.attach(table.name, columns_of(table), sources.get(table.name, ()))


def _orders_of(connection: Connection, months: frozenset[date]) -> str:
    """Create a temporary table of the orders placed in some months, now or before. Return its name."""
    touched = temporary_table("orders_of_months", {"order_id": String()})
    touched.create(connection)
    placed: list[Select[tuple[str]]] = [
        select(table.c.order_id).where(
            or_(false(), *[cast(day, Date).between(month, _last_day(month)) for month in sorted(months)])
        )
        for table, day in ((orders, orders.c.ordered_at), (order_facts_table, order_facts_table.c.ordered_day))
    ]
    connection.execute(insert(touched).from_select(["order_id"], union(*placed)))
    return touched.name


def _last_day(month: date) -> date:
    return (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
