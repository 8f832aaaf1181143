"""Stage Excel, Parquet, JSON Lines, database rows and results of a mapping's SQL, by way of text tables."""

from dataclasses import dataclass
from pathlib import Path

from ingest.errors import SourceRefused
from ingest.mapping.columns import staging_columns
from ingest.mapping.mapping_file import FeedMap, Origin, connection_url
from ingest.read import csv_file, text_tables
from ingest.read.csv_file import BrokenRecord
from ingest.read.database import Pull, from_database
from ingest.read.source_objects import Reading, SourceObject
from ingest.read.staging import count_rows, stage_relation, staging_table
from ingest.storage.scratch_database import Connection, quoted


@dataclass(frozen=True)
class QueryRows:
    """A source object as a text table of the scratch database."""

    table: str
    name: str
    sha256: str
    columns: list[str]
    rows: int
    broken: tuple[BrokenRecord, ...] = ()
    rows_staged: int | None = None
    path: Path | None = None
    origin: Origin | None = None
    cursor: object = None
    columns_map: FeedMap | None = None


def to_text(connection: Connection, table: str, path: Path, origin: Origin, object_name: str) -> text_tables.TextTable:
    """Read a file into a text table."""
    if path.name.endswith(".xlsx"):
        return text_tables.from_excel(connection, table, path, origin, object_name)
    if path.name.endswith(".parquet"):
        return text_tables.from_parquet(connection, table, path, object_name)
    if path.name.endswith(".jsonl"):
        return text_tables.from_json_lines(connection, table, path, object_name)
    return _csv_to_text(connection, table, path, origin, object_name)


def _csv_to_text(
    connection: Connection, table: str, path: Path, origin: Origin, object_name: str
) -> text_tables.TextTable:
    file_scan = csv_file.scan(path, origin, object_name)
    header = csv_file.read_header(path, origin, object_name)
    database = Path(
        str(
            (
                connection.execute(
                    "SELECT path FROM duckdb_databases() WHERE database_name = current_database()"
                ).fetchone()
                or [""]
            )[0]
        )
    )
    clean = database.parent / f"clean-{table}.csv"
    good, broken = csv_file.read_strictly(path, origin, object_name, clean)
    texts = ", ".join(quoted(one) for one in header)
    relation = csv_file.read_csv_sql(clean, ["_shift", *header], Origin(read=("clean.csv",)))
    connection.execute(
        f"CREATE TABLE {quoted(table)} AS SELECT CAST(_shift AS BIGINT) AS _row_no, {texts} FROM {relation}"
    )
    connection.execute(f"UPDATE {quoted(table)} SET _row_no = _row_no + rowid")
    rejects = csv_file.read_rejects(connection)
    if rejects:
        raise SourceRefused(
            object_name, f"record {rejects[0][0]}", "two readers disagree about it", "Have the file written again."
        )
    clean.unlink()
    return text_tables.TextTable(header, good, file_scan.sha256, tuple(broken))


def read_query(reading: Reading, connection: Connection, feed: str, origin: Origin) -> QueryRows:
    """Read the result of a connection's query into a text table of `connection`."""
    mapping = reading.mapping
    url = mapping.store or connection_url(origin.connection or "", key=f"{feed}.connection", file=mapping.path.name)
    object_name = f"{(origin.connection or '').removeprefix('env:')}: {feed.removeprefix('staged.')}"
    table = reading.next_table()
    pull = Pull(
        origin,
        object_name,
        reading.cursors.get(feed, origin.cursor_start),
        mapping.time_zone,
        mapping.data_as_of if mapping.store else None,
    )
    read = from_database(connection, table, url, pull)
    return QueryRows(table, object_name, read.sha256, read.columns, read.rows, origin=origin, cursor=read.cursor)


def stage_text(reading: Reading, feed: str, texts: list[QueryRows]) -> None:
    """Convert text tables to rows of the feed's staging table."""
    feed_map = reading.mapping.feeds[feed]
    for text in texts:
        rows = reading.seen(feed, text.name, text.sha256)
        if rows is not None:
            reading.repeated.append(SourceObject(-1, feed, text.name, text.sha256, rows, rows))
            continue
        mapped = text.columns_map or feed_map
        csv_file.check_columns(
            text.columns, [one.column for one in mapped.columns.values() if one.column is not None], text.name
        )
        number, first = len(reading.objects), count_rows(reading.connection, staging_table(feed))
        columns = staging_columns(feed, mapped, time_zone=reading.mapping.time_zone, suspicious=True)
        stage_relation(reading.connection, feed, columns, quoted(text.table), number, f"_row_no - rowid - {first}")
        total = text.rows + len(text.broken)
        reading.objects.append(
            SourceObject(
                number,
                feed,
                text.name,
                text.sha256,
                text.rows_staged if text.rows_staged is not None else total,
                total,
                text.broken,
                origin=text.origin,
                path=text.path,
                text_table=text.table,
                cursor=text.cursor,
            )
        )
