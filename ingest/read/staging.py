"""Stage CSV files: regular files with DuckDB's reader, all others with the strict reader.

The number of a staged row in its object is `rowid + _shift`. So no number is computed per row (docs/speed.md, S1).
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import duckdb

from ingest.mapping.columns import StagedColumn, staging_columns, text_column
from ingest.mapping.mapping_file import FeedMap, required
from ingest.read import csv_file, layout
from ingest.read.csv_file import BrokenRecord, CsvLayout
from ingest.read.csv_scan import CsvScan
from ingest.read.csv_table import csv_to_table
from ingest.read.letter_warnings import warn_of_odd_letters
from ingest.read.midnights import read_midnights_as_days
from ingest.read.source_objects import Reading, SourceObject
from ingest.read.text_tables import TextTable
from ingest.read.uncertain_times import warn_of_uncertain_times
from ingest.storage.run_warnings import RunWarning
from ingest.storage.scratch_database import Connection, quoted

MOST_BROKEN = 200
"""With more broken records, the strict reader is faster than shifting row numbers range by range."""
log = logging.getLogger(__name__)


def create_staging(connection: Connection, feed: str, feed_map: FeedMap, time_zone: str) -> None:
    """Create the empty staging table of a feed."""
    columns = staging_columns(feed, feed_map, time_zone=time_zone, suspicious=True)
    listed = ", ".join(f"{quoted(column.name)} {column.kind}" for column in columns)
    connection.execute(f"CREATE TABLE {quoted(staging_table(feed))} ({listed}, _object BIGINT, _shift BIGINT)")


def staging_table(feed: str) -> str:
    """Return the name of a feed's staging table."""
    return f"stage_{feed}"


def source_columns(feed_map: FeedMap) -> list[str]:
    """Return the source's columns that a feed reads."""
    return list(dict.fromkeys(column.column for column in feed_map.columns.values() if column.column is not None))


def needed_columns(feed: str, feed_map: FeedMap) -> list[str]:
    """Return the source's columns that every record of a feed must fill."""
    needed = (feed_map.columns[column].column for column in required(feed) if column in feed_map.columns)
    return [column for column in needed if column is not None]


def stage_csv(reading: Reading, feed: str, feed_map: FeedMap, path: Path, object_name: str, file_scan: CsvScan) -> None:
    """Stage a CSV, unless its content was read before."""
    rows = reading.read_before(feed, object_name, file_scan.sha256)
    if rows is not None:
        reading.repeated.append(SourceObject(-1, feed, object_name, file_scan.sha256, rows, rows))
        return
    connection, number = reading.connection, len(reading.objects)
    found = csv_file.find_layout(path, feed_map, object_name, source_columns(feed_map))
    first = count_rows(connection, staging_table(feed))
    broken = _load_directly(reading, feed, feed_map, path, found, file_scan)
    strict: TextTable | None = None
    texts = csv_file.read_csv_sql(path, found, feed_map, {name: text_column(name) for name in source_columns(feed_map)})
    if broken is None:
        strict = csv_to_table(
            connection,
            reading.next_table(),
            path,
            feed_map,
            found,
            object_name,
            sha256=file_scan.sha256,
            needed=needed_columns(feed, feed_map),
        )
        texts = quoted(f"text_{reading.tables}")
        columns = staging_columns(feed, feed_map, time_zone=reading.mapping.time_zone, suspicious=True)
        stage_relation(connection, feed, columns, texts, number, f"_row_no - rowid - {first}")
        broken = strict.broken
    rows = count_rows(connection, staging_table(feed)) - first + len(broken)
    reading.objects.append(
        SourceObject(
            number,
            feed,
            object_name,
            file_scan.sha256,
            rows,
            rows,
            tuple(broken),
            origin=feed_map,
            path=path,
            layout=found,
            text_table=f"text_{reading.tables}" if strict else None,
            lines_are_records=strict is None and file_scan.lines_are_records,
        )
    )
    reading.warnings.extend(
        RunWarning(feed, "rows_skipped", text, object_name) for text in (strict.notes if strict else ())
    )
    reading.warnings.extend(read_midnights_as_days(reading, feed, feed_map, object_name))
    warn_of_uncertain_times(reading, feed, feed_map, texts, object_name)
    if broken and strict is None:
        csv_file.read_rejects(connection)  # those of texts that were read again
    warn_of_odd_letters(reading, feed, feed_map, file_scan.odd_letters, object_name)


def _load_directly(
    reading: Reading, feed: str, origin: FeedMap, path: Path, found: CsvLayout, file_scan: CsvScan
) -> Sequence[BrokenRecord] | None:
    """Stage a regular file with DuckDB's reader. Returns the broken records.

    None: the strict reader must take over. DuckDB rejects a record that may be readable, or the scan counts other
    records.
    """
    connection = reading.connection
    if file_scan.records is None or found.skip or origin.footer is not None:
        return None
    if _may_end_in_footer(file_scan, found, origin, needed_columns(feed, origin)):
        return None
    first = count_rows(connection, staging_table(feed))
    columns = staging_columns(feed, origin, time_zone=reading.mapping.time_zone, suspicious=file_scan.suspicious)
    names = {name: text_column(name) for name in source_columns(origin)}
    relation = csv_file.read_csv_sql(path, found, origin, names)
    connection.execute("BEGIN")
    try:
        stage_relation(connection, feed, columns, relation, len(reading.objects), f"{1 - first}")
        rejects = csv_file.read_rejects(connection)
    except duckdb.Error as error:
        log.info(
            "%s: DuckDB cannot read it (%s); reading it record by record", path.name, str(error).partition("\n")[0]
        )
        connection.execute("ROLLBACK")
        return None
    count = count_rows(connection, staging_table(feed)) - first + len(rejects)
    broken = [
        one for line, text in rejects[: MOST_BROKEN + 1] if (one := csv_file.as_broken(line, text, found, origin))
    ]
    numbered = not rejects or (file_scan.lines_are_records and len(broken) == len(rejects) <= MOST_BROKEN)
    if not numbered or count != file_scan.records - 1:
        connection.execute("ROLLBACK")
        return None
    connection.execute("COMMIT")
    if broken:
        # New rows have provisional row ids until the commit.
        _shift_after(connection, feed, first, [row.row_no for row in broken])
    return broken


def _shift_after(connection: Connection, feed: str, first: int, broken: list[int]) -> None:
    """Raise row numbers by the broken records: rows after the n-th broken record get a number n higher."""
    cases = " ".join(
        f"WHEN rowid >= {first + row_no - position} THEN {position}"
        for position, row_no in reversed(list(enumerate(sorted(broken), start=1)))
    )
    connection.execute(
        f"UPDATE {quoted(staging_table(feed))} SET _shift = _shift + CASE {cases} ELSE 0 END WHERE rowid >= {first}"
    )


def _may_end_in_footer(file_scan: CsvScan, found: CsvLayout, origin: FeedMap, needed: Sequence[str]) -> bool:
    """Return True if one of the last lines may be a totals row, and the last line may be no record.

    The strict reader then decides. A last line that can be a record has no footer above it.
    """
    lines = file_scan.tail.decode("utf-8", "replace").splitlines()[-20:]
    rows = [[cell.strip('" ') for cell in line.split(found.delimiter)] for line in lines]
    if not any(layout.is_totals_row([*row, ""], (), 0) for row in rows):
        return False
    filled = [found.header.index(name) for name in needed]
    quoted_cells = origin.quote != "" and origin.quote in lines[-1]
    return quoted_cells or layout.cannot_be_record(rows[-1], filled, len(found.header))


def stage_relation(
    connection: Connection, feed: str, columns: list[StagedColumn], relation: str, number: int, shift: str
) -> None:
    """Insert the rows of an SQL relation into the feed's staging table.

    shift: SQL of the difference between a row's number in its object and its `rowid`.
    """
    values = ", ".join(column.sql for column in columns)
    connection.execute(f"INSERT INTO {quoted(staging_table(feed))} SELECT {values}, {number}, {shift} FROM {relation}")


def count_rows(connection: Connection, table: str) -> int:
    """Return the number of rows of a table."""
    (count,) = connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone() or (0,)
    return int(count)
