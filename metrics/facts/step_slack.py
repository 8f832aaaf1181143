"""Slack of the order-to-cash steps: the time budget of each step, and the step at which a late order lost its slack.

`step_budgets`. Grain: one row per segment and step of 2 to 11. Key: segment, step_no.
`late_order_facts`. Grain: one row per late order with a finished step of 2 to 11. Key: order_id.
Stale rows: not tracked. Every run rebuilds both tables, because budgets are medians over other orders.
Source: section 4 (c) (cycle time), Slack.

The slack of an order at a step is the time left until the deadline, less the budgets of all later steps. The
deadline is that of the first line that was not on time.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    Integer,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    select,
    true,
    union_all,
)

from metrics.facts.fact_table import BuildContext, FactTable, fact_table, order_dimensions
from metrics.facts.orders import DIMENSION_COLUMNS, NONE, order_facts_table
from metrics.facts.process_steps import BUDGETED, WHEN_PROMISED, has_events, step_facts_table, two_digits
from metrics.policy import MIN_N
from metrics.sql.business_hours import elapsed_seconds
from metrics.sql.dialects import Rows, percentile, whole_numbers
from metrics.sql.moments import moment_span

step_budgets_table = fact_table(
    "step_budgets",
    "step",
    "one row: the time budget of one step for the orders of one segment",
    Column("step_no", Integer, comment="2 to 11"),
    Column("budget_seconds", BigInteger, comment="median leg_seconds of the on-time orders"),
    Column("orders", BigInteger, comment="number of on-time orders of the segment with events"),
    Column(
        "stands_on",
        String,
        comment="segment: median of its own orders; all: of all orders, because the segment has fewer than min_n",
    ),
)

late_order_facts_table = fact_table(
    "late_order_facts",
    "order",
    "one row: one late order with a finished step of 2 to 11, and the step at which its promise was missed",
    Column("order_id", String, comment="orders.order_id"),
    Column("due_day", Date, comment="local day it was due"),
    Column("step", String, comment="02 to 11; 00: when promised; (none): time was left at the last observed step"),
    Column("promise_missed", Boolean, comment="true: the promise was missed at a step or when promised"),
)

o = order_facts_table.c
s = step_facts_table.c


def budgets(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return the budget of every step for every segment. A step that no on-time order finished has no budget."""
    if not has_events(context.mapped):
        return ()
    legs = (
        select(s.order_id, o.segment, s.step_no, s.leg_seconds)
        .select_from(step_facts_table.join(order_facts_table, o.order_id == s.order_id))
        .where(o.on_time.is_(True), o.state == "judged", s.leg_seconds.is_not(None))
        .cte("on_time_legs")
    )
    half = literal(0.5, literal_execute=True)
    own = (
        select(legs.c.segment, legs.c.step_no, percentile(half, legs.c.leg_seconds).label("seconds"))
        .group_by(legs.c.segment, legs.c.step_no)
        .subquery("own_budgets")
    )
    all_orders = (
        select(legs.c.step_no, percentile(half, legs.c.leg_seconds).label("seconds"))
        .group_by(legs.c.step_no)
        .subquery("budgets_of_all")
    )
    counted = (
        select(legs.c.segment, func.count(func.distinct(legs.c.order_id)).label("orders"))
        .group_by(legs.c.segment)
        .subquery("on_time_orders")
    )
    segments = select(o.segment).distinct().subquery("segments")
    enough = func.coalesce(counted.c.orders, 0) >= MIN_N
    seconds = case((enough, own.c.seconds), else_=all_orders.c.seconds)
    tables = (
        segments.join(all_orders, true())
        .outerjoin(counted, counted.c.segment == segments.c.segment)
        .outerjoin(own, and_(own.c.segment == segments.c.segment, own.c.step_no == all_orders.c.step_no))
    )
    return (
        select(
            all_orders.c.step_no,
            cast(seconds, BigInteger),
            cast(func.coalesce(counted.c.orders, 0), BigInteger),
            case((enough, literal("segment", String)), else_=literal("all", String)).label("stands_on"),
            *[
                segments.c.segment if name == "segment" else literal(NONE, String).label(name)
                for name in DIMENSION_COLUMNS
            ],
        )
        .select_from(tables)
        .where(seconds.is_not(None)),
    )


def late_orders(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every late order with a finished step of 2 to 11, and the step at which its promise was missed.

    This is the first step from which the slack stays below 0.
    """
    if not has_events(context.mapped):
        return ()
    points = _points().cte("points")
    left = _remaining().cte("remaining")
    p = points.c
    slack = elapsed_seconds(p.at, p.deadline_at) - func.coalesce(left.c.seconds, 0)
    slacks = (
        select(p.order_id, p.step_no, (slack >= 0).label("in_time"))
        .select_from(points.outerjoin(left, and_(left.c.segment == p.segment, left.c.step_no == p.step_no)))
        .cte("slacks")
    )
    t = slacks.c
    last_good = func.max(case((t.in_time, t.step_no), else_=-1)).over(partition_by=t.order_id).label("last_good")
    marked = select(t.order_id, t.step_no, last_good).subquery("marked")
    m = marked.c
    missed = select(
        m.order_id, func.min(case((m.step_no > m.last_good, m.step_no), else_=None)).label("step_no")
    ).group_by(m.order_id)
    late = missed.subquery("late")
    return (
        select(
            o.order_id,
            o.due_day,
            two_digits(late.c.step_no).label("step"),
            late.c.step_no.is_not(None).label("promise_missed"),
            *order_dimensions(),
        ).select_from(late.join(order_facts_table, o.order_id == late.c.order_id)),
    )


def _points() -> Rows:
    """Return when each late order was ordered (step 0), and when each of its steps 2 to 11 was finished.

    Orders without such a finished step are left out.
    """
    late = and_(o.on_time.is_(False), o.state == "judged", o.missed_deadline_at.is_not(None))
    finished = and_(s.leg_seconds.is_not(None), s.finished_at.is_not(None))
    keys = (o.order_id, o.segment, o.missed_deadline_at.label("deadline_at"))
    observed = select(*keys, s.step_no, s.finished_at.label("at")).select_from(
        step_facts_table.join(order_facts_table, o.order_id == s.order_id)
    )
    seen = select(s.order_id).where(finished).distinct().subquery("seen")
    tables, ordered = moment_span(
        order_facts_table.join(seen, seen.c.order_id == o.order_id), dict(o.items()), "ordered_at", o.ship_to_time_zone
    )
    taken = (
        select(*keys, cast(literal(WHEN_PROMISED), Integer).label("step_no"), ordered.hi.label("at"))
        .select_from(tables)
        .where(late)
    )
    both = union_all(observed.where(late, finished), taken).subquery("both_points")
    return select(*both.c)


def _remaining() -> Rows:
    """Return per segment and step (0 to 11) the sum of the budgets of all later steps."""
    step = whole_numbers(WHEN_PROMISED, max(BUDGETED), "slack_steps")
    b = step_budgets_table.c
    later = cast(func.sum(b.budget_seconds), BigInteger).label("seconds")
    number = cast(step.c.n, Integer)
    return (
        select(b.segment, number.label("step_no"), later)
        .select_from(step_budgets_table.join(step, b.step_no > number))
        .group_by(b.segment, number)
    )


FACT_TABLES: tuple[FactTable, ...] = (
    FactTable(step_budgets_table, budgets),
    FactTable(late_order_facts_table, late_orders),
)
