"""Availability: the buyer's three questions, per order. Did I get what I wanted, when, and in the right quantity?

Grain: one row per sale order with goods owed. Key: order_id.
Stale rows: those of orders that the run judges again.
Source: section 4 (b) (product availability).

- What: every goods line has a counted unit of the right product at the right place.
- When: the order is on time by the requested date.
- Quantity: the order is complete.
"""

from collections.abc import Sequence

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    FromClause,
    String,
    and_,
    case,
    cast,
    false,
    func,
    or_,
    select,
    true,
)

from metrics.facts.anchor_dates import anchor_facts_table
from metrics.facts.fact_table import BuildContext, FactTable, fact_table, only_stale
from metrics.facts.orders import DIMENSION_COLUMNS, order_facts_table, order_line_facts_table
from metrics.facts.orders.receipts import compared_parts
from metrics.sql.dialects import Expression, Rows, count_if

availability_facts_table = fact_table(
    "availability_facts",
    "order",
    "one row: one sale order and the buyer's three questions",
    Column("order_id", String),
    Column("due_day", Date, comment="due day of the strict judgement"),
    Column("state", String, comment="state of the strict judgement, for what and quantity"),
    Column("state_all", String, comment="state for all three; also pending while the requested date has not passed"),
    Column(
        "got_what",
        Boolean,
        comment="every goods line has a counted unit of the right item at the right place; nothing received: false",
    ),
    Column("got_when", Boolean, comment="on time by the requested date"),
    Column("got_quantity", Boolean, comment="complete"),
    Column(
        "got_all", Boolean, comment="true: all three are true; false: one of them is false, whatever the others are"
    ),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every sale order with goods owed."""
    o, a = order_facts_table.c, anchor_facts_table.c
    what = _what(context).subquery("got_what")
    tables: FromClause = order_facts_table.join(what, what.c.order_id == o.order_id).join(
        anchor_facts_table, a.order_id == o.order_id
    )
    got = {
        "got_what": case((what.c.false_n > 0, false()), (what.c.unknown_n > 0, None), else_=true()),
        "got_when": a.on_time_requested,
        "got_quantity": o.complete,
    }
    inner = (
        select(
            *[o[name] for name in ("order_id", "due_day", "state", *DIMENSION_COLUMNS)],
            case((o.state != "judged", o.state), else_=a.state_requested).label("state_all"),
            *[
                cast(case((o.state == "judged", verdict), else_=None), Boolean).label(name)
                for name, verdict in got.items()
            ],
        )
        .select_from(tables)
        .where(o.state != "excluded")
        .subquery("three_questions")
    )
    i = inner.c
    answers = (i.got_what, i.got_when, i.got_quantity)
    combined = {
        "got_all": case(
            (or_(*[answer.is_(False) for answer in answers]), false()),
            (or_(*[answer.is_(None) for answer in answers]), None),
            else_=true(),
        ),
    }
    return (
        select(
            *[
                cast(combined.get(column.name, i.get(column.name)), column.type).label(column.name)
                for column in availability_facts_table.columns
            ]
        ),
    )


def _what(context: BuildContext) -> Rows:
    """Return per order the number of goods lines owed that fail the question "what", and of those that are unknown.

    A line without counted units fails, unless goods are on their way. A quarantined line is unknown: R34 (impossible
    dates).
    """
    line = order_line_facts_table.c
    tables = only_stale(order_line_facts_table, line.order_id, context)
    quarantined = func.coalesce(line.complete_reason == "quarantined", false())
    nothing_counted = line.counted_qty == 0
    wrong = or_(line.item_ok.is_(False), line.place_ok.is_(False))
    failed = func.coalesce(and_(~quarantined, or_(wrong, and_(nothing_counted, line.unproven_qty == 0))), false())
    compared = compared_parts(context.mapped)
    unproven: list[Expression] = [line[name].is_(None) for name in ("item_ok", "place_ok") if name in compared] or [
        true()
    ]
    unknown = or_(quarantined, line.counted_qty.is_(None), nothing_counted, *unproven)
    return (
        select(line.order_id, count_if(failed).label("false_n"), count_if(and_(~failed, unknown)).label("unknown_n"))
        .select_from(tables)
        .where(line.state != "excluded")
        .group_by(line.order_id)
    )


FACT_TABLES = (FactTable(availability_facts_table, select_rows, key="order_id"),)
