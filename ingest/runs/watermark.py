"""The watermark: the end of the data. Pages use it as the current time."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Table, func, literal, select

from ingest.validate.rule_lists import EVENTS
from metrics.schema import FEEDS, runs

CLOCK_TOLERANCE = timedelta(hours=24)
"""Without a declared watermark, events later than this after the start of the run are rejected."""

FOREIGN_CLOCKS = ("buyer_scorecards", "service_costs")
"""Feeds whose days do not move the watermark: the buyer's own scorecards, and booking days of costs."""


def latest_event(connection: Connection, time_zone: str, *, present: datetime) -> datetime | None:
    """Return the latest accepted event of all data, naive UTC. A bare date counts as the end of that local day.

    present: the clock, naive UTC. The result is never later. Events beyond the tolerance were accepted by a wrong clock
    and do not count.
    """
    latest_events: list[datetime] = []
    limit = present + CLOCK_TOLERANCE
    for table, column in _event_columns():
        value, is_date = table.c[column], table.c[f"{column}_is_date"]
        for bare, moment in connection.execute(
            select(is_date, func.max(value)).where(value <= limit).group_by(is_date)
        ):
            latest_events.append(_end_of_day(moment.date(), time_zone) if bare else moment)
    return min(max(latest_events), present) if latest_events else None


def last_watermark(connection: Connection) -> datetime | None:
    """Return the watermark of the last published run."""
    found: datetime | None = connection.scalar(select(runs.c.data_as_of).order_by(runs.c.run_id.desc()).limit(1))
    return found


def passed_by_events(connection: Connection, as_of: datetime, *, before_file: int) -> bool:
    """Return whether `as_of` is another watermark than the last run's, and earlier records contain an instant after it.

    before_file: the first file_id of this run.
    """
    last = last_watermark(connection)
    return last not in (None, as_of) and any(
        connection.execute(
            select(literal(1))
            .where(table.c[column] > last, ~table.c[f"{column}_is_date"], table.c.file_id < before_file)
            .limit(1)
        ).first()
        for table, column in _event_columns()
    )


def _event_columns() -> Iterator[tuple[Table, str]]:
    for feed, columns in EVENTS.items():
        if feed not in FOREIGN_CLOCKS:
            yield from ((FEEDS[feed].table, column) for column in columns)


def _end_of_day(day: date, time_zone: str) -> datetime:
    following = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(time_zone))
    return following.astimezone(UTC).replace(tzinfo=None) - timedelta(microseconds=1)
