"""Returns, summed per order line.

A return does not undo a delivery. Its reason makes a verdict false; a return without a reason makes several unknown.
One row per order line with a return announced by `as_of`. Columns `..._n` count returns, `..._qty` are quantities.
Source: R22 (returns), P3 (three values).
"""

from datetime import datetime

from sqlalchemy import CTE, DateTime, FromClause, Integer, and_, case, cast, false, func, literal, select, union_all

from metrics.policy import DAMAGE_REASONS, WRONG_ITEM_REASONS, WRONG_PLACE_REASONS, WRONG_QUANTITY_REASONS
from metrics.schema import QTY, returns
from metrics.sql.dialects import Expression, Rows, count_if, sum_if
from metrics.sql.moments import moment_span

RETURNED_AMOUNTS = ("returned_damaged_qty",)
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


def most_held(lines: FromClause, consigned: CTE, *, as_of: datetime) -> Rows:
    """Select the largest quantity that the buyer held right after a receipt, per order line with returns.

    It is the counted quantity received so far, less the quantity returned before. A later return does not lower it.
    Columns: order_id, line_no, most_held_qty; most_held_unproven_qty assumes that unproven consignments arrived when
    they were shipped. Source: R9 (over-delivery), R22 (returns).
    """
    r, line, c = returns.c, lines.c, consigned.c
    tables: FromClause = returns.join(lines, and_(line.order_id == r.order_id, line.line_no == r.line_no))
    tables, announced = moment_span(tables, dict(r.items()), "announced_at", line.zone)
    sent_back = (
        select(r.order_id, r.line_no, announced.hi.label("at"), r.returned_qty)
        .select_from(tables)
        .where(~r.deleted, r.returned_qty.is_not(None), announced.hi <= literal(as_of, DateTime))
        .cte("sent_back")
    )
    b = sent_back.c
    returning = select(b.order_id, b.line_no).distinct().subquery("lines_with_returns")
    zero = cast(literal(0), QTY)
    arrived = (
        select(
            c.order_id,
            c.line_no,
            case((c.proven, c.received_hi), else_=c.shipped_hi).label("at"),
            literal(0, Integer).label("kind"),  # at one instant, a receipt comes before a return
            case((c.proven, c.quantity), else_=zero).label("certain_qty"),
            c.quantity.label("possible_qty"),
        )
        .select_from(
            consigned.join(returning, and_(returning.c.order_id == c.order_id, returning.c.line_no == c.line_no))
        )
        .where(c.quantity > 0, c.right_product, c.right_place)
    )
    gone = -b.returned_qty
    moves = union_all(arrived, select(b.order_id, b.line_no, b.at, literal(1, Integer), gone, gone)).subquery("moves")
    m = moves.c

    def running(name: str) -> Expression:
        by_time = func.sum(m[name]).over(
            partition_by=[m.order_id, m.line_no], order_by=[m.at, m.kind], range_=(None, 0)
        )
        return by_time.label(name)

    so_far = select(m.order_id, m.line_no, m.kind, running("certain_qty"), running("possible_qty")).subquery("so_far")
    f = so_far.c
    return (
        select(
            f.order_id,
            f.line_no,
            cast(func.max(f.certain_qty), QTY).label("most_held_qty"),
            cast(func.max(f.possible_qty), QTY).label("most_held_unproven_qty"),
        )
        .where(f.kind == 0)
        .group_by(f.order_id, f.line_no)
    )
