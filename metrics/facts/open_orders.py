"""One row: one sale with goods owed, and how long it has waited for them.

How long an open order has waited changes with every `as_of`, so its row is made anew by every run, and the ledger is narrow.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Boolean, Column, CompoundSelect, Connection, Date, DateTime, Integer, Select, String, case, false, literal, select, union

from metrics.facts.fact_table import Changed, Ledger, Setting, ledger_table, order_dimensions, within
from metrics.facts.orders import order_facts_table
from metrics.sql.dialects import days_between
from metrics.sql.moments import span_of

wait_facts_table = ledger_table(
    "wait_facts",
    "order",
    "one row: one sale with goods owed, and how long it took or has taken so far",
    Column("order_id", String, comment="orders.order_id"),
    Column("ordered_day", Date, comment="local day it was ordered"),
    Column("wait_days", Integer, comment="days from order to arrival, or to the local day of as_of while it has not arrived"),
    Column("arrived", Boolean, comment="true: every line has arrived at least in part"),
)

o = order_facts_table.c


def rows(_: Connection, setting: Setting) -> Sequence[Select[Any]]:
    """Every sale with goods owed: open ones have waited until as_of."""
    now = literal(setting.as_of, DateTime)
    tables, today = span_of(within(order_facts_table, o.order_id, setting), now, false(), o.ship_to_time_zone)
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


def _again(changed: Changed, setting: Setting) -> CompoundSelect[Any]:  # noqa: ARG001 - every ledger is asked alike
    """The orders that changed, and those that were still waiting."""
    w = wait_facts_table.c
    return union(select(changed.orders.c.order_id), select(w.order_id).where(~w.arrived))


LEDGERS: tuple[Ledger, ...] = (Ledger(wait_facts_table, rows, key="order_id", again=_again),)
