"""Read the result of a database query into a text table, whole or from a cursor on."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import URL, CursorResult, DateTime, bindparam, create_engine, text
from sqlalchemy import Connection as Database
from sqlalchemy.exc import SQLAlchemyError

from ingest.errors import SourceRefused
from ingest.mapping.mapping_file import Origin, nearest
from ingest.read import cursors
from ingest.read.text_tables import BATCH, Record, TextTable, as_text, fill_table, marked_columns, refuse_repeated
from ingest.read.time_limit import time_limit
from ingest.storage.scratch_database import Connection
from metrics.errors import driver_text


@dataclass(frozen=True)
class Pull:
    """A query to run, and the values it is bound to."""

    origin: Origin
    object_name: str
    since: object = None
    """The cursor of the last run, or the mapping's `cursor_start`: bound as :cursor."""
    time_zone: str = "UTC"
    """Zone of a `cursor_start` without a zone."""
    as_of: datetime | None = None
    """Bound as :as_of if the query uses it."""


URL_ERRORS = (AttributeError, KeyError, OSError, TypeError, ValueError)
"""Errors that drivers raise for a URL or an option they cannot use, in addition to their own."""


def from_database(connection: Connection, table: str, url: str | URL, pull: Pull) -> TextTable:
    """Read the rows of a query in pieces.

    Raises SourceRefused if the database fails or the cursor cannot be used.
    """
    digest, cursor, name = hashlib.sha256(), pull.origin.cursor, pull.object_name
    tail = cursors.Tail()
    typed: dict[str, str] = {}
    try:
        engine = create_engine(url)
        try:
            with (
                engine.connect().execution_options(stream_results=True, yield_per=BATCH) as database,
                time_limit(database, name),
            ):
                columns, rows = _execute(database, pull)

                def records() -> Iterator[tuple[int, Record]]:
                    for row_no, row in enumerate(rows, start=1):
                        content = repr([as_text(value) for value in row]).encode("utf-8", "surrogatepass")
                        digest.update(content)
                        if cursor:
                            tail.add(row._mapping[cursor], content)
                        yield row_no, tuple(row)

                marked = marked_columns(pull.origin) & set(columns)
                count = fill_table(connection, table, columns, records(), marked=marked, typed=typed)
        finally:
            engine.dispose()
    except cursors.CursorError as error:
        do = "Name a column of date-times, dates, numbers, texts or row versions, or cast it in the query."
        raise SourceRefused(name, f"cursor {cursor!r}", f"the column {error}", do) from None
    except ImportError as error:
        do = "Install the driver, or name another one in the URL."
        raise SourceRefused(name, "", f"a driver of the database is missing ({driver_text(error)})", do) from None
    except (SQLAlchemyError, *URL_ERRORS) as error:
        raise SourceRefused(name, f"cursor {cursor!r}" if cursor else "", *_failure(pull, driver_text(error))) from None
    cursor_value = pull.since if tail.cursor is None else tail.cursor
    return TextTable(
        columns,
        count,
        digest.hexdigest(),
        cursor=cursor_value,
        tail=tail if cursor else None,
        marked=marked,
        typed=typed,
    )


def _execute(database: Database, pull: Pull) -> tuple[list[str], Iterator[Any]]:  # Any: rows of any columns
    """Run the query. Returns its columns, and its rows.

    A start without a zone is in the source's zone. If the cursor column contains instants, the query runs again with
    that instant, because a database would read the start in a zone of its own.
    """
    cursor, start = pull.origin.cursor, cursors.start_value(pull.since)
    result = _query(database, pull, start)
    columns = list(result.keys())
    refuse_repeated(columns, pull.object_name)
    if not cursor:
        return columns, iter(result)
    if cursor not in columns:
        raise SourceRefused(
            pull.object_name,
            f"cursor {cursor!r}",
            f"the query does not return this column{nearest(cursor, columns)}",
            "Add it to the SELECT, or correct `cursor` in the mapping.",
        )
    first = result.fetchone()
    if first is None:
        return columns, iter(())
    instant = cursors.zoned(start, first._mapping[cursor], pull.time_zone)
    if instant is not start:
        result.close()
        return columns, iter(_query(database, pull, instant))
    return columns, chain([first], result)


def _query(database: Database, pull: Pull, start: object) -> CursorResult[Any]:  # Any: rows of any columns
    query = text(pull.origin.query or "")
    if pull.as_of is not None and ":as_of" in query.text:
        query = query.bindparams(bindparam("as_of", pull.as_of, DateTime()))
    if not pull.origin.cursor:
        return database.execute(query)
    return database.execute(query, {"cursor": cursors.bound(start, database.dialect.name)})


def _failure(pull: Pull, reason: str) -> tuple[str, str]:
    """Return the reason and the remedy if the database fails."""
    do = "Check the URL, the query and the server."
    if pull.origin.cursor:
        start = cursors.described(cursors.start_value(pull.since))
        do = (
            f":cursor is bound to {start}. Give cursor_start the type of the column, or cast it in the query. "
            f"Otherwise check the URL, the query and the server."
        )
    return f"the database failed ({reason})", do
