"""Stage Excel, Parquet, JSON Lines, database rows and results of a mapping's SQL, by way of text tables."""

from dataclasses import dataclass, field
from pathlib import Path

from ingest.mapping.columns import staging_columns
from ingest.mapping.database_address import connection_url
from ingest.mapping.file_kinds import kind_of
from ingest.mapping.mapping_file import FeedMap, Origin
from ingest.read.csv_file import BrokenRecord, delimiter_of, find_layout
from ingest.read.csv_scan import scan
from ingest.read.csv_table import csv_to_table
from ingest.read.cursors import Tail
from ingest.read.database import Pull, from_database
from ingest.read.layout import check_columns
from ingest.read.midnights import read_midnights_as_days
from ingest.read.source_objects import Reading, SourceObject
from ingest.read.staging import count_rows, needed_columns, source_columns, stage_relation, staging_table
from ingest.read.text_tables import TextTable
from ingest.read.uncertain_times import warn_of_uncertain_times
from ingest.storage.run_warnings import RunWarning
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
    tail: Tail | None = None
    columns_map: FeedMap | None = None
    marked: frozenset[str] = frozenset()
    typed: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def query_rows(table: str, name: str, read: TextTable, *, path: Path | None = None, origin: Origin) -> QueryRows:
    """Return a text table that was read as a source object."""
    return QueryRows(
        table,
        name,
        read.sha256,
        read.columns,
        read.rows,
        read.broken,
        path=path,
        origin=origin,
        cursor=read.cursor,
        tail=read.tail,
        marked=read.marked,
        typed=read.typed,
        notes=read.notes,
    )


def to_text(
    reading: Reading,
    connection: Connection,
    table: str,
    path: Path,
    origin: Origin,
    object_name: str,
    feed: str | None = None,
) -> TextTable:
    """Read a file into a text table of `connection`. feed: the feed that reads it, None for a staged file."""
    feed_map = origin if isinstance(origin, FeedMap) and feed is not None else None
    wanted = source_columns(feed_map) if feed_map else []
    needed = needed_columns(feed, feed_map) if feed_map and feed else []
    if kind_of(path.name, origin.kind) not in ("csv", None):
        return reading.readers.read_table(connection, table, path, origin, object_name, wanted=wanted, needed=needed)
    file_scan = scan(path, origin, delimiter_of(origin, path.name), object_name)
    found = find_layout(path, origin, object_name, wanted)
    return csv_to_table(connection, table, path, origin, found, object_name, sha256=file_scan.sha256, needed=needed)


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
    return query_rows(table, object_name, read, origin=origin)


def stage_text(reading: Reading, feed: str, texts: list[QueryRows]) -> None:
    """Convert text tables to rows of the feed's staging table."""
    feed_map = reading.mapping.feeds[feed]
    for text in texts:
        rows = _read_before(reading, feed, text)
        if rows is not None:
            reading.repeated.append(SourceObject(-1, feed, text.name, text.sha256, rows, rows))
            continue
        mapped = text.columns_map or feed_map
        check_columns(text.columns, source_columns(mapped), text.name)
        number, first = len(reading.objects), count_rows(reading.connection, staging_table(feed))
        columns = staging_columns(
            feed, mapped, time_zone=reading.mapping.time_zone, suspicious=True, marked=text.marked
        )
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
                tail_sha256=None if text.tail is None else text.tail.sha256,
            )
        )
        reading.warnings.extend(RunWarning(feed, "rows_skipped", note, text.name) for note in text.notes)
        reading.warnings.extend(read_midnights_as_days(reading, feed, mapped, text.name))
        warn_of_uncertain_times(reading, feed, mapped, quoted(text.table), text.name, text.marked)


def _read_before(reading: Reading, feed: str, text: QueryRows) -> int | None:
    """Return the number of rows of a text table that was read before and can be skipped; otherwise None.

    A pull can be skipped if it returns no row, or only the rows at the cursor of the last pull, unchanged.
    """
    if text.tail is None:
        return reading.read_before(feed, text.name, text.sha256)
    if not text.rows and feed in reading.cursors:
        return 0
    if text.rows != text.tail.rows or reading.read_before(feed, text.name, text.tail.sha256) is None:
        return None
    return text.rows
