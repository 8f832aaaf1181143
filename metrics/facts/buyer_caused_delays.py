"""Buyer-caused delays: orders that were late because of the buyer. Source: R29 (buyer-caused delay)."""

from sqlalchemy import CTE, DateTime, FromClause, and_, false, func, literal, or_, select

from metrics.facts.fact_table import BuildContext
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.orders.receipts import buyer_collects
from metrics.schema import order_events, orders, service_cases, shipment_lines, shipments
from metrics.sql.dialects import Expression, Rows, count_if
from metrics.sql.moments import either, moment_span

ARRIVAL_STEP = 11
"""The step "receive and verify at customer site", which is the delivery attempt."""

o = order_facts_table.c


def buyer_caused(tables: FromClause, base: CTE, context: BuildContext) -> tuple[FromClause, Expression]:
    """Return the extended FROM clause, and the condition that the buyer caused the delay of a late order.

    The condition is never unknown. Without proof that the buyer caused the delay, the seller caused it.
    """
    if {"shipments.attempted_at", "shipments.failure_caused_by"} <= context.mapped:
        late = _lines_late_by_us(base, context).subquery("late_by_us")
        widened = tables.outerjoin(late, late.c.order_id == o.order_id)
        return widened, and_(late.c.late_n.is_not(None), func.coalesce(late.c.ours_n, 0) == 0)
    if {"order_events.started_at", "service_cases.opened_at"} <= context.mapped:
        tried, changed = _first_attempts(base).subquery("tried_by"), _sudden_changes(base).subquery("changed")
        widened = tables.outerjoin(tried, tried.c.order_id == o.order_id).outerjoin(
            changed, changed.c.order_id == o.order_id
        )
        in_time = func.coalesce(tried.c.started_at <= o.missed_deadline_at, false())
        return widened, and_(in_time, func.coalesce(changed.c.opened_at < o.settled_at, false()))
    return tables, false()


def _lines_late_by_us(base: CTE, context: BuildContext) -> Rows:
    """Return per order with lines not on time: late_n, the late lines, and ours_n, the lines that the seller delayed.

    The buyer delayed a line if every shipment that missed the deadline was offered by then and turned away by the
    buyer. The seller delayed any other line, including a line without such a shipment. A line whose verdict is
    unknown needs the same proof.
    """
    b, line, s, part, header = base.c, order_line_facts_table.c, shipments.c, shipment_lines.c, orders.c
    tables: FromClause = (
        shipment_lines.join(shipments, and_(s.shipment_id == part.shipment_id, ~s.deleted))
        .join(base, b.order_id == part.order_id)
        .join(orders, header.order_id == part.order_id)
        .join(order_line_facts_table, and_(line.order_id == part.order_id, line.line_no == part.line_no))
    )
    tables, left = moment_span(tables, dict(s.items()), "shipped_at", b.zone)
    tables, tried = moment_span(tables, dict(s.items()), "attempted_at", b.zone)
    tables, arrived = moment_span(tables, dict(s.items()), "received_at", b.zone)
    received = either(buyer_collects(header.delivery_term, context.mapped), left, arrived)
    now = literal(context.as_of, DateTime)
    has_left = func.coalesce(left.hi <= now, false()) | func.coalesce(received.hi <= now, false())
    in_time = func.coalesce(received.hi <= line.deadline_at, false())
    turned_away = and_(
        func.coalesce(s.failure_caused_by == "buyer", false()), func.coalesce(tried.hi <= line.deadline_at, false())
    )
    consigned = (
        select(
            line.order_id,
            line.line_no,
            count_if(and_(~in_time, turned_away)).label("excused_n"),
            count_if(and_(~in_time, ~turned_away)).label("ours_n"),
        )
        .select_from(tables)
        .where(~part.deleted, has_left, or_(line.on_time.is_(False), line.on_time_reason == "no_evidence"))
        .group_by(line.order_id, line.line_no)
        .subquery("consigned")
    )
    c = consigned.c
    late = order_line_facts_table.alias("late_line")
    all_lines = late.outerjoin(consigned, and_(c.order_id == late.c.order_id, c.line_no == late.c.line_no))
    ours = ~and_(func.coalesce(c.excused_n, 0) > 0, func.coalesce(c.ours_n, 0) == 0)
    not_on_time = late.c.on_time.is_not(True)  # an unknown line needs the proof as well
    return (
        select(late.c.order_id, count_if(late.c.on_time.is_(False)).label("late_n"), count_if(ours).label("ours_n"))
        .select_from(all_lines.join(base, b.order_id == late.c.order_id))
        .where(late.c.state == "judged", not_on_time)
        .group_by(late.c.order_id)
    )


def _first_attempts(base: CTE) -> Rows:
    """Return when the first delivery attempt of each order began."""
    b, e = base.c, order_events.c
    tables: FromClause = order_events.join(base, b.order_id == e.order_id)
    tables, started = moment_span(tables, dict(e.items()), "started_at", b.zone)
    return (
        select(e.order_id, func.min(started.hi).label("started_at"))
        .select_from(tables)
        .where(~e.deleted, e.step == ARRIVAL_STEP, e.event_no == 1)
        .group_by(e.order_id)
    )


def _sudden_changes(base: CTE) -> Rows:
    """Return when the buyer first asked for a sudden change of each order."""
    b, c = base.c, service_cases.c
    tables: FromClause = service_cases.join(base, b.order_id == c.order_id)
    tables, opened = moment_span(tables, dict(c.items()), "opened_at", b.zone)
    return (
        select(c.order_id, func.min(opened.hi).label("opened_at"))
        .select_from(tables)
        .where(~c.deleted, c.kind == "sudden_change")
        .group_by(c.order_id)
    )
