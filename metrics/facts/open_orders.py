"""One row: one sale with goods owed, and how long it has waited for them.

How long an open order has waited changes with every `as_of`, so its row is made anew by every run, and the ledger is
narrow.
"""

from collections.abc import Sequence

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    Integer,
    SelectBase,
    String,
    case,
    false,
    literal,
    select,
    union,
)

from metrics.facts.fact_table import BuildContext, Changes, FactTable, fact_table, only_stale, order_dimensions
from metrics.facts.orders import order_facts_table
from metrics.sql.dialects import Rows, days_between
from metrics.sql.moments import span_of

open_order_facts_table = fact_table(
    "wait_facts",
    "order",
    "one row: one sale with goods owed, and how long it took or has taken so far",
    Column("order_id", String, comment="orders.order_id"),
    Column("ordered_day", Date, comment="local day it was ordered"),
    Column(
        "wait_days",
        Integer,
        comment="days from order to arrival, or to the local day of as_of while it has not arrived",
    ),
    Column("arrived", Boolean, comment="true: every line has arrived at least in part"),
)

o = order_facts_table.c


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Every sale with goods owed: open ones have waited until as_of."""
    now = literal(context.as_of, DateTime)
    tables, today = span_of(only_stale(order_facts_table, o.order_id, context), now, false(), o.ship_to_time_zone)
    arrived = o.cycle_days.is_not(None)
    return (
        select(
            o.order_id,
            o.ordered_day,
            case((arrived, o.cycle_days), else_=days_between(o.ordered_day, today.day)).label("wait_days"),
            arrived.label("arrived"),
            *order_dimensions(),
        )
        .select_from(tables)
        .where(o.order_type == "sale", o.state != "excluded"),
    )


def _stale_keys(changed: Changes, _: BuildContext) -> SelectBase:
    """The orders that changed, and those that were still waiting."""
    w = open_order_facts_table.c
    return union(select(changed.orders.c.order_id), select(w.order_id).where(~w.arrived))


FACT_TABLES: tuple[FactTable, ...] = (
    FactTable(open_order_facts_table, select_rows, key="order_id", stale_keys=_stale_keys),
)
