"""Owed quantity of each line: ordered, less what the buyer cancelled in time. Also the limits for enough and too much.

Source: R9 (over-delivery), R10 (under-delivery tolerance), R11 (equal quantities), R13 (cancellations),
R14 (quantity changes), R15 (cancelled remainder).
"""

from datetime import datetime

from sqlalchemy import (
    CTE,
    BigInteger,
    DateTime,
    FromClause,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
)

from metrics.facts.orders.returns import RETURNED_AMOUNTS, RETURNED_COUNTS
from metrics.policy import Policy
from metrics.schema import QTY, restated_quantities
from metrics.sql.dialects import Expression, Rows, greater, lesser

_RECEIPT_AMOUNTS = [
    "counted_qty",
    "in_time_qty",
    "maybe_in_time_qty",
    "in_window_qty",
    "maybe_in_window_qty",
    "by_line_cancel_qty",
    "by_order_cancel_qty",
    "unproven_qty",
    "left_in_time_qty",
    "maybe_left_in_time_qty",
    "received_qty",
    "shipped_qty",
    "damaged_qty",
    "counted_damaged_qty",
    "first_pass_sure_qty",
    "first_pass_most_qty",
    "sent_qty",
]
_RECEIPT_COUNTS = [
    "counted_n",
    "late_n",
    "maybe_late_n",
    "early_n",
    "maybe_early_n",
    "unproven_n",
    "maybe_left_in_time_n",
    "left_in_time_n",
    "left_early_n",
    "maybe_left_early_n",
    "received_n",
    "damage_unknown_n",
    "wrong_item_n",
    "item_unknown_n",
    "wrong_place_n",
    "place_unknown_n",
    "substitute_n",
    "sent_later_n",
]
_RECEIPT_MOMENTS = [
    "carrier_first",
    "carrier_last",
    "last_counted_at",
    "shipped_day",
    "last_unproven_day",
    "claims_close_first",
    "claims_close_last",
]
_STEPS = {
    *("gross_qty", "line_excused", "order_excused", "line_closed", "order_closed"),
    *("owed_by_line", "wanted_by_line", "owed"),
}
"""Columns of the steps to the owed quantity."""


def owed_quantities(
    dated: CTE, received: CTE, back: CTE | None, held: CTE | None, policy: Policy, as_of: datetime
) -> Rows:
    """Select dated lines with receipts, returns (zero if none), owed quantity and the limits for enough and too much.

    Restatements and excused cancellations change the owed quantity. back: sums of `returned_per_line`; held: quantities
    of `most_held`. Both are None without the feed. Source: R13 (cancellations), R14 (quantity changes).
    """
    d, r = dated.c, received.c
    now = literal(as_of, DateTime)
    zero, none = cast(literal(0), QTY), literal(0, BigInteger)
    amounts: dict[str, Expression] = {name: func.coalesce(r[name], zero) for name in _RECEIPT_AMOUNTS}
    counts: dict[str, Expression] = {name: func.coalesce(r[name], none) for name in _RECEIPT_COUNTS}
    amounts |= {name: zero if back is None else func.coalesce(back.c[name], zero) for name in RETURNED_AMOUNTS}
    amounts |= _most_held(amounts, held)
    counts |= {name: none if back is None else func.coalesce(back.c[name], none) for name in RETURNED_COUNTS}
    restated = _restated(dated, as_of).subquery("restated")
    gross = func.coalesce(restated.c.gross_qty, d.ordered_qty)

    def excused(at: Expression, by: Expression, reason: Expression) -> Expression:
        in_time = or_(d.deadline_at.is_(None), at <= d.deadline_at)
        blamed = func.coalesce(reason.in_(policy.fault_reasons), false())
        return and_(at.is_not(None), at <= now, func.coalesce(by == "buyer", false()), in_time, ~blamed)

    excuses = {
        "line_excused": excused(d.line_cancel_at, d.line_cancelled_by, d.line_cancel_reason),
        "order_excused": excused(d.order_cancel_at, d.cancelled_by, d.cancel_reason),
        "line_closed": func.coalesce(d.line_cancel_at <= now, false()),
        "order_closed": func.coalesce(d.order_cancel_at <= now, false()),
    }
    tables: FromClause = dated.outerjoin(received, and_(r.order_id == d.order_id, r.line_no == d.line_no))
    tables = tables.outerjoin(restated, and_(restated.c.order_id == d.order_id, restated.c.line_no == d.line_no))
    if back is not None:
        tables = tables.outerjoin(back, and_(back.c.order_id == d.order_id, back.c.line_no == d.line_no))
    if held is not None:
        tables = tables.outerjoin(held, and_(held.c.order_id == d.order_id, held.c.line_no == d.line_no))
    joined = (
        select(
            *d,
            *[amount.label(name) for name, amount in amounts.items()],
            *[count.label(name) for name, count in counts.items()],
            *[r[name] for name in _RECEIPT_MOMENTS],
            gross.label("gross_qty"),
            *[excuse.label(name) for name, excuse in excuses.items()],
        )
        .select_from(tables)
        .subquery("received_lines")
    )
    return _limits(joined, policy)


def _limits(joined: FromClause, policy: Policy) -> Rows:
    """Select the joined lines with the owed quantity and the limits for enough and too much.

    Each step is a subquery. In one expression, every step would repeat the text of the step before several times.
    """
    zero = cast(literal(0), QTY)
    j = joined.c

    def after_line(closed: Expression) -> Expression:
        """Return the gross quantity less the part that the line's cancellation closes."""
        return case(
            (and_(closed, j.cancelled_qty.is_not(None)), j.gross_qty - j.cancelled_qty),
            (closed, lesser(j.gross_qty, j.by_line_cancel_qty)),
            else_=j.gross_qty,
        )

    by_line = select(
        *j, after_line(j.line_excused).label("owed_by_line"), after_line(j.line_closed).label("wanted_by_line")
    ).subquery("cancelled_lines")
    one = by_line.c

    def after_order(quantity: Expression, closed: Expression) -> Expression:
        """Return a quantity less the part that the order's cancellation closes."""
        left = case((closed, lesser(quantity, one.by_order_cancel_qty)), else_=quantity)
        return cast(greater(left, zero), QTY)

    by_order = select(
        *one,
        after_order(one.owed_by_line, one.order_excused).label("owed"),
        after_order(one.wanted_by_line, one.order_closed).label("still_wanted_qty"),
    ).subquery("cancelled_orders")
    q = by_order.c
    under, over = policy.under_tolerance_share, policy.over_tolerance_share
    return select(
        *[column for column in q if column.name not in _STEPS],
        case((q.ordered_qty.is_not(None), q.owed), else_=None).label("owed_qty"),
        cast(greater(q.owed - greater(q.counted_qty, q.still_wanted_qty), zero), QTY).label("cancelled_short_qty"),
        ((q.owed * literal(1 - under) if under else q.owed) - q.half_step).label("enough_above"),
        ((q.owed * literal(1 + over) if over else q.owed) + q.half_step).label("too_much"),
    )


def _most_held(amounts: dict[str, Expression], held: CTE | None) -> dict[str, Expression]:
    """Return the largest quantities that the buyer held: for lines without returns, everything counted."""
    everything = {
        "most_held_qty": amounts["counted_qty"],
        "most_held_unproven_qty": cast(amounts["counted_qty"] + amounts["unproven_qty"], QTY),
    }
    if held is None:
        return everything
    return {name: func.coalesce(held.c[name], quantity) for name, quantity in everything.items()}


def _restated(dated: CTE, as_of: datetime) -> Rows:
    """Select the gross quantity of lines with several versions: order_id, line_no, gross_qty.

    It is the largest of the oldest version's quantity and every other one that a run loaded by the deadline. A lower
    quantity does not reduce it, because a buyer's reduction arrives as a cancellation. A version from which the line
    was deleted, and the versions before it, do not count. A row without file_id is a change that an earlier version of
    Buyerview stored. Its place is unknown, and it counts as older than the others. Source: R14 (quantity changes).
    """
    r, d = restated_quantities.c, dated.c
    change = r.file_id.is_(None)
    oldest_first = [
        case((change, 0), else_=1),
        case((change, r.run_id), else_=None),
        case((change, r.before_qty), else_=None).desc(),
        r.source_updated_at.nulls_first(),
        r.file_id,
        r.row_no,
        r.deleted,
    ]
    in_time = and_(
        r.data_as_of <= literal(as_of, DateTime), or_(d.deadline_at.is_(None), r.data_as_of <= d.deadline_at)
    )
    versions = (
        select(
            r.order_id,
            r.line_no,
            case((change, r.before_qty), else_=r.after_qty).label("first_qty"),
            case((in_time, r.after_qty), else_=None).label("in_time_qty"),
            func.coalesce(r.deleted, false()).label("deleted"),
            func.row_number().over(partition_by=[r.order_id, r.line_no], order_by=oldest_first).label("place"),
        )
        .select_from(restated_quantities.join(dated, and_(d.order_id == r.order_id, d.line_no == r.line_no)))
        .subquery("versions_of_lines")
    )
    v = versions.c
    withdrawn = func.max(case((v.deleted, v.place), else_=0)).over(partition_by=[v.order_id, v.line_no])
    rows = select(*v, withdrawn.label("withdrawn")).subquery("restatements_of_lines")
    original = func.max(case((rows.c.place == rows.c.withdrawn + 1, rows.c.first_qty), else_=None))
    raised = func.coalesce(func.max(rows.c.in_time_qty), original)
    return (
        select(rows.c.order_id, rows.c.line_no, cast(greater(original, raised), QTY).label("gross_qty"))
        .where(rows.c.place > rows.c.withdrawn)
        .group_by(rows.c.order_id, rows.c.line_no)
    )
