"""Stage CSV files directly: with DuckDB's reader, or with the strict reader if DuckDB cannot number records exactly.

The number of a staged row in its object is `rowid + _shift`. So no number is computed per row (docs/speed.md, S1).
"""

import logging
from dataclasses import replace
from pathlib import Path

import duckdb

from ingest.errors import SourceRefused
from ingest.mapping.columns import StagedColumn, staging_columns
from ingest.mapping.mapping_file import FeedMap, Origin
from ingest.read import csv_file
from ingest.read.csv_file import BrokenRecord, CsvScan
from ingest.read.source_objects import Reading, SourceObject
from ingest.storage.scratch_database import Connection, quoted

log = logging.getLogger(__name__)


def create_staging(connection: Connection, feed: str, feed_map: FeedMap, time_zone: str) -> None:
    """Create the empty staging table of a feed."""
    columns = staging_columns(feed, feed_map, time_zone=time_zone, suspicious=True)
    listed = ", ".join(f"{quoted(one.name)} {one.kind}" for one in columns)
    connection.execute(f"CREATE TABLE {quoted(staging_table(feed))} ({listed}, _object BIGINT, _shift BIGINT)")


def staging_table(feed: str) -> str:
    """Return the name of a feed's staging table."""
    return f"stage_{feed}"


def stage_csv(reading: Reading, feed: str, feed_map: FeedMap, path: Path, object_name: str, file_scan: CsvScan) -> None:
    """Stage a CSV, unless its content was read before."""
    rows = reading.seen(feed, object_name, file_scan.sha256)
    if rows is not None:
        reading.repeated.append(SourceObject(-1, feed, object_name, file_scan.sha256, rows, rows))
        return
    header = csv_file.read_header(path, feed_map, object_name)
    csv_file.check_columns(
        header, [one.column for one in feed_map.columns.values() if one.column is not None], object_name
    )
    number, first = len(reading.objects), count_rows(reading.connection, staging_table(feed))
    columns = staging_columns(feed, feed_map, time_zone=reading.mapping.time_zone, suspicious=file_scan.suspicious)
    loaded = _load_directly(reading, feed, path, header, feed_map, file_scan, columns, number, first)
    plain = loaded is not None
    if loaded is None:
        loaded = _load_strictly(reading, feed, path, header, feed_map, object_name, columns, number, first)
    good, broken = loaded
    reading.objects.append(
        SourceObject(
            number,
            feed,
            object_name,
            file_scan.sha256,
            good + len(broken),
            good + len(broken),
            tuple(broken),
            origin=feed_map,
            path=path,
            lines_are_records=plain and good + len(broken) == file_scan.newlines - 1,
        )
    )
    if good + len(broken) == 0:
        log.warning("%s contains a header but no records", object_name)


def _load_directly(
    reading: Reading,
    feed: str,
    path: Path,
    header: list[str],
    origin: Origin,
    file_scan: CsvScan,
    columns: list[StagedColumn],
    number: int,
    first: int,
) -> tuple[int, list[BrokenRecord]] | None:
    """Stage a file with DuckDB's reader. None: it cannot number the records exactly; use the strict reader."""
    connection = reading.connection
    if origin.encoding.lower().replace("_", "-") not in ("utf-8", "utf8"):
        return None
    connection.execute("BEGIN")
    try:
        stage_relation(connection, feed, columns, csv_file.read_csv_sql(path, header, origin), number, f"{1 - first}")
        rejects = csv_file.read_rejects(connection)
    except duckdb.Error as error:
        log.info(
            "%s: DuckDB cannot read it (%s); reading it record by record", path.name, str(error).partition("\n")[0]
        )
        connection.execute("ROLLBACK")
        return None
    good = count_rows(connection, staging_table(feed)) - first
    records = file_scan.newlines - 1
    if rejects and (good + len(rejects) != records or len(rejects) > csv_file.MAX_BROKEN):
        connection.execute("ROLLBACK")
        return None
    connection.execute("COMMIT")
    broken = [BrokenRecord(line - 1, raw.rstrip("\r\n"), problem) for line, raw, problem in rejects]
    if broken:
        # New rows have provisional row ids until the commit.
        _shift_after(connection, feed, first, [one.row_no for one in broken])
    return good, [replace(one, problem=_words(one.problem)) for one in broken]


def _words(problem: str) -> str:
    return {
        "missing columns": "has fewer fields than the header",
        "too many columns": "has more fields than the header",
        "unquoted value": "has a quote that does not enclose a whole field",
    }.get(problem, problem)


def _shift_after(connection: Connection, feed: str, first: int, broken: list[int]) -> None:
    """Raise row numbers by the broken records: rows after the n-th broken record get a number n higher."""
    cases = " ".join(
        f"WHEN rowid >= {first + row_no - position} THEN {position}"
        for position, row_no in reversed(list(enumerate(sorted(broken), start=1)))
    )
    connection.execute(
        f"UPDATE {quoted(staging_table(feed))} SET _shift = _shift + CASE {cases} ELSE 0 END WHERE rowid >= {first}"
    )


def _load_strictly(
    reading: Reading,
    feed: str,
    path: Path,
    header: list[str],
    origin: Origin,
    object_name: str,
    columns: list[StagedColumn],
    number: int,
    first: int,
) -> tuple[int, list[BrokenRecord]]:
    clean = reading.scratch.folder / f"clean-{number}.csv"
    good, broken = csv_file.read_strictly(path, origin, object_name, clean)
    plain = Origin(read=("clean.csv",))
    relation = csv_file.read_csv_sql(clean, ["_shift", *header], plain)
    stage_relation(reading.connection, feed, columns, relation, number, f"CAST(_shift AS BIGINT) - {first}")
    rejects = csv_file.read_rejects(reading.connection)
    if rejects or count_rows(reading.connection, staging_table(feed)) - first != good:
        raise SourceRefused(
            object_name,
            f"record {rejects[0][0] if rejects else '?'}",
            "two readers disagree about it",
            "Have the file written again.",
        )
    clean.unlink()
    return good, broken


def stage_relation(
    connection: Connection, feed: str, columns: list[StagedColumn], relation: str, number: int, shift: str
) -> None:
    """Insert the rows of an SQL relation into the feed's staging table.

    shift: SQL of the difference between a row's number in its object and its `rowid`.
    """
    values = ", ".join(one.sql for one in columns)
    connection.execute(f"INSERT INTO {quoted(staging_table(feed))} SELECT {values}, {number}, {shift} FROM {relation}")


def count_rows(connection: Connection, table: str) -> int:
    """Return the number of rows of a table."""
    (count,) = connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone() or (0,)
    return int(count)
