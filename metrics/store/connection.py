"""Opening the store: `store.sqlite` beside the generations of an embedded warehouse, or the schema `desk` of the
server's own database.

    with opened(location) as connection:                  # one transaction: all of the block is kept, or nothing
        connection.execute(insert(work_items).values(…))

A store that is not there, or older than this program, is brought up to date on the way. Unlike a generation it is
written in place.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DatabaseError, IntegrityError, ProgrammingError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool
from sqlalchemy.schema import CreateSchema

from metrics.errors import StoreUnusable
from metrics.store import migrate
from metrics.warehouse import Location

FILE = "store.sqlite"
SCHEMA = "desk"
PATIENCE = 30
"""Seconds to wait for whoever is writing to the file; what a person saves takes milliseconds."""
LOCK = 0x6465736B
"""Key of the advisory lock under which a server's store is brought up to date: "desk" as a number."""


def store_url(location: Location) -> URL:
    """The address of a warehouse's store."""
    if location.folder is not None:
        return URL.create("sqlite+pysqlite", database=str(location.folder / FILE))
    assert location.url is not None
    return location.url.update_query_dict({"options": f"-c search_path={SCHEMA} -c TimeZone=UTC"})


@contextmanager
def open_store(location: Location, *, write: bool = True) -> Iterator[Connection]:
    """The store, up to date, in one transaction; `write=False` waits for no writer.

    Raises StoreUnusable where it cannot be opened, read or written.
    """
    try:
        if location.folder is not None:
            location.folder.mkdir(parents=True, exist_ok=True)
        engine = _engine(store_url(location))
        with _begun(engine, write=write) as connection:
            if not migrate.needs_migration(connection):
                yield connection
                return
        with _begun(engine, write=True) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
                connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
            migrate.migrate(connection)
        with _begun(engine, write=write) as connection:
            yield connection
    except CommandError as error:
        raise StoreUnusable(
            str(location), f"a newer version of Buyerview wrote it ({error}); update this one"
        ) from error
    except (DatabaseError, OSError) as error:
        if isinstance(error, (IntegrityError, ProgrammingError)):  # defects of ours
            raise
        raise StoreUnusable(str(location), str(getattr(error, "orig", error)).strip()) from error


@contextmanager
def _begun(engine: Engine, *, write: bool) -> Iterator[Connection]:
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            # A transaction that begins by reading and then writes is refused at once if somebody wrote in between: take
            # the turn first.
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
    connection.isolation_level = None  # the driver would commit before it changes a table
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.close()
