"""Order line facts and order facts: every date, quantity, amount and verdict of a line and of an order.

`order_line_facts` and `order_facts` build SELECTs for one policy, one as-of instant and one set of mapped columns.
`metrics.rebuild` stores their rows under the strict policy; what-if queries run them directly. The joins are in the
other modules of this folder. Each child table is summed per order line before it is joined.
Source: docs/rules.md, R1 to R40; docs/judgement.md for cases the rules leave open.
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
    """Select one row per order line that exists at `as_of`, with the columns of `order_line_facts_table`.

    mapped: "feed.column" of every column that some source maps. Source: P3 (three values).
    only: a table of the order_id to include, for an incremental rebuild.
    """
    header = orders_placed(as_of, only).cte("order_base")
    return judged_lines(header, policy, as_of, mapped)


def order_facts(policy: Policy, as_of: datetime, mapped: frozenset[str], *, only: FromClause | None = None) -> Rows:
    """Select one row per order that exists at `as_of`, with the columns of `order_facts_table`.

    Parameters as for `order_line_facts`.
    """
    header = orders_placed(as_of, only).cte("order_base")
    lines = judged_lines(header, policy, as_of, mapped).cte("line_facts")
    return judged_orders(header, lines, as_of)


def order_facts_from_lines(lines: FromClause, as_of: datetime, *, only: FromClause | None = None) -> Rows:
    """Select the order facts from stored line facts."""
    return judged_orders(orders_placed(as_of, only).cte("order_base"), lines, as_of)
