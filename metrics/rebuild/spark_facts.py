"""Build facts and rollups on Spark, from canonical tables in Parquet files.

The build is the one of `rebuild.py`: Spark runs the same statements. Tables are lists of Parquet files.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path

from sqlalchemy import URL, Connection, String, create_engine, insert, literal, select, union
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from metrics import schema
from metrics.errors import BuildFailed, driver_text
from metrics.facts.orders import facts_metadata, order_facts_table
from metrics.queries.rollups import rollup_metadata
from metrics.rebuild.rebuild import rebuild
from metrics.redaction import url_text
from metrics.schema import orders
from metrics.sql.dialects import period_start
from metrics.sql.temporary_tables import temporary_table
from metrics.warehouse import Lake
from metrics.warehouse.lake import FACTS, Manifest, share
from metrics.warehouse.spark_dialect import columns_of, session_of
from metrics.warehouse.spark_session import Error

DERIVED = (facts_metadata, rollup_metadata)
"""Tables that the build writes. It also writes `local_days`."""


def build_facts(
    place: Lake,
    run: str,
    sources: Manifest,
    *,
    as_of: datetime,
    months: frozenset[date] | None,
    feeds: frozenset[str] | None,
) -> dict[str, list[Path]]:
    """Build facts and rollups to `as_of` (naive UTC) on the cluster. Return the Parquet files of each table.

    run: name of a new folder for each build. sources: the canonical tables and, for a partial build, the tables that
    the former build returned. A table without files is empty.
    months: first days of the months whose orders changed. None: all may have changed. A partial build judges the orders
    of these months again, and writes only files with changed rows; the other files are those of the former build.
    feeds: the feeds whose records changed, as in `rebuild`. Raises BuildFailed.
    """
    assert place.spark is not None
    target = place.folder / FACTS / run
    target.mkdir(parents=True)
    share(target)
    names = {name: [one for part in parts.values() for one in part.files] for name, parts in sources.canonical.items()}
    files = {name: [str(place.folder / one) for one in listed] for name, listed in {**names, **sources.derived}.items()}
    with connected(place.spark, str(target), files) as connection:
        touched = None if months is None else _orders_of(connection, months)
        rebuild(connection, as_of=as_of, touched=touched, feeds=feeds)
        built = session_of(connection).files
        derived = [name for metadata in DERIVED for name in metadata.tables] + [schema.local_days.name]
        return {name: [Path(file) for file in built[name]] for name in sorted(derived)}


@contextmanager
def connected(url: URL, folder: str, files: Mapping[str, Sequence[str]]) -> Iterator[Connection]:
    """Connect to a cluster that knows the canonical tables, and those of a former build.

    folder: where new tables go. files: the Parquet files of each table. Raises BuildFailed, also for an error of Spark
    while the connection is in use.
    """
    engine = create_engine(url, poolclass=NullPool, connect_args={"folder": folder})
    try:
        with engine.connect() as connection:
            session = session_of(connection)
            with session.limited():
                for metadata in (schema.metadata, *DERIVED):
                    for table in metadata.tables.values():
                        if metadata is schema.metadata or table.name in files:
                            session.attach(table.name, columns_of(table), files.get(table.name, ()))
            yield connection
    except (DBAPIError, Error) as error:
        raise BuildFailed(
            url_text(url),
            f"Spark failed ({driver_text(error)}). Check the cluster and its logs",
        ) from error


def _orders_of(connection: Connection, months: frozenset[date]) -> str:
    """Create a temporary table of the orders placed in some months, now or before. Return its name."""
    touched = temporary_table("orders_of_months", {"order_id": String()})
    touched.create(connection)
    placed = [
        select(day.table.c.order_id).where(period_start(literal("month"), day).in_(sorted(months)))
        for day in (orders.c.ordered_at, order_facts_table.c.ordered_day)
    ]
    connection.execute(insert(touched).from_select(["order_id"], union(*placed)))
    return touched.name
