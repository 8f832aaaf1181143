"""Holds: periods in which an order waits for the buyer's data or credit. It contains no fact table.

Cycle times stop their net clock during holds. A line on credit hold is not a stockout. Source: R28 (holds).
"""

from sqlalchemy import CTE, BigInteger, DateTime, FromClause, and_, case, cast, func, literal, select, true

from metrics.facts.fact_table import BuildContext, only_stale
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.schema import holds, order_events
from metrics.sql.dialects import Expression, Rows, greater, lesser, seconds_between, typed_null
from metrics.sql.moments import moment_span

CREDIT_STEP = 10
"""The step that verifies credit."""
WAITING_STEPS = (2, CREDIT_STEP)
"""Steps between whose attempts an order waits for the buyer's data or credit."""
WAITING_KINDS = ("credit", "data")
"""Kinds of hold in which the order waits for the buyer."""


def net_clock_stops(base: CTE, context: BuildContext) -> FromClause | None:
    """Return the periods that stop the net clock: order_id, from_at, until_at (null: not over by as_of).

    These are the holds caused by the buyer. If no source maps holds, they are the times between two attempts at a step
    that waits for the buyer. Returns None if no source maps either.
    """
    b = base.c
    now = literal(context.as_of, DateTime)
    if "holds.placed_at" in context.mapped:
        h = holds.c
        tables: FromClause = holds.join(base, b.order_id == h.order_id)
        tables, placed = moment_span(tables, dict(h.items()), "placed_at", b.zone)
        tables, released = moment_span(tables, dict(h.items()), "released_at", b.zone)
        by_buyer = h.caused_by == "buyer" if "holds.caused_by" in context.mapped else true()
        ended = case((released.hi <= now, released.hi), else_=typed_null(DateTime()))
        return (
            select(h.order_id, placed.hi.label("from_at"), ended.label("until_at"))
            .select_from(tables)
            .where(~h.deleted, h.kind.in_(WAITING_KINDS), by_buyer, placed.hi <= now)
            .subquery("stops")
        )
    if "order_events.started_at" not in context.mapped:
        return None
    e = order_events.c
    tables = order_events.join(base, b.order_id == e.order_id)
    tables, started = moment_span(tables, dict(e.items()), "started_at", b.zone)
    tables, finished = moment_span(tables, dict(e.items()), "finished_at", b.zone)
    again = func.lead(started.hi).over(partition_by=[e.order_id, e.step], order_by=e.event_no)
    tried = (
        select(e.order_id, finished.hi.label("from_at"), again.label("until_at"))
        .select_from(tables)
        .where(~e.deleted, e.step.in_(WAITING_STEPS))
        .subquery("tried")
    )
    return select(*tried.c).where(tried.c.from_at.is_not(None), tried.c.until_at <= now).subquery("stops")


def stopped_seconds(base: CTE, stops: FromClause) -> Rows:
    """Return order_id and the seconds for which the net clock of the order was stopped.

    Overlapping stops count once.
    """
    b, s = base.c, stops.c
    begins = greater(s.from_at, b.net_from_at)
    ends = lesser(func.coalesce(s.until_at, b.until_at), b.until_at)
    inside = (
        select(b.order_id, begins.label("begins"), ends.label("ends"))
        .select_from(stops.join(base, b.order_id == s.order_id))
        .where(b.cycle_seconds.is_not(None), ends > begins)
        .subquery("stops_inside")
    )
    i = inside.c
    reached = (
        func.max(i.ends).over(partition_by=i.order_id, order_by=[i.begins, i.ends], rows=(None, -1)).label("reached")
    )
    so_far = select(*i, reached).subquery("stops_so_far")
    f = so_far.c
    fresh = greater(f.begins, func.coalesce(f.reached, f.begins))
    seconds = case((f.ends > fresh, seconds_between(fresh, f.ends)), else_=literal(0, BigInteger))
    return select(f.order_id, cast(func.sum(seconds), BigInteger).label("seconds")).group_by(f.order_id)


def credit_holds(context: BuildContext) -> FromClause | None:
    """Return the lines on credit hold at their first promise: order_id, line_no.

    If no source maps holds, the time between two attempts at the step that verifies credit counts as a hold. Returns
    None if no source maps either.
    """
    line, o = order_line_facts_table.c, order_facts_table.c
    lines = only_stale(
        order_line_facts_table.join(order_facts_table, o.order_id == line.order_id), line.customer_id, context
    )
    if "holds.placed_at" in context.mapped:
        hold = holds.c
        tables, began = moment_span(
            lines.join(holds, hold.order_id == line.order_id), dict(hold.items()), "placed_at", o.ship_to_time_zone
        )
        tables, ended = moment_span(tables, dict(hold.items()), "released_at", o.ship_to_time_zone)
        conditions = [hold.kind == "credit", ~hold.deleted]
        not_over: Expression = func.coalesce(ended.lo > line.first_due_at, true())
    elif "order_events.finished_at" in context.mapped:
        first, again = order_events.alias("attempt"), order_events.alias("next_attempt")
        next_try = and_(
            again.c.order_id == first.c.order_id, again.c.step == first.c.step, again.c.event_no == first.c.event_no + 1
        )
        attempts = lines.join(first, first.c.order_id == line.order_id).join(again, next_try)
        tables, began = moment_span(attempts, dict(first.c.items()), "finished_at", o.ship_to_time_zone)
        tables, ended = moment_span(tables, dict(again.c.items()), "started_at", o.ship_to_time_zone)
        conditions = [
            first.c.step == CREDIT_STEP,
            ~first.c.deleted,
            ~again.c.deleted,
            ended.hi <= literal(context.as_of, DateTime),
        ]
        not_over = ended.lo > line.first_due_at
    else:
        return None
    covers = and_(began.hi <= line.first_due_at, not_over)
    return (
        select(line.order_id, line.line_no)
        .select_from(tables)
        .where(*conditions, covers)
        .distinct()
        .subquery("held_lines")
    )
