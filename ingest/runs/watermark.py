"""The watermark: the end of the data. Pages use it as the current time."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from ingest.validate.rule_lists import EVENTS
from metrics.schema import FEEDS

CLOCK_TOLERANCE = timedelta(hours=24)
"""Without a declared watermark, events later than this after the start of the run are rejected."""

FOREIGN_CLOCKS = ("buyer_scorecards", "service_costs")
"""Feeds whose days do not move the watermark: the buyer's own scorecards, and booking days of costs."""


def latest_event(connection: Connection, time_zone: str) -> datetime | None:
    """Return the latest accepted event of all data, naive UTC. A bare date counts as the end of that local day."""
    latest_events: list[datetime] = []
    for feed, column in (
        (feed, column) for feed, columns in EVENTS.items() if feed not in FOREIGN_CLOCKS for column in columns
    ):
        table = FEEDS[feed].table
        value, is_date = table.c[column], table.c[f"{column}_is_date"]
        for bare, moment in connection.execute(
            select(is_date, func.max(value)).where(value.is_not(None)).group_by(is_date)
        ):
            latest_events.append(_end_of_day(moment.date(), time_zone) if bare else moment)
    return max(latest_events, default=None)


def _end_of_day(day: date, time_zone: str) -> datetime:
    following = datetime.combine(day + timedelta(days=1), time(), ZoneInfo(time_zone))
    return following.astimezone(UTC).replace(tzinfo=None) - timedelta(microseconds=1)
