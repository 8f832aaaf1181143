"""Local times that a clock change makes uncertain, and times with more decimals than are stored.

A text without an offset is a local time of the source. A clock change skips local times or repeats them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from ingest.mapping import formats
from ingest.mapping.columns import OFFSET, source_text, typed_column
from ingest.mapping.mapping_file import ColumnMap
from ingest.storage.scratch_database import quoted, sql_literal

FIRST_YEAR, LAST_YEAR = 1970, 2100
"""Other years have no clock changes here."""
MORE_DECIMALS = r"[:.,]\d\d?[.,]\d{6}\d*[1-9]"
"""Text of seconds with a seventh or later decimal that is not zero."""


@dataclass(frozen=True)
class ClockChange:
    """A change of the clocks: its instant (naive UTC), and the first and last local time that it skips or repeats."""

    at: datetime
    skips: bool
    first: datetime
    end: datetime
    """The first local time after the skipped or repeated ones."""


def clock_changes(time_zone: str, since: datetime, until: datetime) -> list[ClockChange]:
    """Return the clock changes of a zone between two instants (naive UTC)."""
    years = range(max(since.year, FIRST_YEAR), min(until.year, LAST_YEAR) + 1)
    return [change for year in years for change in _of_year(time_zone, year) if since <= change.at <= until]


@lru_cache(maxsize=512)
def _of_year(time_zone: str, year: int) -> tuple[ClockChange, ...]:
    zone, start = ZoneInfo(time_zone), datetime(year, 1, 1)

    def offset(at: datetime) -> timedelta:
        return at.replace(tzinfo=UTC).astimezone(zone).utcoffset() or timedelta()

    found = []
    for before, after in pairwise(start + timedelta(day) for day in range(368)):
        if before.year == year and offset(before) != offset(after):
            low, high = before, after
            while high - low > timedelta(minutes=1):
                middle = low + timedelta(minutes=(high - low) // timedelta(minutes=2))
                low, high = (middle, high) if offset(middle) == offset(before) else (low, middle)
            bounds = sorted((high + offset(before), high + offset(after)))
            found.append(ClockChange(high, offset(after) > offset(before), *bounds))
    return tuple(found)


def local_time(column: str, mapped: ColumnMap, time_zone: str, *, marked: bool) -> str:
    """Return the SQL of the local time of a text without an offset; null for other texts.

    marked: the source's column has marks at typed values, which have no format.
    """
    text = source_text(mapped, column)
    plain = (
        f"(CASE WHEN length({text}) > 10 AND NOT ends_with({text}, 'Z') "
        f"AND NOT regexp_matches({text}, {sql_literal(OFFSET)}) THEN TRY_CAST({text} AS TIMESTAMP) END)"
    )
    if not mapped.format:
        return plain
    local = formats.has_time(mapped.format) and not formats.has_zone(mapped.format)
    value = f"CAST({formats.parsed(text, mapped.format, time_zone)} AS TIMESTAMP)" if local else "NULL::TIMESTAMP"
    if not marked or mapped.column is None:
        return value
    return f"(CASE WHEN {quoted(typed_column(mapped.column))} IS NULL THEN {value} ELSE {plain} END)"


def among(local: str, changes: list[ClockChange], *, skipped: bool) -> str | None:
    """Return the SQL condition that clock changes skip a local time, or repeat it. None: no change does."""
    parts = [
        f"({local} >= TIMESTAMP '{change.first}' AND {local} < TIMESTAMP '{change.end}')"
        for change in changes
        if change.skips == skipped
    ]
    return f"({' OR '.join(parts)})" if parts else None


def more_decimals(text: str) -> str:
    """Return the SQL condition that a text has more decimals of a second than are stored."""
    return f"regexp_matches({text}, {sql_literal(MORE_DECIMALS)})"
