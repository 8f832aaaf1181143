"""Facts: one row per order line and one per order, with every date, quantity, amount and verdict needed to judge it.

All joins happen in the modules behind this one, each child table summed at the grain of the order line *before* it is
joined (`dating.py`, `receipts.py`, `owing.py`, `billing.py`, `judging.py`, `order_judging.py`). `order_line_facts` and
`order_facts` are SELECTs under one policy, one as-of instant and one set of mapped columns: `rebuild.py` stores them
under the strict policy, a what-if asks them directly. Source: rules, section 2 and R1 to R40; docs/judgement.md where
the rules leave room.
"""

from datetime import datetime

from sqlalchemy import FromClause

from metrics.facts.orders.due_dates import orders_placed
from metrics.facts.orders.line_verdicts import judged_lines
from metrics.facts.orders.order_verdicts import judged_orders
from metrics.facts.orders.tables import (
    DIMENSION_COLUMNS,
    NONE,
    SEVERAL,
    facts_metadata,
    facts_state,
    order_facts_table,
    order_line_facts_table,
)
from metrics.policy import Policy
from metrics.sql.dialects import Rows

__all__ = [
    "DIMENSION_COLUMNS",
    "NONE",
    "SEVERAL",
    "facts_metadata",
    "facts_state",
    "order_facts",
    "order_facts_from_lines",
    "order_facts_table",
    "order_line_facts",
    "order_line_facts_table",
]


def order_line_facts(
    policy: Policy, as_of: datetime, mapped: frozenset[str], *, only: FromClause | None = None
) -> Rows:
    """One row per order line that exists at `as_of`; columns of `order_line_facts_table`.

    mapped: "feed.column" of everything some source maps (P3). only: a table of order_id to keep to (an incremental
    rebuild).
    """
    header = orders_placed(as_of, only).cte("order_base")
    return judged_lines(header, policy, as_of, mapped)


def order_facts(policy: Policy, as_of: datetime, mapped: frozenset[str], *, only: FromClause | None = None) -> Rows:
    """One row per order that exists at `as_of`; columns of `order_facts_table`. Parameters as `order_line_facts`."""
    header = orders_placed(as_of, only).cte("order_base")
    lines = judged_lines(header, policy, as_of, mapped).cte("line_facts")
    return judged_orders(header, lines)


def order_facts_from_lines(lines: FromClause, as_of: datetime, *, only: FromClause | None = None) -> Rows:
    """`order_facts` from line facts that are already stored."""
    return judged_orders(orders_placed(as_of, only).cte("order_base"), lines)
