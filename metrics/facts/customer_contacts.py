"""What a message, a case or an inquiry is about: its order, its customer as of its day, the zone its days are counted
in, and whole minutes.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime

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
from metrics.schema import customers
from metrics.sql.dialects import Expression, seconds_between, typed_null
from metrics.sql.moments import Span, moment_span, span_of

_FOR_EVER = date(9999, 12, 31)
_FAR_MINUTES = 6_000_000_000_000
"""Seconds, a multiple of 60 beyond any duration: added before rounding and taken off after, so that a duration below 0
rounds like one above.
"""


@dataclass(frozen=True)
class Contact:
    """A feed joined to what each row is about: the FROM clause so far, the order facts in it (None: rows stand for the
    customer alone), the customer and the zone.
    """

    tables: FromClause
    order: FromClause | None
    customer_id: Expression
    zone: Expression

    def span(self, feed: Table, name: str) -> tuple["Contact", Span]:
        """The contact with the days joined that the moment `name` needs, and the moment's span."""
        tables, span = moment_span(self.tables, dict(feed.c.items()), name, self.zone)
        return replace(self, tables=tables), span

    def dimensions(self, day: Expression) -> tuple[FromClause, list[Expression]]:
        """The FROM clause with the customer's version of that day joined, and the shared dimension columns: the
        order's; without an order the customer and their segment and region on the day. Source: rules R35.
        """
        version = customer_versions()
        tables = self.tables.outerjoin(
            version,
            and_(version.c.customer_id == self.customer_id, version.c.valid_from <= day, version.c.valid_until > day),
        )
        own = {"customer_id": self.customer_id, "segment": version.c.service_segment, "region": version.c.region}
        columns: list[Expression] = []
        for name in DIMENSION_COLUMNS:
            found = [*([] if self.order is None else [self.order.c[name]]), *([own[name]] if name in own else [])]
            columns.append(func.coalesce(*found, literal(NONE, String)).label(name))
        return tables, columns


def contact(feed: Table, *, with_order: bool = True, same_customer: bool = False) -> Contact:
    """A feed joined to its customers and, with_order, to its orders (order_id and customer_id are its columns).

    same_customer: the feed names orders as the customer does, so that only that customer's order is meant.

    Rows without an order count their days in the zone of the customer's orders (the first by name), those of a customer
    without any in UTC, or where no order is shipped to UTC in the first zone by name.
    """
    facts = order_facts_table.c
    zones = (
        select(facts.customer_id, func.min(facts.ship_to_time_zone).label("zone"))
        .group_by(facts.customer_id)
        .subquery("customer_zones")
    )
    utc = func.max(case((facts.ship_to_time_zone == "UTC", facts.ship_to_time_zone), else_=None))
    elsewhere = select(func.coalesce(utc, func.min(facts.ship_to_time_zone))).scalar_subquery()
    own = func.nullif(feed.c.customer_id, "")
    tables = feed.outerjoin(zones, zones.c.customer_id == own)
    zone = func.coalesce(zones.c.zone, elsewhere)
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


def customer_versions() -> FromClause:
    """The versions of every customer, each with the day the next takes over."""
    c = customers.c
    following = func.lead(c.valid_from).over(partition_by=c.customer_id, order_by=c.valid_from)
    until = func.coalesce(following, cast(literal(_FOR_EVER), Date)).label("valid_until")
    return (
        select(c.customer_id, c.service_segment, c.region, c.valid_from, until).where(~c.deleted).subquery("versions")
    )


def happened_by(span: Span, as_of: datetime) -> Expression:
    """Whether a moment has happened by `as_of`; a bare date has at the end of its day. False where there is none.
    Source: rules, section 2.
    """
    return func.coalesce(span.hi <= literal(as_of, DateTime), false())


def happened_at(span: Span, as_of: datetime) -> Expression:
    """The moment (its span's end) if it has happened by `as_of`, else null."""
    return case((span.hi <= literal(as_of, DateTime), span.hi), else_=typed_null(DateTime()))


def done_in_time(due: Span, done: Span, as_of: datetime) -> Expression:
    """Whether something due was done by then: true, false, or null where a bare date leaves it open or nothing was due."""
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
    """The FROM clause widened, and the local day `as_of` falls on."""
    now = literal(as_of, DateTime)
    tables, span = span_of(tables, now, false(), zone)
    return tables, func.coalesce(span.day, cast(now, Date))


def minutes_between(first: Expression, second: Expression) -> Expression:
    """Seconds from the first instant to the second, to the nearest whole minute (a day ends at its last microsecond,
    not at 24:00).
    """
    shifted = seconds_between(first, second) + literal(_FAR_MINUTES + 30, BigInteger)
    return cast(shifted - shifted % literal(60, BigInteger) - literal(_FAR_MINUTES, BigInteger), BigInteger)
