"""Joins and durations shared by messages, cases, inquiries and scorecards. It contains no fact table.

A contact belongs to an order or to a customer. From these it takes its dimensions and its time zone.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    Date,
    DateTime,
    FromClause,
    String,
    Table,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    select,
)

from metrics.facts.orders import DIMENSION_COLUMNS, NONE, order_facts_table
from metrics.facts.versions import valid_on, versions
from metrics.schema import customers
from metrics.sql.dialects import Expression, seconds_between, typed_null
from metrics.sql.moments import Span, moment_span, span_of

_ROUNDING_OFFSET = 6_000_000_000_000
"""Seconds: a multiple of 60, longer than any duration. It is added before rounding and subtracted afterwards, so that
negative durations round in the same direction as positive ones.
"""


@dataclass(frozen=True)
class Contact:
    """A feed joined to the orders and customers of its rows."""

    tables: FromClause
    order: FromClause | None
    """The order facts in `tables`. None: the rows belong to a customer only."""
    customer_id: Expression
    zone: Expression
    """The time zone in which the days of a row are counted."""

    def span(self, feed: Table, name: str) -> tuple["Contact", Span]:
        """Join what the time span of a moment needs. Return the contact and the span.

        name: the column of the feed that contains the moment.
        """
        tables, span = moment_span(self.tables, dict(feed.c.items()), name, self.zone)
        return replace(self, tables=tables), span

    def dimensions(self, day: Expression) -> tuple[FromClause, list[Expression]]:
        """Return the extended FROM clause and the shared dimension columns.

        The dimensions are those of the order. Without an order they are the customer, and the customer's segment and
        region on the day. Source: R35 (valid on order day).
        """
        version = versions(customers, ("customer_id",), ("service_segment", "region"))
        tables = self.tables.outerjoin(version, valid_on(version, day, customer_id=self.customer_id))
        own = {"customer_id": self.customer_id, "segment": version.c.service_segment, "region": version.c.region}
        columns: list[Expression] = []
        for name in DIMENSION_COLUMNS:
            candidates = [*([] if self.order is None else [self.order.c[name]]), *([own[name]] if name in own else [])]
            columns.append(func.coalesce(*candidates, literal(NONE, String)).label(name))
        return tables, columns


def contact(feed: Table, *, with_order: bool = True, same_customer: bool = False) -> Contact:
    """Join a feed to its customers and, if `with_order`, to its orders. The feed has order_id and customer_id.

    same_customer: join an order only if the customer is the same, because the feed uses the customer's order numbers.

    The time zone of a row is that of its order. Without an order it is the zone of the customer's orders (the first by
    name). For a customer without orders it is UTC, or the first zone by name if no order ships to UTC.
    """
    facts = order_facts_table.c
    zones = (
        select(facts.customer_id, func.min(facts.ship_to_time_zone).label("zone"))
        .group_by(facts.customer_id)
        .subquery("customer_zones")
    )
    utc = func.max(case((facts.ship_to_time_zone == "UTC", facts.ship_to_time_zone), else_=None))
    default_zone = select(func.coalesce(utc, func.min(facts.ship_to_time_zone))).scalar_subquery()
    own = func.nullif(feed.c.customer_id, "")
    tables = feed.outerjoin(zones, zones.c.customer_id == own)
    zone = func.coalesce(zones.c.zone, default_zone)
    if not with_order:
        return Contact(tables, None, own, zone)
    order = order_facts_table.alias("about")
    its_order = order.c.order_id == feed.c.order_id
    tables = tables.outerjoin(
        order, and_(its_order, order.c.customer_id == feed.c.customer_id) if same_customer else its_order
    )
    return Contact(
        tables, order, func.coalesce(order.c.customer_id, own), func.coalesce(order.c.ship_to_time_zone, zone)
    )


def happened_by(span: Span, as_of: datetime) -> Expression:
    """Return whether a moment has happened by `as_of`. It is false if the moment is empty.

    A bare date happens at the end of its day. Source: section 2 (terms).
    """
    return func.coalesce(span.hi <= literal(as_of, DateTime), false())


def happened_at(span: Span, as_of: datetime) -> Expression:
    """Return the moment (the end of its span) if it has happened by `as_of`, otherwise null."""
    return case((span.hi <= literal(as_of, DateTime), span.hi), else_=typed_null(DateTime()))


def done_in_time(due: Span, done: Span, as_of: datetime) -> Expression:
    """Return whether a due task was done in time. Null: nothing was due, or a bare date leaves it open."""
    return cast(
        case(
            (due.hi.is_(None), None),
            (~happened_by(done, as_of), false()),
            (done.hi <= due.hi, literal(True)),
            (done.lo > due.hi, false()),
            else_=None,
        ),
        Boolean,
    )


def day_at(tables: FromClause, as_of: datetime, zone: Expression) -> tuple[FromClause, Expression]:
    """Return the extended FROM clause and the local day of `as_of`."""
    now = literal(as_of, DateTime)
    tables, span = span_of(tables, now, false(), zone)
    return tables, func.coalesce(span.day, cast(now, Date))


def minutes_between(first: Expression, second: Expression) -> Expression:
    """Return the seconds between two instants, rounded to whole minutes.

    Rounding is needed because a day ends at its last microsecond, not at 24:00.
    """
    shifted = seconds_between(first, second) + literal(_ROUNDING_OFFSET + 30, BigInteger)
    return cast(shifted - shifted % literal(60, BigInteger) - literal(_ROUNDING_OFFSET, BigInteger), BigInteger)
