"""Read date-times that are all local midnights as days.

Systems without a type for days store a day as its midnight. Workbooks cannot tell the two apart at all. A column of
which every value is a local midnight, or a bare date, therefore holds days, whatever the kind of file.
"""

from sqlalchemy import DateTime

from ingest.mapping.columns import to_local, to_utc
from ingest.mapping.mapping_file import FeedMap
from ingest.read.source_objects import Reading
from ingest.storage.run_warnings import RunWarning
from ingest.storage.scratch_database import quoted
from metrics.schema import FEEDS

FIRST_ROWS = 1000
"""Rows that usually show a time of day in each column, so that the other rows need not be read."""


def read_midnights_as_days(reading: Reading, feed: str, feed_map: FeedMap, object_name: str) -> list[RunWarning]:
    """Change the last staged object's columns of midnights to days. Returns a note for each.

    Columns with `day = true` or `day = false` are left as the mapping says.
    """
    table, number = quoted(f"stage_{feed}"), len(reading.objects) - 1
    zone, columns = reading.mapping.time_zone, FEEDS[feed].table.c
    moments = [
        column
        for column, one in feed_map.columns.items()
        if f"{column}_is_date" in columns and isinstance(columns[column].type, DateTime) and one.day is None
    ]
    if not moments:
        return []
    first = _count_times(reading, f"{table} WHERE _object = {number} LIMIT {FIRST_ROWS}", moments)
    undecided = [column for column in moments if not first[column][1]]
    if reading.objects[number].rows_in <= FIRST_ROWS:
        counts = {column: first[column] for column in undecided}
    else:
        counts = _count_times(reading, f"{table} WHERE _object = {number}", undecided)
    days = {column: timed for column, (timed, others) in counts.items() if timed and not others}
    for column in days:
        value, flag = quoted(column), quoted(f"{column}_is_date")
        reading.connection.execute(
            f"UPDATE {table} SET {value} = {_day(value, zone)}, {flag} = true WHERE _object = {number} AND NOT {flag}"
        )
    return [
        RunWarning(
            feed,
            "midnights_read_as_days",
            f"all {count:,} date-times of {column} in {object_name} are local midnights, so they are read as days; "
            "write day = true or day = false on this column of the mapping to decide it",
            object_name,
            count,
            column,
        )
        for column, count in days.items()
    ]


def _count_times(reading: Reading, rows: str, columns: list[str]) -> dict[str, tuple[int, int]]:
    """Return the number of date-times of each column, and the number of those that are no local midnight."""
    if not columns:
        return {}
    zone, parts = reading.mapping.time_zone, []
    for column in columns:
        value = quoted(column)
        midnight = f"{value} = {to_utc(_day(value, zone), zone)}"
        timed = f"NOT {quoted(f'{column}_is_date')} AND {quoted(f'ok_{column}')}"
        parts += [f"count(*) FILTER ({timed})", f"count(*) FILTER ({timed} AND NOT {midnight})"]
    found = reading.connection.execute(f"SELECT {', '.join(parts)} FROM (SELECT * FROM {rows})").fetchone()
    counts = found or [0] * len(parts)
    return {column: (counts[2 * at], counts[2 * at + 1]) for at, column in enumerate(columns)}


def _day(value: str, time_zone: str) -> str:
    return f"date_trunc('day', {to_local(value, time_zone)})"
