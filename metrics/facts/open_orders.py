"""Waiting times: how long orders took to arrive, and how long open orders have been waiting.

Grain: one row per sale order with goods owed. Key: order_id.
Stale rows: those of orders that the run judges again, and of all open orders.
Source: section 4 (c) (cycle time).

The wait of an open order changes with every `as_of`. So this table is narrow, and separate from the cycle times.
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
    "one row: one sale order with goods owed, and its days until arrival or until now",
    Column("order_id", String, comment="orders.order_id"),
    Column("ordered_day", Date, comment="local day it was ordered"),
    Column(
        "wait_days",
        Integer,
        comment="days from order to arrival, or to the local day of as_of if it has not arrived",
    ),
    Column("arrived", Boolean, comment="true: every line has arrived at least in part"),
)

o = order_facts_table.c


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every sale order with goods owed. Open orders wait until as_of.

    The arrival of an order in quarantine is not known, so it has no row.
    """
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
        .where(o.order_type == "sale", o.state != "excluded", ~o.in_quarantine),
    )


def _stale_keys(changed: Changes, _: BuildContext) -> SelectBase:
    """Select the orders that changed, and the orders that had not arrived."""
    w = open_order_facts_table.c
    return union(select(changed.orders.c.order_id), select(w.order_id).where(~w.arrived))


FACT_TABLES: tuple[FactTable, ...] = (
    FactTable(open_order_facts_table, select_rows, key="order_id", stale_keys=_stale_keys),
)
