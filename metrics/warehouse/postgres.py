"""Read and write a warehouse on a PostgreSQL server: one schema `buyerview`, one transaction per run.

The tables contain the newest generation; older ones are not stored. Each run adds a row to `generations` in its own
transaction, so readers see both the run and its number, or neither. A reader's block is one REPEATABLE READ, READ ONLY
transaction.
"""

import contextlib
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    func,
    insert,
    select,
)
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, ProgrammingError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import NullPool, Pool, QueuePool
from sqlalchemy.schema import CreateColumn, CreateSchema

from metrics.errors import (
    BuildFailed,
    GenerationGone,
    NothingPublished,
    SettingRefused,
    WarehouseBusy,
    WarehouseUnreachable,
    driver_text,
    storage_text,
)
from metrics.redaction import url_text
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.generation import Build, Generation, Views
from metrics.warehouse.instances import STORAGE_ERRORS, storage_failed
from metrics.warehouse.query_cache import CACHE_KEY
from metrics.warehouse.statement_cache import compiled_cache

SCHEMA = "buyerview"
LOCK = 0x6275796572766965
"""Key of the writer's advisory lock: "buyervie" as a number, of the database we are connected to."""

PAUSE = 0.5
"""Seconds before a failed connection is tried once more."""

SETTINGS = {"search_path": SCHEMA, "TimeZone": "UTC", "jit": "off"}
"""Settings of every session. PostgreSQL would compile long statements for seconds that run for less."""

RUN_SETTINGS = {
    "enable_nestloop": "off",
    "work_mem": "256MB",
    "temp_buffers": "64MB",
    "default_statistics_target": "20",
}
"""Further settings of a run's session.

PostgreSQL estimates a few rows for joins of joins, and would then join hundreds of thousands of rows one by one. With
less memory, sorts and groups of wide rows write to disk. Statistics of 6,000 rows a table are enough for the plans of a
run; with the default of 30,000 rows they took a fifth of its time.
"""

VIEWS_SETTINGS = {"enable_nestloop": "off", "work_mem": "64MB"}
"""Further settings of a session with views. PostgreSQL estimates a few rows for views of views too (RUN_SETTINGS)."""

NOT_CONNECTABLE = (ImportError, OSError, TypeError, ValueError)
"""Errors that a driver raises for a URL it cannot use, in addition to its own."""

generations = Table(
    "generations",
    MetaData(),
    Column("number", BigInteger, nullable=False, comment="1, 2, 3 ..."),
    Column("published_at", DateTime, nullable=False, comment="UTC"),
    comment="one row: one generation published, in the transaction of the run that made it",
)

_engines: dict[URL, Engine] = {}
_guard = threading.Lock()


@compiles(CreateColumn, "postgresql")
def _text_sorts_by_code_point(
    element: CreateColumn,
    compiler: Any,  # Any: SQLAlchemy does not annotate the compiler's methods
    **options: object,
) -> str:
    """Create text columns with the C collation.

    Text then sorts the same on every engine, independent of the database's default.
    """
    rendered: str = compiler.visit_create_column(element, **options)
    kind = element.element.type
    return f'{rendered} COLLATE "C"' if isinstance(kind, String) and kind.collation is None else rendered


def current(url: URL) -> Generation | None:
    """Return the newest published generation; None if nothing is published yet."""
    with _snapshot(url) as connection:
        return _newest(connection)


@contextmanager
def reading(url: URL, number: int | None = None, views: Views | None = None) -> Iterator[Connection]:
    """Open a read-only connection to the newest generation; see `warehouse.reading`.

    Views have a session of their own. They would keep a run from changing the columns of a table, so they end with it.
    """
    with _snapshot(url) if views is None else _with_views(url, views) as connection:
        checked = _of_generation(connection, url, number)
        checked.info[CACHE_KEY] = {}  # a pooled connection still has the cache of its last reader
        yield checked


@contextmanager
def _with_views(url: URL, views: Views) -> Iterator[Connection]:
    """Open a session, create the views, and begin its snapshot. An error in the snapshot does not remove the views."""
    engine = _new_engine(url, poolclass=NullPool)
    with _connected(engine, url) as connection:
        try:
            if (newest := _newest(connection)) is not None:  # otherwise there are no tables
                connection.info["generation"] = newest.number
                _set(connection, VIEWS_SETTINGS)
                views.create(connection)
            connection.commit()
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        except DBAPIError as error:
            if _server_failed(error):
                raise WarehouseUnreachable(_name(url), storage_text(error)) from error
            raise


@contextmanager
def preview(url: URL, number: int | None = None) -> Iterator[Connection]:
    """Open a connection that allows temporary tables.

    It has its own session, because other sessions have plans without those tables.
    """
    with _connected(_new_engine(url, poolclass=NullPool), url) as connection:
        yield _of_generation(connection.execution_options(isolation_level="REPEATABLE READ"), url, number)


def _of_generation(connection: Connection, url: URL, number: int | None) -> Connection:
    newest = _newest(connection)
    if newest is None:
        raise NothingPublished(_name(url))
    if number not in (None, newest.number):
        raise GenerationGone(_name(url), number or 0, [newest.number])
    connection.info["generation"] = newest.number
    connection.info["fallback"] = None
    return connection


@contextmanager
def writing(url: URL) -> Iterator[Build]:
    """Open the next generation for changes; see `warehouse.writing`."""
    engine = _new_engine(url, poolclass=NullPool)  # temporary tables end with the run's session
    with _connected(engine, url) as connection, _run_failures(url, engine):
        _set(connection, RUN_SETTINGS)
        if not connection.scalar(select(func.pg_try_advisory_xact_lock(LOCK))):
            raise WarehouseBusy(_name(url))
        failpoint("warehouse.server_lock")
        create_schema(connection, SCHEMA)
        generations.create(connection, checkfirst=True)
        base = _newest(connection)
        number = base.number + 1 if base else 1
        published: list[Generation] = []
        publishing = False

        @event.listens_for(connection, "commit")
        def _refuse_early_commit(_: Connection) -> None:
            if not publishing:
                raise RuntimeError(
                    "a run on a server is one transaction: call build.save() or build.publish(), not commit()"
                )

        def publish() -> Generation:
            nonlocal publishing
            if published:
                raise RuntimeError("publish() was called twice on one build")
            published_at = datetime.now(UTC)
            connection.execute(
                insert(generations).values(number=number, published_at=published_at.replace(tzinfo=None))
            )
            failpoint("warehouse.server_commit")
            publishing = True
            _commit(connection, url, number)
            failpoint("warehouse.server_committed")
            published.append(Generation(number, None, published_at, base.number if base else None))
            return published[0]

        yield Build(number, "postgresql", connection, engine, base, lambda: None, publish)


@contextmanager
def _run_failures(url: URL, engine: Engine) -> Iterator[None]:
    """Raise BuildFailed for a failure of the server, of the local disk, and for a role that may not write."""
    try:
        yield
    except DBAPIError as error:
        if may_not(error):
            why = f"{driver_text(error)}. Start it with the role that writes (docs/operations.md)"
            raise BuildFailed(_name(url), why) from error
        if _server_failed(error):
            raise BuildFailed(_name(url), storage_text(error)) from error
        raise
    except engine.dialect.loaded_dbapi.OperationalError as error:  # of COPY, which SQLAlchemy does not run
        raise BuildFailed(_name(url), storage_text(error)) from error
    except STORAGE_ERRORS as error:  # the scratch database, on this machine
        if storage_failed(error):
            raise BuildFailed(_name(url), storage_text(error, Path(tempfile.gettempdir()))) from error
        raise


def _set(connection: Connection, settings: dict[str, str]) -> None:
    """Set these parameters for the session."""
    for setting, value in settings.items():
        connection.exec_driver_sql(f"SET {setting} = '{value}'")


def create_schema(connection: Connection, name: str) -> None:
    """Create a schema unless it exists. With IF NOT EXISTS, a role would need the right to create one in any case."""
    if connection.scalar(select(func.to_regnamespace(name))) is None:
        connection.execute(CreateSchema(name))


def may_not(error: DBAPIError) -> bool:
    """Return whether the role of the connection lacks a right."""
    return getattr(error.orig, "sqlstate", None) == "42501"  # insufficient_privilege


def close(url: URL) -> None:
    """Close this process's idle connections to the server."""
    with _guard:
        engine = _engines.pop(url, None)
    if engine is not None:
        engine.dispose()


def _commit(connection: Connection, url: URL, number: int) -> None:
    """Commit the run. After an error, `generations` decides whether the commit took place, not the exception."""
    try:
        connection.commit()
    except DBAPIError as error:
        newest = current(url)
        if newest is None or newest.number < number:
            raise BuildFailed(_name(url), f"the server refused the commit ({storage_text(error)})") from error


@contextmanager
def _snapshot(url: URL) -> Iterator[Connection]:
    with _connected(_engine(url), url) as connection:
        try:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        except DBAPIError as error:
            if _server_failed(error):
                raise WarehouseUnreachable(_name(url), storage_text(error)) from error
            raise


@contextmanager
def _connected(engine: Engine, url: URL) -> Iterator[Connection]:
    """Open a connection. A failure is tried once more, because a server that restarts answers a moment later."""
    try:
        connection = engine.connect()
    except (DBAPIError, *NOT_CONNECTABLE):
        time.sleep(PAUSE)
        try:
            connection = engine.connect()
        except (DBAPIError, *NOT_CONNECTABLE) as error:
            raise WarehouseUnreachable(_name(url), driver_text(error)) from error
    try:
        yield connection
    finally:
        with contextlib.suppress(DBAPIError):  # a connection that the server has ended cannot be closed properly
            connection.close()


def _server_failed(error: DBAPIError) -> bool:
    """Return whether the server or the connection failed, and not the statement."""
    return error.connection_invalidated or isinstance(error, (OperationalError, InterfaceError))


def _newest(connection: Connection) -> Generation | None:
    query = select(generations.c.number, generations.c.published_at).order_by(generations.c.number.desc()).limit(2)
    try:
        rows = connection.execute(query).all()
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != "42P01":  # undefined_table
            raise
        connection.rollback()
        return None
    if not rows:
        return None
    previous = rows[1].number if len(rows) > 1 else None
    return Generation(rows[0].number, None, rows[0].published_at.replace(tzinfo=UTC), previous)


def _engine(url: URL) -> Engine:
    """Return the engine of this process's readers."""
    with _guard:
        if url not in _engines:
            _engines[url] = _new_engine(url, poolclass=QueuePool)
        return _engines[url]


def _new_engine(url: URL, *, poolclass: type[Pool]) -> Engine:
    options = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
    shared = {"compiled_cache": compiled_cache("postgresql")}
    ping = poolclass is QueuePool
    try:
        engine = create_engine(
            url, poolclass=poolclass, pool_pre_ping=ping, connect_args={"options": options}, execution_options=shared
        )
    except ImportError as error:
        why = f"the driver of PostgreSQL is missing ({driver_text(error)}). Install Buyerview with the extra postgres."
        raise SettingRefused("BUYERVIEW_WAREHOUSE", why) from error
    engine.dialect.supports_comments = False  # each would be a statement
    return engine


def _name(url: URL) -> str:
    return url_text(url)
