"""Outcomes of stockout events: the buyer's horizon, and what happened to the line or the demand.

It contains no fact table; `stockouts.py` adds the costs. Source: R38 (stockouts).
"""

from datetime import date

from sqlalchemy import (
    CTE,
    BigInteger,
    Connection,
    Date,
    DateTime,
    FromClause,
    Integer,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
)

from metrics.facts.assumptions import assumed_column
from metrics.facts.fact_table import BuildContext
from metrics.facts.order_intervals import HALF, customer_intervals, segment_intervals_table
from metrics.facts.orders import order_facts_table
from metrics.facts.stockout_events import BACK_ORDERED, BUYER_LOST, OPEN, SALE_LOST, UNORDERED, WAITED
from metrics.schema import shipment_lines, shipments
from metrics.sql.dialects import (
    MICROSECONDS_A_DAY,
    Expression,
    Rows,
    count_if,
    percentile,
    plus_days,
    plus_microseconds,
)
from metrics.sql.moments import moment_span

EARLIER_DAYS = 3
"""Order days that a buyer must have had before the event for their own gap to count."""


def with_horizon(connection: Connection, events: CTE, context: BuildContext, on: date) -> Rows:
    """Return the events with the buyer's gap, the horizon, and whether the buyer has ordered again since.

    An order after the horizon counts too: a buyer who orders is not lost. Gaps are between order days. Several orders
    on one day count once.
    """
    e, of_segment = events.c, segment_intervals_table
    gaps = customer_intervals(context).cte("order_gaps")
    moments = select(e.customer_id, e.event_day).distinct().subquery("event_days")
    earlier = gaps.c.ordered_day <= moments.c.event_day
    buyers = (
        select(
            moments.c.customer_id,
            moments.c.event_day,
            count_if(earlier).label("earlier"),
            percentile(HALF, case((earlier, gaps.c.gap), else_=None)).label("gap"),
            func.min(case((earlier, None), else_=gaps.c.ordered_day)).label("next_day"),
        )
        .join(gaps, gaps.c.customer_id == moments.c.customer_id)
        .group_by(moments.c.customer_id, moments.c.event_day)
        .subquery("buyers")
    )
    own = func.coalesce(buyers.c.earlier >= EARLIER_DAYS, false())
    gap = case((own, buyers.c.gap), else_=of_segment.c.gap_days)
    k = assumed_column(connection, "lost_k", customer_id=e.customer_id, segment=e.segment, on=on)
    joined = events.outerjoin(
        buyers, and_(buyers.c.customer_id == e.customer_id, buyers.c.event_day == e.event_day)
    ).outerjoin(of_segment, of_segment.c.segment == e.segment)
    reaching = (
        select(
            *e,
            cast(gap, Integer).label("gap_days"),
            own.label("gap_is_own"),
            cast(func.floor(k * gap), Integer).label("horizon"),
            buyers.c.next_day,
        )
        .select_from(joined)
        .subquery("reaching")
    )
    r = reaching.c
    ends = plus_microseconds(r.event_at, cast(r.horizon, BigInteger) * MICROSECONDS_A_DAY)
    return select(
        *[column for column in r if column.name not in ("horizon", "next_day")],
        cast(plus_days(r.event_day, r.horizon), Date).label("horizon_day"),
        r.next_day.is_not(None).label("came_back"),
        func.coalesce(ends <= literal(context.as_of, DateTime), false()).label("horizon_over"),
    )


def with_outcome(timed: CTE, left: CTE | None) -> Rows:
    """Return the events with their outcome, which is the first that applies.

    Later orders overrule a recorded outcome `buyer_lost`; such an event is `contradicted`.

    left: the shipment lines that have left; None if no source maps the shipping time.
    """
    t = timed.c
    lost = and_(t.horizon_over, ~t.came_back)
    tables: FromClause = timed
    further: Expression = false()
    if left is not None:
        of_order = (
            select(left.c.order_id, func.min(left.c.left_at).label("first_at"))
            .group_by(left.c.order_id)
            .subquery("first_left")
        )
        of_line = (
            select(left.c.order_id, left.c.line_no, func.max(left.c.left_at).label("last_at"))
            .group_by(left.c.order_id, left.c.line_no)
            .subquery("last_left")
        )
        tables = timed.outerjoin(of_order, of_order.c.order_id == t.order_id).outerjoin(
            of_line, and_(of_line.c.order_id == t.order_id, of_line.c.line_no == t.line_no)
        )
        further = func.coalesce(of_line.c.last_at > of_order.c.first_at, false())
    of_line_event = case(
        (lost, BUYER_LOST),
        (t.closed, SALE_LOST),
        (and_(t.came, further), BACK_ORDERED),
        (t.came, WAITED),
        (t.horizon_over, SALE_LOST),
        else_=OPEN,
    )
    says_lost = func.coalesce(t.own_outcome == BUYER_LOST, false())
    contradicted = and_(says_lost, or_(t.came_back, func.coalesce(t.ordered_later, false())))
    keeps_own = and_(t.own_outcome.is_not(None), ~contradicted)
    of_demand = case((keeps_own, t.own_outcome), (t.ordered_later, WAITED), else_=SALE_LOST)
    unordered = t.stockout_source == UNORDERED
    may_be_lost = and_(~t.horizon_over, ~t.came_back)
    # The only outcome recorded by a source that an order within the horizon can still change is a lost buyer.
    may_change = and_(may_be_lost, or_(~keeps_own, says_lost), ~func.coalesce(t.ordered_later, false()))
    outcome = case((unordered, of_demand), else_=of_line_event)
    return select(
        *t,
        outcome.label("outcome"),
        contradicted.label("contradicted"),
        case((unordered, may_change), else_=or_(may_be_lost, of_line_event == OPEN)).label("provisional"),
    ).select_from(tables)


def lines_left(events: CTE, context: BuildContext) -> CTE:
    """Return the shipment lines that had left by `as_of`, of orders with an event: order, line, shipment and when."""
    o, body, header = order_facts_table.c, shipment_lines.c, shipments.c
    wanted = select(events.c.order_id).where(events.c.order_id.is_not(None)).distinct().subquery("short_orders")
    # A CTE of its own, or DuckDB joins all shipment lines with all shipments first.
    lines = (
        select(body.order_id, body.line_no, body.shipment_id)
        .join(wanted, wanted.c.order_id == body.order_id)
        .where(~body.deleted, body.shipped_qty > 0)
        .cte("lines_of_short_orders")
    )
    tables: FromClause = lines.join(order_facts_table, o.order_id == lines.c.order_id).join(
        shipments, and_(header.shipment_id == lines.c.shipment_id, ~header.deleted)
    )
    tables, shipped = moment_span(tables, dict(header.items()), "shipped_at", o.ship_to_time_zone)
    return (
        select(*lines.c, shipped.hi.label("left_at"))
        .select_from(tables)
        .where(shipped.hi <= literal(context.as_of, DateTime))
        .cte("left_by_now")
    )
