"""Fill empty cells from the record above: exports that write a value once for a block of records."""

from ingest.mapping.mapping_file import FeedMap
from ingest.read.source_objects import Reading
from ingest.read.staging import staging_table
from ingest.storage.scratch_database import quoted
from metrics.schema import FEEDS


def fill_down(reading: Reading, feed: str, feed_map: FeedMap) -> None:
    """Fill the empty cells of the columns that the mapping names in `fill_down`.

    A value is carried to the records below it, within its file, up to the next value. A value that does not fit its
    type, and a record that cannot be read, end the block: the value of the records below them is not known.
    """
    columns = [
        column
        for column, about in feed_map.columns.items()
        if column in feed_map.fill_down or about.column in feed_map.fill_down
    ]
    if not columns:
        return
    connection, stage = reading.connection, quoted(staging_table(feed))
    connection.execute("CREATE OR REPLACE TEMP TABLE block_ends (number BIGINT, row_no BIGINT)")
    for source in reading.objects:
        if source.feed == feed and source.broken:
            rows = [(source.number, broken.row_no) for broken in source.broken]
            connection.executemany("INSERT INTO block_ends VALUES (?, ?)", rows)
    flags = {row[0] for row in connection.execute(f"DESCRIBE {stage}").fetchall()}
    for column in columns:
        empty = is_empty(column)
        filled = f"NOT {empty}" + (f" OR NOT {quoted(f'ok_{column}')}" if f"ok_{column}" in flags else "")
        connection.execute(
            f"UPDATE {stage} AS s SET {copy_cell(feed, column)} FROM ("
            "SELECT r, last_value(filled IGNORE NULLS) OVER (PARTITION BY _object ORDER BY n) AS above FROM ("
            f"SELECT rowid AS r, _object, rowid + _shift AS n, CASE WHEN {filled} THEN rowid END AS filled "
            f"FROM {stage} UNION ALL SELECT NULL, number, row_no, -1 FROM block_ends)"
            f") AS f JOIN {stage} AS t ON t.rowid = f.above WHERE s.rowid = f.r AND f.r <> f.above"
        )


def is_empty(column: str) -> str:
    """Return the SQL condition that the cell of a column is empty. An empty zone is staged as the source's zone."""
    return "time_zone_assumed" if column == "ship_to_time_zone" else f"({quoted(column)} IS NULL)"


def copy_cell(feed: str, column: str) -> str:
    """Return the assignments that copy the cell of a column from the row `t`, with the flag that belongs to it."""
    parts = [column]
    if f"{column}_is_date" in FEEDS[feed].table.c:
        parts.append(f"{column}_is_date")
    if column == "ship_to_time_zone":
        parts.append("time_zone_assumed")
    return ", ".join(f"{quoted(part)} = t.{quoted(part)}" for part in parts)
