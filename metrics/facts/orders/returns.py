"""Returns, summed per order line.

A return does not undo a delivery. Its reason makes a verdict false; a return without a reason makes several unknown.
One row per order line with a return announced by `as_of`. Columns `..._n` count returns, `..._qty` are quantities.
Source: R22 (returns), P3 (three values).
"""

from datetime import datetime

from sqlalchemy import DateTime, FromClause, and_, false, literal, select

from metrics.policy import DAMAGE_REASONS, WRONG_ITEM_REASONS, WRONG_PLACE_REASONS, WRONG_QUANTITY_REASONS
from metrics.schema import returns
from metrics.sql.dialects import Rows, count_if, sum_if
from metrics.sql.moments import moment_span

RETURNED_AMOUNTS = ("returned_qty", "returned_damaged_qty")
RETURNED_COUNTS = (
    "returned_damaged_n",
    "returned_item_n",
    "returned_place_n",
    "returned_quantity_n",
    "returned_unknown_n",
)
"""Columns of `returned_per_line` in addition to its key."""


def has_returns(mapped: frozenset[str]) -> bool:
    """Return whether any source maps returns."""
    return "returns.returned_qty" in mapped


def returned_per_line(lines: FromClause, *, as_of: datetime, mapped: frozenset[str]) -> Rows:
    """Sum the returns announced by `as_of` per order line.

    lines: order_id, line_no, zone. If no source maps reasons, returns only reduce quantities.
    """
    r, line = returns.c, lines.c
    tables: FromClause = returns.join(lines, and_(line.order_id == r.order_id, line.line_no == r.line_no))
    tables, announced = moment_span(tables, dict(r.items()), "announced_at", line.zone)
    damage = r.reason.in_(DAMAGE_REASONS)
    return (
        select(
            r.order_id,
            r.line_no,
            sum_if(r.returned_qty.is_not(None), r.returned_qty).label("returned_qty"),
            sum_if(damage, r.returned_qty).label("returned_damaged_qty"),
            count_if(damage).label("returned_damaged_n"),
            count_if(r.reason.in_(WRONG_ITEM_REASONS)).label("returned_item_n"),
            count_if(r.reason.in_(WRONG_PLACE_REASONS)).label("returned_place_n"),
            count_if(r.reason.in_(WRONG_QUANTITY_REASONS)).label("returned_quantity_n"),
            count_if(r.reason.is_(None) if "returns.reason" in mapped else false()).label("returned_unknown_n"),
        )
        .select_from(tables)
        .where(~r.deleted, announced.hi <= literal(as_of, DateTime))
        .group_by(r.order_id, r.line_no)
    )
