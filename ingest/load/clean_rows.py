"""Make clean staged rows visible to the warehouse connection as `clean_<feed>`, with the feed's columns and types.

Embedded: views over the attached staging file, so rows are copied only once. Server: temporary tables filled by COPY.
The merge uses both in the same way.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Column, Connection, Table

from ingest.read.staging import staging_table
from ingest.storage.bulk_insert import create_temporary
from ingest.storage.scratch_database import Scratch, quoted, sql_literal
from metrics.schema import FEEDS
from metrics.sql.temporary_tables import temporary_table

STAGING = "staging"
PIECE = 1 << 20


@contextmanager
def clean_rows(
    connection: Connection, scratch: Scratch, feeds: dict[str, int], *, source: str, first_file_id: int
) -> Iterator[dict[str, Table]]:
    """Yield a table of clean rows for each feed.

    feeds: each feed's number of broken staged rows. first_file_id: the file_id of the run's first object. The staging
    file must be closed. Its table `broken(feed, row)` lists the staged rows to leave out.
    """
    selects = {feed: _select(feed, broken, source, first_file_id) for feed, broken in feeds.items()}
    if connection.dialect.name == "duckdb":
        connection.exec_driver_sql(f"ATTACH {sql_literal(str(scratch.file))} AS {STAGING} (READ_ONLY)")
        for feed, select in selects.items():
            connection.exec_driver_sql(
                f"CREATE TEMPORARY VIEW {quoted(f'clean_{feed}')} AS {select.format(database=f'{STAGING}.main.')}"
            )
        yield {feed: _view_table(feed) for feed in selects}
        for feed in selects:
            connection.exec_driver_sql(f"DROP VIEW {quoted(f'clean_{feed}')}")
    else:
        yield {
            feed: _copy_to_server(connection, scratch, feed, select.format(database=""))
            for feed, select in selects.items()
        }


def _select(feed: str, broken: int, source: str, first_file_id: int) -> str:
    values = {
        "source": sql_literal(source).replace("{", "{{").replace("}", "}}"),
        "file_id": f"s._object + {first_file_id}",
        "row_no": "s.rowid + s._shift",
    }
    columns = ", ".join(
        f"{values.get(column.name, f's.{quoted(column.name)}')} AS {quoted(column.name)}"
        for column in FEEDS[feed].table.columns
    )
    left_out = (
        f" WHERE s.rowid NOT IN (SELECT row FROM {{database}}broken WHERE feed = {sql_literal(feed)})" if broken else ""
    )
    return f"SELECT {columns} FROM {{database}}{quoted(staging_table(feed))} AS s{left_out}"


def _view_table(feed: str) -> Table:
    return temporary_table(f"clean_{feed}", {column.name: column.type for column in FEEDS[feed].table.columns})


def _copy_to_server(connection: Connection, scratch: Scratch, feed: str, select: str) -> Table:
    table = create_temporary(
        connection, f"clean_{feed}", *(Column(column.name, column.type) for column in FEEDS[feed].table.columns)
    )
    file = scratch.folder / f"clean_{feed}.csv"
    staging = scratch.connect()
    try:
        staging.execute(f"COPY ({select}) TO {sql_literal(str(file))} (FORMAT csv, HEADER false, NULLSTR '')")
    finally:
        staging.close()
    driver = connection.connection.driver_connection
    assert driver is not None
    with (
        file.open("rb") as data,
        driver.cursor() as cursor,
        cursor.copy(f"COPY clean_{feed} FROM STDIN (FORMAT csv, NULL '')") as copy,
    ):
        while piece := data.read(PIECE):
            copy.write(piece)
    file.unlink()
    connection.exec_driver_sql(f"ANALYZE clean_{feed}")
    return table
