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
    parts = []
    for column in moments:
        value = quoted(column)
        midnight = f"{value} = {to_utc(_day(value, zone), zone)}"
        timed = f"NOT {quoted(f'{column}_is_date')} AND {quoted(f'ok_{column}')}"
        parts += [f"count(*) FILTER ({timed})", f"count(*) FILTER ({timed} AND NOT {midnight})"]
    counts = reading.connection.execute(
        f"SELECT {', '.join(parts)} FROM {table} WHERE _object = {number}"
    ).fetchone() or [0] * len(parts)
    days = {column: counts[2 * at] for at, column in enumerate(moments) if counts[2 * at] and not counts[2 * at + 1]}
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


def _day(value: str, time_zone: str) -> str:
    return f"date_trunc('day', {to_local(value, time_zone)})"
