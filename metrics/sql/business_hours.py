"""Working seconds between two instants, by a calendar of opening hours.

Opening hours are split at midnight UTC and summed per day. The time worked by an instant is the sum of the days before
plus the hours of its own day. That needs two joins by day instead of one slow join by range.
Source: R26 (working time).
"""

from sqlalchemy import (
    CTE,
    BigInteger,
    Date,
    DateTime,
    FromClause,
    Integer,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    true,
)

from metrics.schema import calendars, local_days
from metrics.sql.dialects import (
    Expression,
    Rows,
    days_between,
    greater,
    lesser,
    plus_days,
    plus_microseconds,
    seconds_between,
    typed_null,
    whole_numbers,
)

DELIVERY = ("ship_to", "default")
"""Calendars used, in this order, if the place has no calendar of its own."""
MOST_MIDNIGHTS = 2
"""Highest number of midnights UTC within the opening hours of one local day."""


def has_calendars(mapped: frozenset[str]) -> bool:
    """Return whether any source maps working hours."""
    return "calendars.opens_at" in mapped


def elapsed_seconds(first: Expression, last: Expression) -> Expression:
    """Return the whole seconds between two instants. The last microsecond of a day counts as the next midnight."""
    return seconds_between(first, plus_microseconds(last, literal(1, BigInteger)))


def with_calendar(tables: FromClause, place: Expression) -> tuple[FromClause, Expression]:
    """Join the calendar of a place. Return the FROM clause and the calendar's id.

    A place without its own calendar uses the delivery calendar, then the default. The id is null if none exists.
    """
    c = calendars.c
    named = select(c.calendar_id).where(~c.deleted).distinct().subquery("calendar_names")
    general = [
        select(func.max(c.calendar_id)).where(~c.deleted, c.calendar_id == name).scalar_subquery() for name in DELIVERY
    ]
    return tables.outerjoin(named, named.c.calendar_id == place), func.coalesce(named.c.calendar_id, *general)


def working_seconds(clocks: CTE) -> Rows:
    """Select the seconds worked per order: order_id, seconds.

    `clocks` has one row per order: order_id, from_at and until_at (UTC), calendar_id, first_day and last_day (local).
    `seconds` is null if the calendar lacks a local day of that range, because a missing day may be open or closed.
    """
    pieces = _pieces().cte("calendar_pieces")
    days = _days(pieces).cte("calendar_days")
    worked_from, worked_until = (_worked_by(clocks, name, days, pieces) for name in ("from_at", "until_at"))
    first, last = days.alias("first_named"), days.alias("last_named")
    named = last.c.named_before + last.c.named - first.c.named_before
    whole = named == days_between(clocks.c.first_day, clocks.c.last_day) + literal(1, Integer)
    seconds = cast(worked_until.c.seconds - worked_from.c.seconds, BigInteger)
    return select(
        clocks.c.order_id, case((whole, seconds), else_=typed_null(BigInteger())).label("seconds")
    ).select_from(
        clocks.join(worked_from, worked_from.c.order_id == clocks.c.order_id)
        .join(worked_until, worked_until.c.order_id == clocks.c.order_id)
        .join(first, and_(first.c.calendar_id == clocks.c.calendar_id, first.c.day == clocks.c.first_day))
        .join(last, and_(last.c.calendar_id == clocks.c.calendar_id, last.c.day == clocks.c.last_day))
    )


def _pieces() -> Rows:
    """Split opening hours at midnight UTC: calendar_id, day (UTC), starts_at, seconds."""
    c = calendars.c
    offsets = whole_numbers(0, MOST_MIDNIGHTS, "midnights")
    day = cast(plus_days(cast(c.opens_at, Date), cast(offsets.c.n, Integer)), Date)
    midnight, next_midnight = cast(day, DateTime), cast(cast(plus_days(day, literal(1, Integer)), Date), DateTime)
    starts, ends = greater(c.opens_at, midnight), lesser(c.closes_at, next_midnight)
    cut = (
        select(c.calendar_id, day.label("day"), starts.label("starts_at"), ends.label("ends_at"))
        .select_from(calendars.join(offsets, true()))
        .where(~c.deleted, c.opens_at.is_not(None), c.closes_at.is_not(None), ~c.opens_at_is_date, ~c.closes_at_is_date)
        .subquery("cut_hours")
    )
    return select(
        cut.c.calendar_id, cut.c.day, cut.c.starts_at, seconds_between(cut.c.starts_at, cut.c.ends_at).label("seconds")
    ).where(cut.c.ends_at > cut.c.starts_at)


def _days(pieces: CTE) -> Rows:
    """Select every day of every calendar: calendar_id, day, seconds_before, named, named_before.

    seconds_before: worked before that day (UTC). named: 1 if the calendar has a row for that local day.
    named_before: the number of earlier days with a row.
    """
    c = calendars.c
    rows = (
        select(c.calendar_id, c.day, cast(literal(1), BigInteger).label("named"))
        .where(~c.deleted)
        .subquery("named_days")
    )
    names = select(c.calendar_id).where(~c.deleted).distinct().subquery("calendars_there")
    every = select(local_days.c.day).distinct().subquery("every_day")
    worked = select(pieces.c.calendar_id, pieces.c.day, func.sum(pieces.c.seconds).label("seconds")).group_by(
        pieces.c.calendar_id, pieces.c.day
    )
    work = worked.subquery("worked_days")
    tables = (
        names.join(every, true())
        .outerjoin(work, and_(work.c.calendar_id == names.c.calendar_id, work.c.day == every.c.day))
        .outerjoin(rows, and_(rows.c.calendar_id == names.c.calendar_id, rows.c.day == every.c.day))
    )

    def before(amount: Expression) -> Expression:
        sums = func.sum(func.coalesce(amount, 0)).over(
            partition_by=names.c.calendar_id, order_by=every.c.day, rows=(None, -1)
        )
        return cast(func.coalesce(sums, 0), BigInteger)

    return select(
        names.c.calendar_id,
        every.c.day,
        before(work.c.seconds).label("seconds_before"),
        func.coalesce(rows.c.named, 0).label("named"),
        before(rows.c.named).label("named_before"),
    ).select_from(tables)


def _worked_by(clocks: CTE, name: str, days: CTE, pieces: CTE) -> FromClause:
    """Select order_id and the seconds worked from the start of the calendar to the instant `name`."""
    at = clocks.c[name]
    on_day = cast(at, Date)
    since = seconds_between(pieces.c.starts_at, at)
    zero = literal(0, BigInteger)
    today = greater(lesser(since, pieces.c.seconds), zero)
    tables = clocks.join(days, and_(days.c.calendar_id == clocks.c.calendar_id, days.c.day == on_day)).outerjoin(
        pieces, and_(pieces.c.calendar_id == clocks.c.calendar_id, pieces.c.day == on_day)
    )
    opened = case((pieces.c.seconds.is_not(None), today), else_=zero)
    return (
        select(clocks.c.order_id, (func.max(days.c.seconds_before) + func.sum(opened)).label("seconds"))
        .select_from(tables)
        .group_by(clocks.c.order_id)
        .subquery(f"worked_{name}")
    )
