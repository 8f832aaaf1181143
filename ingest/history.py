"""Every run and how it ended, failed ones too: a failed run leaves no generation, so it cannot be recorded in one.

Embedded: `store.sqlite` beside the generations. Server: the table `run_history` in the same schema, in a transaction of its own.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Column, Connection, DateTime, Integer, MetaData, String, Table, Text, create_engine, event, insert, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.schema import CreateSchema

from metrics.warehouse import Location

metadata = MetaData()
run_history = Table(
    "run_history",
    metadata,
    Column("source", String, nullable=False, comment="name of the mapping, or its file where it could not be read"),
    Column("started_at", DateTime, nullable=False, comment="UTC"),
    Column("finished_at", DateTime, nullable=False, comment="UTC"),
    Column("outcome", String, nullable=False, comment="published, unchanged, failed"),
    Column("generation", Integer, comment="the generation it published"),
    Column("report", Text, nullable=False, comment="JSON of the run's report, or of what went wrong"),
    comment="one row: one run, however it ended",
)


def record(
    location: Location,
    *,
    source: str,
    started_at: datetime,
    finished_at: datetime,
    outcome: str,
    generation: int | None,
    report: dict[str, object],
) -> None:
    """Write one run down."""
    with _store(location) as connection:
        connection.execute(
            insert(run_history).values(
                source=source,
                started_at=started_at,
                finished_at=finished_at,
                outcome=outcome,
                generation=generation,
                report=json.dumps(report, ensure_ascii=False),
            )
        )


def runs(location: Location, *, limit: int = 100) -> list[dict[str, object]]:
    """The latest runs, newest first."""
    with _store(location) as connection:
        rows = connection.execute(select(run_history).order_by(run_history.c.started_at.desc()).limit(limit))
        return [dict(row) for row in rows.mappings()]


@contextmanager
def _store(location: Location) -> Iterator[Connection]:
    if location.folder is not None:
        location.folder.mkdir(parents=True, exist_ok=True)
        engine = create_engine(f"sqlite:///{location.folder / 'store.sqlite'}", poolclass=NullPool)
        event.listen(engine, "connect", _write_ahead)
    else:
        assert location.url is not None
        engine = create_engine(location.url, poolclass=NullPool, connect_args={"options": "-c search_path=buyerview -c TimeZone=UTC"})
    with engine.begin() as connection:
        if location.folder is None:
            connection.execute(CreateSchema("buyerview", if_not_exists=True))
        metadata.create_all(connection)
        yield connection
    engine.dispose()


def _write_ahead(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()
