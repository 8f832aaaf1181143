"""One row: one sale order and the buyer's three questions: did I get what I wanted, when I wanted it, in the quantity I
wanted?

What: every goods line has a counted unit, of the right product at the right place. When: on time by the request.
Quantity: complete. Source: rules, section 4 (b).
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
from metrics.facts.fact_table import BuildContext, FactTable, fact_table
from metrics.facts.orders import DIMENSION_COLUMNS, order_facts_table, order_line_facts_table
from metrics.sql.dialects import Rows, count_if

availability_facts_table = fact_table(
    "availability_facts",
    "order",
    "one row: one sale order and the buyer's three questions",
    Column("order_id", String),
    Column("due_day", Date, comment="of the strict judgement"),
    Column("state", String, comment="of the strict judgement: what and quantity"),
    Column("state_all", String, comment="of all three: pending too while the request is not yet due"),
    Column(
        "got_what",
        Boolean,
        comment="every goods line has a counted unit, right item and place; nothing received: false",
    ),
    Column("got_when", Boolean, comment="on time by the request"),
    Column("got_quantity", Boolean, comment="complete"),
    Column("got_all", Boolean, comment="the AND of the three"),
    Column("all_known", Boolean, comment="true: each of the three is known"),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Every sale order with something owed."""
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
    three = (i.got_what, i.got_when, i.got_quantity)
    both = {
        "got_all": case(
            (or_(*[one.is_(False) for one in three]), false()),
            (or_(*[one.is_(None) for one in three]), None),
            else_=true(),
        ),
        "all_known": and_(*[one.is_not(None) for one in three]),
    }
    return (
        select(
            *[
                cast(both.get(column.name, i.get(column.name)), column.type).label(column.name)
                for column in availability_facts_table.columns
            ]
        ),
    )


def _what(context: BuildContext) -> Rows:
    """One row per order: how many of its goods lines owed are not what was wanted, and of how many that is not known.

    A line of which nothing counts fails, unless something is on its way; a quarantined one is not known (R34).
    """
    line = order_line_facts_table.c
    tables: FromClause = order_line_facts_table
    if context.only is not None:
        tables = tables.join(context.only, context.only.c.order_id == line.order_id)
    held = func.coalesce(line.complete_reason == "quarantined", false())
    none = line.counted_qty == 0
    wrong = or_(line.item_ok.is_(False), line.place_ok.is_(False))
    failed = and_(~held, or_(wrong, and_(none, line.unproven_qty == 0)))
    open_ = or_(held, none, line.item_ok.is_(None), line.place_ok.is_(None))
    return (
        select(line.order_id, count_if(failed).label("false_n"), count_if(and_(~failed, open_)).label("unknown_n"))
        .select_from(tables)
        .where(line.state != "excluded")
        .group_by(line.order_id)
    )


FACT_TABLES = (FactTable(availability_facts_table, select_rows, key="order_id"),)
