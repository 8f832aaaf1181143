"""Open the store: `store.sqlite` next to the generations of an embedded warehouse, or the schema `desk` of the server.

    with open_store(location) as connection:              # one transaction: commits at the end, rolls back on an error
        connection.execute(insert(work_items).values(…))

A missing or older store is created or migrated first. The store is changed in place; it has no generations.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    DatabaseError,
    IntegrityError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from metrics.errors import StoreUnusable, WarehouseUnreachable, driver_text, storage_text
from metrics.store import migrate
from metrics.warehouse import Location
from metrics.warehouse.folder import make_private
from metrics.warehouse.postgres import create_schema, may_not

FILE = "store.sqlite"
SCHEMA = "desk"
PATIENCE = 30
"""Seconds to wait for another writer of the file. A save takes milliseconds."""
LOCK = 0x6465736B
"""Key of the advisory lock around the migration of a server's store: "desk" as a number."""


def store_url(location: Location) -> URL:
    """Return the database URL of a warehouse's store."""
    if location.folder is not None:
        return URL.create("sqlite+pysqlite", database=str(location.folder / FILE))
    assert location.url is not None
    return location.url.update_query_dict({"options": f"-c search_path={SCHEMA} -c TimeZone=UTC"})


@contextmanager
def open_store(location: Location, *, write: bool = True) -> Iterator[Connection]:
    """Open the store, migrated, in one transaction. `write=False` does not wait for a writer.

    Raises StoreUnusable if the store cannot be opened, read, written or migrated.
    """
    try:
        if location.folder is not None:
            make_private(location.folder)
        engine = _engine(store_url(location))
        with _transaction(engine, write=write) as connection:
            if not migrate.needs_migration(connection):
                yield connection
                return
        _migrate(engine, location)
        with _transaction(engine, write=write) as connection:
            yield connection
    except (DatabaseError, OSError) as error:
        if isinstance(error, DatabaseError) and may_not(error):
            why = f"{driver_text(error)}. Run `buyerview access list` with the role that writes (docs/operations.md)"
            raise StoreUnusable(str(location), why) from error
        if isinstance(error, (IntegrityError, ProgrammingError)):  # a defect of this program, not of the store
            raise
        if location.url is not None and isinstance(error, (OperationalError, InterfaceError)):
            raise WarehouseUnreachable(str(location), storage_text(error)) from error
        raise StoreUnusable(str(location), storage_text(error, location.folder)) from error


def _migrate(engine: Engine, location: Location) -> None:
    try:
        with _transaction(engine, write=True) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                create_schema(connection, SCHEMA)
            migrate.migrate(connection)
    except migrate.NewerStoreError as error:
        raise StoreUnusable(
            str(location), f"a newer version of Buyerview created it ({driver_text(error)}). Update Buyerview there"
        ) from error


@contextmanager
def _transaction(engine: Engine, *, write: bool) -> Iterator[Connection]:
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # SQLite rejects a write in a transaction that began with a read if another connection wrote in between.
            # BEGIN IMMEDIATE takes the write lock first.
            connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
        yield connection


@lru_cache(maxsize=8)
def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, poolclass=NullPool)
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": PATIENCE})
    event.listen(engine, "connect", _set_up)
    return engine


def _set_up(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None  # otherwise the driver commits before it creates a table
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()
