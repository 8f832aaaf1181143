"""Dates and times of the reference implementation: local days, bare dates and promises (R3, dates and time zones)."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from tests.reference.inputs import Row

TICK = timedelta(microseconds=1)


@dataclass(frozen=True)
class Span:
    """The period in which an event certainly happened.

    An instant has equal ends. A bare date covers its local day.
    """

    first: datetime
    last: datetime


@lru_cache(maxsize=100_000)
def instant(wall: datetime, zone: str) -> datetime:
    """Return the UTC instant of a local time.

    A repeated time gives the earlier instant. A skipped time moves by the gap.
    """
    offset = wall.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return wall - offset


@lru_cache(maxsize=100_000)
def wall_clock(moment: datetime, zone: str) -> datetime:
    """Return the local time in a zone at a UTC instant."""
    return moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def day_starts(day: date, zone: str) -> datetime:
    return instant(datetime.combine(day, time()), zone)


def day_ends(day: date, zone: str) -> datetime:
    return day_starts(day + timedelta(days=1), zone) - TICK


def local_day(moment: datetime, zone: str) -> date:
    return wall_clock(moment, zone).date()


def span(row: Row, name: str, zone: str) -> Span | None:
    value = row[name]
    if value is None:
        return None
    if row[f"{name}_is_date"]:
        return Span(day_starts(value.date(), zone), day_ends(value.date(), zone))
    return Span(value, value)


def event(row: Row, name: str, zone: str) -> datetime | None:
    """Return the time at which an event counts: for a bare date, the end of its local day."""
    happened = span(row, name, zone)
    return happened.last if happened else None


def hours(value: Any) -> timedelta:
    return timedelta(microseconds=int(Decimal(str(value)) * 3_600_000_000))


def shifted(moment: datetime, days: int, zone: str) -> datetime:
    """Return the instant moved by whole days of local time."""
    return moment if days == 0 else instant(wall_clock(moment, zone) + timedelta(days=days), zone)


@dataclass(frozen=True)
class Promise:
    """A requested or promised date of an order line."""

    value: datetime
    is_date: bool
    order_own: bool
    """True for a date of the order itself. Only then does the order's `_from` date open the window."""

    def ends(self, zone: str) -> datetime:
        return day_ends(self.value.date(), zone) if self.is_date else self.value
