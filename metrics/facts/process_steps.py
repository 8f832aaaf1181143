"""Ledgers of the 13 order-to-cash steps: time in each and the wait before it, budgets, where promises died, and the
work in progress.

What a step took is told by its order's own events, so a run keeps it up for the orders it touched. Budgets are medians
over other orders, and work in progress ages with every `as_of`: those ledgers are made anew, the first small, the
others only of late and of open orders. Source: rules, section 4 (c), slack ledger.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    FromClause,
    Integer,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    select,
    true,
    union_all,
    values,
)
from sqlalchemy import column as sql_column

from metrics.facts.fact_table import BuildContext, FactTable, fact_table, order_dimensions
from metrics.facts.orders import DIMENSION_COLUMNS, NONE, order_facts_table
from metrics.policy import MIN_N
from metrics.schema import order_events, orders
from metrics.sql.business_hours import elapsed_seconds
from metrics.sql.dialects import Expression, Rows, count_if, greater, percentile, typed_null
from metrics.sql.moments import moment_span, span_of

BUDGETED = range(2, 12)
"""Steps that have a budget: from entering the order to receiving it at the customer's."""
WHEN_PROMISED = 0
"""Stands for the step at which a promise died that could never be kept."""
IN_STEP, AFTER_STEP = "in the step", "waiting after it"

step_facts_table = fact_table(
    "step_facts",
    "step",
    "one row: one order at one step of which an attempt had begun or finished by as_of",
    Column("order_id", String, comment="orders.order_id"),
    Column("step", String, comment="01 to 13 (order_to_cash.STEPS)"),
    Column("step_no", Integer, comment="1 to 13"),
    Column("attempts", Integer, comment="how many attempts there were"),
    Column("started_at", DateTime, comment="when the first attempt began"),
    Column("latest_at", DateTime, comment="when the last attempt began (a step without a beginning: finished)"),
    Column("finished_at", DateTime, comment="when the last attempt finished; null: going on at as_of"),
    Column("finished_day", Date, comment="local day of that"),
    Column(
        "step_seconds",
        BigInteger,
        comment="Σ finished - started over the attempts; null while one goes on, or where one has a bare date",
    ),
    Column(
        "wait_seconds",
        BigInteger,
        comment="from the latest finish of earlier steps to the first start, not below 0; null: not known",
    ),
    Column(
        "leg_seconds",
        BigInteger,
        comment="from the finish of the previous finished step from 2 (else the order) to this one; steps 2 to 11",
    ),
)

step_budgets_table = fact_table(
    "step_budgets",
    "step",
    "one row: how long one step of 2 to 11 may take an order of one segment",
    Column("step_no", Integer, comment="2 to 11"),
    Column("budget_seconds", BigInteger, comment="median leg_seconds over the on-time orders it stands on"),
    Column("orders", BigInteger, comment="how many on-time orders with events the segment has"),
    Column(
        "stands_on", String, comment="segment: its own orders; all: everybody's, as the segment has fewer than min_n"
    ),
)

late_order_facts_table = fact_table(
    "late_order_facts",
    "order",
    "one row: one late order with a finished step of 2 to 11, and the step at which its promise died",
    Column("order_id", String, comment="orders.order_id"),
    Column("due_day", Date, comment="local day it was due"),
    Column(
        "step", String, comment="02 to 11; 00: when promised; (none): there was time left at the last step observed"
    ),
    Column("died", Boolean, comment="true: at a step or when promised"),
)

work_facts_table = fact_table(
    "work_facts",
    "order",
    "one row: one order that has begun its steps and not finished the last of them by as_of",
    Column("order_id", String, comment="orders.order_id"),
    Column("step", String, comment="the latest step begun"),
    Column("standing", String, comment="in the step, or waiting after it"),
    Column("on_day", Date, comment="local day of as_of"),
    Column("age_seconds", BigInteger, comment="since that step began, or finished, to as_of"),
)

o = order_facts_table.c
s = step_facts_table.c


def has_events(mapped: frozenset[str]) -> bool:
    """Whether any source brings order events."""
    return bool({"order_events.started_at", "order_events.finished_at"} & mapped)


def two_digits(number: Expression) -> Expression:
    """A step's number as text that sorts: 02, 11."""
    return case(
        {step: literal(f"{step:02}", String) for step in (WHEN_PROMISED, *range(1, 14))},
        value=number,
        else_=literal(NONE, String),
    )


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Every order × step begun by as_of; nothing where no feed brings events."""
    if not has_events(context.mapped):
        return ()
    steps = _steps(context).cte("steps")
    t = steps.c
    earlier = {
        name: func.max(t[name]).over(partition_by=t.order_id, order_by=t.step_no, rows=(None, -1))
        for name in ("finished_at", "finished_exact_at")
    }
    budgeted = and_(t.finished_at.is_not(None), t.step_no.between(BUDGETED[0], BUDGETED[-1]))
    previous = func.lag(t.finished_at).over(partition_by=[t.order_id, case((budgeted, 1), else_=0)], order_by=t.step_no)
    placed = (
        select(
            *t,
            earlier["finished_at"].label("earlier_at"),
            earlier["finished_exact_at"].label("earlier_exact_at"),
            func.coalesce(previous, t.ordered_at).label("previous_at"),
            budgeted.label("budgeted"),
        )
        .select_from(steps)
        .cte("placed_steps")
    )
    p = placed.c
    # Where the latest earlier finish is a bare date, nobody knows how long the wait was.
    known = and_(p.started_exact, p.earlier_at == p.earlier_exact_at)
    wait = greater(elapsed_seconds(p.earlier_at, p.started_at), literal(0, BigInteger))
    return (
        select(
            p.order_id,
            two_digits(p.step_no).label("step"),
            p.step_no,
            p.attempts,
            p.started_at,
            p.latest_at,
            p.finished_at,
            p.finished_day,
            p.step_seconds,
            case((known, wait), else_=typed_null(BigInteger())).label("wait_seconds"),
            case((p.budgeted, elapsed_seconds(p.previous_at, p.finished_at)), else_=typed_null(BigInteger())).label(
                "leg_seconds"
            ),
            *order_dimensions(),
        ).select_from(placed.join(order_facts_table, o.order_id == p.order_id)),
    )


def _steps(context: BuildContext) -> Rows:
    """Attempts by as_of summed to order × step; a step is finished when its last attempt is."""
    e = order_events.c
    now = literal(context.as_of, DateTime)
    tables: FromClause = order_events.join(order_facts_table, o.order_id == e.order_id)
    if context.only is not None:
        tables = tables.join(context.only, context.only.c.order_id == e.order_id)
    columns, zone = dict(e.items()), o.ship_to_time_zone
    tables, started = moment_span(tables, columns, "started_at", zone)
    tables, finished = moment_span(tables, columns, "finished_at", zone)
    tables, ordered = moment_span(tables, dict(o.items()), "ordered_at", zone)
    begun = case((started.hi <= now, started.hi), else_=typed_null(DateTime()))
    done = case((finished.hi <= now, finished.hi), else_=typed_null(DateTime()))
    from_last = func.row_number().over(partition_by=[e.order_id, e.step], order_by=e.event_no.desc())
    timed = and_(~func.coalesce(e.started_at_is_date, false()), ~func.coalesce(e.finished_at_is_date, false()))
    attempts = (
        select(
            e.order_id,
            e.step.label("step_no"),
            begun.label("begun_at"),
            e.started_at_is_date,
            done.label("done_at"),
            case((finished.hi <= now, finished.day), else_=typed_null(Date())).label("done_day"),
            case((~e.finished_at_is_date, done), else_=typed_null(DateTime())).label("done_exact_at"),
            case((and_(timed, begun.is_not(None)), elapsed_seconds(begun, done)), else_=typed_null(BigInteger())).label(
                "seconds"
            ),
            ordered.hi.label("ordered_at"),
            from_last.label("from_last"),
        )
        .select_from(tables)
        .where(~e.deleted, func.coalesce(begun, done).is_not(None))
        .cte("attempts")
    )
    a = attempts.c
    finished_last = func.max(case((and_(a.from_last == 1, a.done_at.is_not(None)), 1), else_=0)) == 1
    return select(
        a.order_id,
        a.step_no,
        cast(func.count(), Integer).label("attempts"),
        func.min(a.begun_at).label("started_at"),
        (count_if(a.started_at_is_date.is_not(False)) == 0).label("started_exact"),
        func.max(func.coalesce(a.begun_at, a.done_at)).label("latest_at"),
        case((finished_last, func.max(a.done_at)), else_=None).label("finished_at"),
        case((finished_last, func.max(a.done_exact_at)), else_=None).label("finished_exact_at"),
        case((finished_last, func.max(a.done_day)), else_=None).label("finished_day"),
        case((count_if(a.seconds.is_(None)) == 0, cast(func.sum(a.seconds), BigInteger)), else_=None).label(
            "step_seconds"
        ),
        func.min(a.ordered_at).label("ordered_at"),
    ).group_by(a.order_id, a.step_no)


def budgets(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """The budget of every step for every segment with orders; steps no on-time order finished have none."""
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
    everybody = (
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
    seconds = case((enough, own.c.seconds), else_=everybody.c.seconds)
    tables = (
        segments.join(everybody, true())
        .outerjoin(counted, counted.c.segment == segments.c.segment)
        .outerjoin(own, and_(own.c.segment == segments.c.segment, own.c.step_no == everybody.c.step_no))
    )
    return (
        select(
            everybody.c.step_no,
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
    """Every late order with a finished step of 2 to 11: the first step from which its slack stays below 0."""
    if not has_events(context.mapped):
        return ()
    points = _points().cte("points")
    left = _remaining().cte("remaining")
    p = points.c
    slack = elapsed_seconds(p.at, p.deadline_at) - func.coalesce(left.c.seconds, 0)
    told = (
        select(p.order_id, p.step_no, (slack >= 0).label("in_time"))
        .select_from(points.outerjoin(left, and_(left.c.segment == p.segment, left.c.step_no == p.step_no)))
        .cte("slacks")
    )
    t = told.c
    last_good = func.max(case((t.in_time, t.step_no), else_=-1)).over(partition_by=t.order_id).label("last_good")
    marked = select(t.order_id, t.step_no, last_good).subquery("marked")
    m = marked.c
    died = select(
        m.order_id, func.min(case((m.step_no > m.last_good, m.step_no), else_=None)).label("step_no")
    ).group_by(m.order_id)
    found = died.subquery("died")
    return (
        select(
            o.order_id,
            o.due_day,
            two_digits(found.c.step_no).label("step"),
            found.c.step_no.is_not(None).label("died"),
            *order_dimensions(),
        ).select_from(found.join(order_facts_table, o.order_id == found.c.order_id)),
    )


def _points() -> Rows:
    """Of every late order with a finished step of 2 to 11: when it was ordered (step 0) and when each such step was
    finished.
    """
    late = and_(o.on_time.is_(False), o.state == "judged", o.deadline_at.is_not(None))
    finished = and_(s.leg_seconds.is_not(None), s.finished_at.is_not(None))
    keys = (o.order_id, o.segment, o.deadline_at)
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
    """segment, step_no (0 and 2 to 11) and the Σ of the budgets of later steps."""
    step = values(sql_column("step_no", Integer), name="slack_steps").data(
        [(number,) for number in (WHEN_PROMISED, *BUDGETED)]
    )
    b = step_budgets_table.c
    later = cast(func.sum(b.budget_seconds), BigInteger).label("seconds")
    number = cast(step.c.step_no, Integer)
    return (
        select(b.segment, number.label("step_no"), later)
        .select_from(step_budgets_table.join(step, b.step_no > number))
        .group_by(b.segment, number)
    )


def work(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Every order under way: where it stands and since when. Done is who finished the last step that any order has."""
    if not has_events(context.mapped):
        return ()
    now = literal(context.as_of, DateTime)
    from_last = func.row_number().over(partition_by=s.order_id, order_by=[s.latest_at.desc(), s.step_no.desc()])
    latest = select(
        s.order_id, s.step, s.started_at, s.latest_at, s.finished_at, from_last.label("from_last")
    ).subquery("latest")
    final = select(func.max(s.step_no)).scalar_subquery()
    done = select(s.order_id).where(s.step_no == final, s.finished_at.is_not(None)).subquery("done")
    under_way = order_facts_table.join(latest, and_(latest.c.order_id == o.order_id, latest.c.from_last == 1)).join(
        orders, orders.c.order_id == o.order_id
    )
    tables: FromClause = under_way.outerjoin(done, done.c.order_id == o.order_id)
    tables, cancelled = moment_span(tables, dict(orders.c.items()), "cancelled_at", o.ship_to_time_zone)
    tables, today = span_of(tables, now, false(), o.ship_to_time_zone)
    finished = latest.c.finished_at.is_not(None)
    since = case((finished, latest.c.finished_at), else_=latest.c.latest_at)
    return (
        select(
            o.order_id,
            latest.c.step,
            case((finished, AFTER_STEP), else_=IN_STEP).label("standing"),
            func.coalesce(today.day, cast(now, Date)).label("on_day"),
            elapsed_seconds(since, now).label("age_seconds"),
            *order_dimensions(),
        )
        .select_from(tables)
        .where(done.c.order_id.is_(None), o.state != "excluded", ~func.coalesce(cancelled.hi <= now, false())),
    )


FACT_TABLES: tuple[FactTable, ...] = (
    FactTable(step_facts_table, select_rows, key="order_id"),
    FactTable(step_budgets_table, budgets),
    FactTable(late_order_facts_table, late_orders),
    FactTable(work_facts_table, work),
)


STEPS: dict[int, str] = {
    1: "process inquiry and quote",
    2: "receive, enter and validate order",
    3: "reserve inventory and determine delivery date",
    4: "consolidate orders",
    5: "plan and build loads",
    6: "route shipments",
    7: "select carrier and calculate transport cost",
    8: "receive product at warehouse",
    9: "pick",
    10: "load, shipping document, verify credit, ship",
    11: "receive and verify at customer site",
    12: "install",
    13: "invoice",
}
"""The 13 steps from inquiry to invoice. A dimension value `step` is the number in two digits; "00" is "when promised".
"""
