"""Work in progress: orders under way, their latest step and how long they have been there.

Grain: one row per order that has begun its steps and has not finished the last step. Key: order_id.
Stale rows: not tracked. Every run rebuilds the whole table, because ages change with every `as_of`.
Source: section 4 (c) (cycle time).
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Date,
    DateTime,
    FromClause,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    select,
)

from metrics.facts.fact_table import BuildContext, FactTable, fact_table, order_dimensions
from metrics.facts.orders import order_facts_table
from metrics.facts.process_steps import has_events, step_facts_table
from metrics.schema import orders
from metrics.sql.business_hours import elapsed_seconds
from metrics.sql.dialects import Rows
from metrics.sql.moments import moment_span, span_of

IN_STEP, AFTER_STEP = "in the step", "waiting after it"
"""Values of the column `standing`."""

work_facts_table = fact_table(
    "work_facts",
    "order",
    "one row: one order that has begun its steps and has not finished the last step by as_of",
    Column("order_id", String, comment="orders.order_id"),
    Column("step", String, comment="latest step begun"),
    Column("standing", String, comment="in the step, or waiting after it"),
    Column("on_day", Date, comment="local day of as_of"),
    Column("age_seconds", BigInteger, comment="seconds from the beginning or the finish of that step to as_of"),
)

o = order_facts_table.c
s = step_facts_table.c


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every order under way, its latest step and its age, or nothing if no source maps order events.

    An order is done if it has finished the last step that any order has.
    """
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


FACT_TABLES: tuple[FactTable, ...] = (FactTable(work_facts_table, select_rows),)
