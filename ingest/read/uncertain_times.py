"""Warn of times that are read, but that the source leaves uncertain or that lose decimals.

Staged times alone show whether a file can have such times. Only then is its text read again.
"""

from datetime import datetime, timedelta

from sqlalchemy import DateTime

from ingest.mapping.columns import source_text
from ingest.mapping.local_times import ClockChange, among, clock_changes, local_time, more_decimals
from ingest.mapping.mapping_file import FeedMap
from ingest.read.source_objects import Reading
from ingest.storage.run_warnings import RunWarning
from ingest.storage.scratch_database import quoted
from metrics.schema import FEEDS

NEAR = timedelta(hours=3)
"""A skipped or repeated local time is staged as an instant at most this far from its clock change."""
CODES = {
    "local_time_repeated": "exist twice, because a clock change of {zone} repeats them. The earlier instant is taken. "
    "Send these times with an offset, or as UTC with Z",
    "local_time_skipped": "do not exist: a clock change of {zone} skips them. They are moved on by the gap. "
    "Check time_zone in the mapping, or send these times with an offset, or as UTC with Z",
    "decimals_of_seconds_cut": "have more than six decimals of a second, and are cut to microseconds",
}


def warn_of_uncertain_times(
    reading: Reading,
    feed: str,
    feed_map: FeedMap,
    relation: str,
    object_name: str,
    marked: frozenset[str] = frozenset(),
) -> None:
    """Add a warning for each column of the last staged object with such times.

    relation: SQL of the rows with the object's texts. marked: source columns with marks at typed values.
    """
    zone, conditions = reading.mapping.time_zone, []
    for column, changes, has_decimals in _candidates(reading, feed, feed_map):
        mapped = feed_map.columns[column]
        text = source_text(mapped, column)
        local = local_time(column, mapped, zone, marked=mapped.column in marked)
        conditions += [
            (column, code, text, condition)
            for code, condition in (
                ("local_time_repeated", among(local, changes, skipped=False)),
                ("local_time_skipped", among(local, changes, skipped=True)),
                ("decimals_of_seconds_cut", more_decimals(text) if has_decimals else None),
            )
            if condition
        ]
    if not conditions:
        return
    counts = ", ".join(f"count(*) FILTER ({one}), min({text}) FILTER ({one})" for _, _, text, one in conditions)
    found = reading.connection.execute(f"SELECT {counts} FROM {relation}").fetchone() or ()
    for at, (column, code, _, _) in enumerate(conditions):
        rows, example = found[2 * at], found[2 * at + 1]
        if rows:
            what = CODES[code].format(zone=zone)
            message = f"{rows:,} of the times of {column} in {object_name} {what}. Example: {example}."
            reading.warnings.append(RunWarning(feed, code, message, object_name, rows, column))


def _candidates(reading: Reading, feed: str, feed_map: FeedMap) -> list[tuple[str, list[ClockChange], bool]]:
    """Return the columns that may have such times, the clock changes near their times, and if some have decimals."""
    table, columns = FEEDS[feed].table, []
    for column, mapped in feed_map.columns.items():
        if column in table.c and isinstance(table.c[column].type, DateTime) and mapped.value is None and not mapped.day:
            columns.append(column)
    if not columns:
        return []
    of_object = f"{quoted(f'stage_{feed}')} WHERE _object = {len(reading.objects) - 1}"
    timed = {
        column: f"NOT {quoted(f'{column}_is_date')}" if f"{column}_is_date" in table.c else "true" for column in columns
    }
    parts = [
        f"min({quoted(column)}) FILTER ({timed[column]}), max({quoted(column)}) FILTER ({timed[column]}), "
        f"bool_or(epoch_us({quoted(column)}) % 1000000 <> 0) FILTER ({timed[column]})"
        for column in columns
    ]
    seen = reading.connection.execute(f"SELECT {', '.join(parts)} FROM {of_object}").fetchone() or ()
    found = []
    for at, column in enumerate(columns):
        first, last, has_decimals = seen[3 * at : 3 * at + 3]
        changes = _near(reading, of_object, column, timed[column], first, last) if first is not None else []
        if changes or has_decimals:
            found.append((column, changes, bool(has_decimals)))
    return found


def _near(
    reading: Reading, of_object: str, column: str, timed: str, first: datetime, last: datetime
) -> list[ClockChange]:
    """Return the clock changes near which the column has a time."""
    margin = min(NEAR, first - datetime.min, datetime.max - last)
    changes = clock_changes(reading.mapping.time_zone, first - margin, last + margin)
    if not changes:
        return []
    near = ", ".join(
        f"bool_or({quoted(column)} BETWEEN TIMESTAMP '{change.at - NEAR}' AND TIMESTAMP '{change.at + NEAR}') "
        f"FILTER ({timed})"
        for change in changes
    )
    seen = reading.connection.execute(f"SELECT {near} FROM {of_object}").fetchone() or ()
    return [change for change, some in zip(changes, seen, strict=True) if some]
