"""`local_days`: the first and last instant of each day, in every time zone that orders are shipped to.

Source: R3 (dates and time zones).
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    Connection,
    Date,
    DateTime,
    Integer,
    String,
    Table,
    and_,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    union_all,
)

from metrics.policy import MOST_DAYS
from metrics.schema import FEEDS, local_days
from metrics.sql.dialects import Rows, SqlType, plus_days, plus_microseconds, whole_numbers
from metrics.sql.temporary_tables import temporary_table

_OFFSETS: dict[str, SqlType] = {
    "zone": String(),
    "from_day": Date(),
    "to_day": Date(),
    "offset_us": BigInteger(),
}


def refresh_local_days(connection: Connection, more: Sequence[Table] = ()) -> None:
    """Fill `local_days` with every day of the data, in every time zone that orders are shipped to.

    The days extend beyond the data by the longest period a policy allows. The table stays as it is if it covers them.
    more: tables with further moments and zones.
    """
    tables = (*[feed.table for feed in FEEDS.values()], *more)
    zones: set[str] = set()
    for zoned in tables:
        if "ship_to_time_zone" in zoned.c:
            zones |= set(connection.scalars(select(zoned.c.ship_to_time_zone).distinct()))
    first, last = _days_in_data(connection, tables)
    if first is None or last is None:
        return
    reach = MOST_DAYS["invoice_days"] + 2
    first, last = (
        max(first, date.min + timedelta(reach)) - timedelta(reach),
        min(last, date.max - timedelta(reach)) + timedelta(reach),
    )
    stored_days = select(func.min(local_days.c.day), func.max(local_days.c.day)).group_by(local_days.c.zone)
    covered = set(connection.scalars(select(local_days.c.zone).distinct()))
    if zones <= covered and all(low <= first and last <= high for low, high in connection.execute(stored_days)):
        return
    connection.execute(delete(local_days))
    offsets = temporary_table("zone_offsets", _OFFSETS)
    offsets.create(connection)
    rows = [row for zone in sorted(zones) for row in _midnight_offsets(zone, first, last + timedelta(1))]
    if rows:
        connection.execute(insert(offsets), rows)
    connection.execute(
        insert(local_days).from_select(["zone", "day", "starts_at", "ends_at"], _every_day(offsets, first, last))
    )
    offsets.drop(connection)


def _days_in_data(connection: Connection, tables: Sequence[Table]) -> tuple[date | None, date | None]:
    """Return the first and last calendar day of all stored moments."""
    moments = [c for table in tables for c in table.columns if f"{c.name}_is_date" in table.columns]
    days = [
        select(func.min(cast(moment, Date)).label("first"), func.max(cast(moment, Date)).label("last"))
        for moment in moments
    ]
    ends = union_all(*days).subquery()
    first, last = connection.execute(select(func.min(ends.c.first), func.max(ends.c.last))).one()
    return first, last


def _midnight_offsets(zone: str, first: date, last: date) -> list[dict[str, object]]:
    """Return periods of days with the same midnight offset. A local day starts at midnight UTC minus the offset."""
    rows: list[dict[str, object]] = []
    day, begun, offset = first, first, _midnight_offset(zone, first)
    while day <= last:
        here = _midnight_offset(zone, day)
        if here != offset:
            rows.append({"zone": zone, "from_day": begun, "to_day": day - timedelta(1), "offset_us": offset})
            begun, offset = day, here
        day += timedelta(1)
    return [*rows, {"zone": zone, "from_day": begun, "to_day": last, "offset_us": offset}]


def _midnight_offset(zone: str, day: date) -> int:
    """Return the microseconds from the day's first instant to its midnight in UTC.

    fold=0 selects the earlier of a repeated midnight and moves a skipped midnight forward by the gap.
    Source: R3 (dates and time zones).
    """
    midnight = datetime.combine(day, time())
    start = midnight.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)
    return (midnight - start) // timedelta(microseconds=1)


def _every_day(offsets: Table, first: date, last: date) -> Rows:
    """Select zone, day, starts_at, ends_at of every day."""
    counted = whole_numbers(0, (last - first).days, "day_numbers")
    day = plus_days(cast(literal(first, Date), Date), cast(counted.c.n, Integer))
    days = select(
        cast(day, Date).label("day"), cast(plus_days(day, literal(1, Integer)), Date).label("next_day")
    ).subquery()
    today, tomorrow = offsets.alias("today"), offsets.alias("tomorrow")
    return (
        select(
            today.c.zone,
            days.c.day,
            plus_microseconds(cast(days.c.day, DateTime), -today.c.offset_us),
            plus_microseconds(cast(days.c.next_day, DateTime), -tomorrow.c.offset_us - 1),
        )
        .select_from(days)
        .join(today, days.c.day.between(today.c.from_day, today.c.to_day))
        .join(
            tomorrow,
            and_(tomorrow.c.zone == today.c.zone, days.c.next_day.between(tomorrow.c.from_day, tomorrow.c.to_day)),
        )
    )
