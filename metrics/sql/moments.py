"""Moments in SQL, as time spans in the time zone of their order.

A moment is an instant or a bare date (schema.py). Its span has `lo` and `hi` (UTC; equal for an instant) and a local
`day`. Time zones are resolved by a join to `local_days`. The engines' own functions are slow (1.5 s per million rows)
and disagree about clock changes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import BigInteger, Date, DateTime, FromClause, Integer, and_, case, cast, literal, or_

from metrics.schema import local_days
from metrics.sql.dialects import (
    MICROSECONDS_A_DAY,
    MICROSECONDS_AN_HOUR,
    Expression,
    day_of,
    instant_of,
    local_time,
    plus_days,
    plus_microseconds,
    plus_span,
    typed_null,
)


@dataclass(frozen=True)
class Span:
    """The possible instants of a moment, from `lo` to `hi` (UTC), and its local day. All are null for no moment."""

    lo: Expression
    hi: Expression
    day: Expression


def span_of(tables: FromClause, value: Expression, is_date: Expression, zone: Expression) -> tuple[FromClause, Span]:
    """Join the days of a moment. Return the FROM clause and the moment's span in the zone."""
    days = local_days.alias()
    widened = tables.outerjoin(days, and_(days.c.zone == zone, days.c.day == day_of(value)))
    span = Span(
        lo=case((is_date, days.c.starts_at), else_=value),
        hi=case((is_date, days.c.ends_at), else_=value),
        day=case(
            (is_date, days.c.day),
            (value < days.c.starts_at, plus_days(days.c.day, literal(-1, Integer))),
            (value > days.c.ends_at, plus_days(days.c.day, literal(1, Integer))),
            else_=days.c.day,
        ),
    )
    return widened, span


def moment_span(
    tables: FromClause, columns: Mapping[str, Expression], name: str, zone: Expression
) -> tuple[FromClause, Span]:
    """Join the days of the moment `name` of a table's columns, as `span_of` does."""
    return span_of(tables, columns[name], columns[f"{name}_is_date"], zone)


def either(condition: Expression, first: Span, second: Span) -> Span:
    """Return the first span where the condition is true, else the second."""
    return Span(
        lo=case((condition, first.lo), else_=second.lo),
        hi=case((condition, first.hi), else_=second.hi),
        day=case((condition, first.day), else_=second.day),
    )


def day_bounds(tables: FromClause, day: Expression, zone: Expression) -> tuple[FromClause, Expression, Expression]:
    """Join a local day. Return the FROM clause, and the day's first instant and last microsecond."""
    days = local_days.alias()
    return tables.outerjoin(days, and_(days.c.zone == zone, days.c.day == day)), days.c.starts_at, days.c.ends_at


def moved_by_days(
    tables: FromClause, instant: Expression, day: Expression, zone: Expression, count: Expression
) -> tuple[FromClause, Expression, tuple[Expression, Expression]]:
    """Move an instant by local calendar days. Return the FROM clause, the moved instant, and the bounds of its day.

    The local clock keeps its time: 14:00 stays 14:00. day: the local day of the instant.
    Between two days of 24 hours, the time since midnight stays the same. Only clock changes need the engines' slow
    functions.
    """
    target = cast(plus_days(day, count), Date)
    tables, starts, ends = day_bounds(tables, day, zone)
    tables, target_starts, target_ends = day_bounds(tables, target, zone)
    until_end = literal(MICROSECONDS_A_DAY - 1, BigInteger)
    regular = and_(
        ends == plus_microseconds(starts, until_end), target_ends == plus_microseconds(target_starts, until_end)
    )
    clock = plus_microseconds(
        local_time(instant, zone), cast(count, BigInteger) * literal(MICROSECONDS_A_DAY, BigInteger)
    )
    moved = case(
        (or_(instant.is_(None), count.is_(None)), typed_null(DateTime())),
        (regular, plus_span(target_starts, starts, instant)),
        else_=instant_of(clock, zone),
    )
    return tables, moved, (target_starts, target_ends)


def shifted(
    tables: FromClause,
    span: Span,
    instant: Expression,
    is_date: Expression,
    zone: Expression,
    *,
    days: int,
    hours: Decimal,
    last: bool,
) -> tuple[FromClause, Expression]:
    """Move a moment by local calendar days, then by elapsed hours. Return the FROM clause and the moved instant.

    The instant is the last or the first of the moment's span. Days move the local clock: 14:00 stays 14:00, even across
    a day of 23 hours. Source: docs/rules.md, Terms (deadline_at).
    """
    result: Expression
    if days:
        count = literal(days, Integer)
        tables, moved, bounds = moved_by_days(tables, case((is_date, None), else_=instant), span.day, zone, count)
        result = case((is_date, bounds[last]), else_=moved)
    else:
        result = span.hi if last else span.lo
    if hours:
        result = plus_microseconds(result, literal(int(hours * MICROSECONDS_AN_HOUR), BigInteger))
    return tables, result
