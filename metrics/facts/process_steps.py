"""The 13 order-to-cash steps: names, and the time in each step and before it.

Grain: one row per order and step that had begun or finished by `as_of`. Key: order_id, step_no.
Stale rows: those of orders that the run judges again.
Source: section 4 (c) (cycle time).

Budgets and late orders are in `step_slack.py`, orders under way in `work_in_progress.py`.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    DateTime,
    Integer,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    select,
)

from metrics.facts.fact_table import BuildContext, FactTable, fact_table, only_stale, order_dimensions
from metrics.facts.orders import NONE, order_facts_table
from metrics.schema import order_events
from metrics.sql.business_hours import elapsed_seconds
from metrics.sql.dialects import Expression, Rows, count_if, greater, typed_null
from metrics.sql.moments import moment_span

BUDGETED = range(2, 12)
"""Steps with a time budget, from entering the order to receipt at the customer site."""
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
"""The 13 steps from inquiry to invoice. The dimension `step` has the number in two digits; "00" is "when promised"."""
WHEN_PROMISED = 0
"""The step of a late order that had too little time already when it was promised."""

step_facts_table = fact_table(
    "step_facts",
    "step",
    "one row: one step of one order, with an attempt that had begun or finished by as_of",
    Column("order_id", String, comment="orders.order_id"),
    Column("step", String, comment="01 to 13"),
    Column("step_no", Integer, comment="1 to 13"),
    Column("attempts", Integer, comment="number of attempts"),
    Column("started_at", DateTime, comment="when the first attempt began"),
    Column("latest_at", DateTime, comment="when the last attempt began (finished, if it has no beginning)"),
    Column("finished_at", DateTime, comment="when the last attempt finished; null: in progress at as_of"),
    Column("finished_day", Date, comment="local day on which the last attempt finished"),
    Column(
        "step_seconds",
        BigInteger,
        comment="sum of the durations of all attempts; null: an attempt is in progress or has a bare date",
    ),
    Column(
        "wait_seconds",
        BigInteger,
        comment="from the latest finish of earlier steps to the first start, not below 0; null: not known",
    ),
    Column(
        "leg_seconds",
        BigInteger,
        comment="steps 2 to 11: from the finish of the previous step (else the order) to the finish of this one",
    ),
)

o = order_facts_table.c
s = step_facts_table.c


def has_events(mapped: frozenset[str]) -> bool:
    """Return whether a source maps order events."""
    return bool({"order_events.started_at", "order_events.finished_at"} & mapped)


def two_digits(number: Expression) -> Expression:
    """Return the number of a step as text with two digits."""
    return case(
        {step: literal(f"{step:02}", String) for step in (WHEN_PROMISED, *range(1, 14))},
        value=number,
        else_=literal(NONE, String),
    )


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every step of an order begun by as_of, or nothing if no source maps order events."""
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
    # If the latest earlier finish is a bare date, the wait is not known.
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
    """Sum the attempts by as_of to order and step. A step is finished if its last attempt is finished."""
    e = order_events.c
    now = literal(context.as_of, DateTime)
    tables = only_stale(order_events.join(order_facts_table, o.order_id == e.order_id), e.order_id, context)
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


FACT_TABLES: tuple[FactTable, ...] = (FactTable(step_facts_table, select_rows, key="order_id"),)
