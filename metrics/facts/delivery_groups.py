"""Delivery groups: the lines of an order that share a deadline, judged like an order.

Grain: one row per order and deadline with goods owed. Key: order_id, deadline_at.
Stale rows: those of orders that the run judges again.
Source: R16 (delivery groups).
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
    String,
    case,
    cast,
    select,
)

from metrics.facts.fact_table import BuildContext, FactTable, fact_table
from metrics.facts.orders.line_verdicts import one_or_several
from metrics.facts.orders.order_verdicts import state_over, sums_of_lines, verdicts_over
from metrics.facts.orders.tables import (
    DIMENSION_COLUMNS,
    GOODS_VERDICTS,
    SEVERAL,
    order_facts_table,
    order_line_facts_table,
)
from metrics.sql.dialects import Expression, Rows

group_facts_table = fact_table(
    "delivery_groups",
    "group",
    "one row: one delivery group, the lines of one order with the same deadline, judged like an order",
    Column("order_id", String),
    Column("deadline_at", DateTime, comment="null: the lines without any date"),
    Column("due_day", Date, comment="latest due day of its lines"),
    Column("state", String),
    Column("line_count", BigInteger, comment="goods lines owed"),
    *[column for name in GOODS_VERDICTS for column in (Column(name, Boolean), Column(f"{name}_reason", String))],
    Column("perfect_group", Boolean),
    Column("next_change_at", DateTime, comment="next instant at which a verdict can change without new data"),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every group with goods owed, from the stored line facts.

    Services and fees with the same deadline count for the billing of the group, as in an order. Source: R17 (services
    and fees).
    """
    line, o = order_line_facts_table.c, order_facts_table.c
    lines: FromClause = order_line_facts_table
    if context.only is not None:
        lines = select(*line).join(context.only, context.only.c.order_id == line.order_id).subquery("lines_again")
    sums = sums_of_lines(lines, lines.c.order_id, lines.c.deadline_at.label("group_deadline_at"))
    x = sums.c
    state = state_over(x)
    columns: dict[str, Expression] = {name: o[name] for name in DIMENSION_COLUMNS} | verdicts_over(x, state)
    columns |= {
        "order_id": x.order_id,
        "deadline_at": x.group_deadline_at,
        "due_day": x.due_day,
        "state": state,
        "line_count": x.goods_owed_n,
        "perfect_group": columns["perfect_order"],
        "next_change_at": x.next_change_at,
        "product_category": one_or_several(x.category_first, x.category_last),
        "carrier": case((x.several_carriers_n > 0, SEVERAL), else_=one_or_several(x.carrier_first, x.carrier_last)),
    }
    selected = [cast(columns[column.name], column.type).label(column.name) for column in group_facts_table.columns]
    return [
        select(*selected).select_from(sums.join(order_facts_table, o.order_id == x.order_id)).where(x.goods_owed_n > 0)
    ]


FACT_TABLES: tuple[FactTable, ...] = (FactTable(group_facts_table, select_rows, key="order_id"),)
