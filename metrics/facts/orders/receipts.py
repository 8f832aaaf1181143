"""Receipts and shipments, summed per order line: quantities, times and damage.

A *counted* receipt has the right product (or an agreed substitute), the right place and a quantity above zero by
`as_of`. An *unproven* shipment line has left and has no receipt. `receipt_verdicts.py` judges it for four arrival
times: when shipped, now, never, or just in time. `receipts` has one row per order line with a shipment line. Columns
`..._qty` are exact quantities, `..._n` count shipment lines. Source: docs/rules.md, Terms, R2 (date of receipt) to
R4 (windows and tolerances), R7 (split receipts), R9 (over-delivery), R19 (substitutes) to R22 (returns).
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
    true,
)

from metrics.policy import COLLECTED_TERMS, Policy, ReceiptEvent
from metrics.schema import QTY, shipment_lines, shipments
from metrics.sql.dialects import (
    MICROSECONDS_A_DAY,
    Columns,
    Expression,
    Rows,
    count_if,
    lesser,
    plus_microseconds,
    sum_if,
    typed_null,
)
from metrics.sql.moments import Span, either, moment_span


def consignments(lines: FromClause, *, policy: Policy, as_of: datetime, mapped: frozenset[str]) -> Rows:
    """Select one row per shipment line that left or arrived by `as_of`, with true or false for each rule."""
    header, body, line = shipments.c, shipment_lines.c, lines.c
    tables, shipped, received = _dated_shipments(lines, policy, mapped)
    now = literal(as_of, DateTime)
    proven = and_(received.hi.is_not(None), received.hi <= now)
    left = and_(shipped.hi.is_not(None), shipped.hi <= now)
    # Before the receipt, the received quantity is unknown, even if the record already has it.
    quantity = case((proven, func.coalesce(body.received_qty, body.shipped_qty)), else_=body.shipped_qty)
    same_product = or_(body.product_id.is_(None), line.product_id.is_(None), body.product_id == line.product_id)
    agreed = func.coalesce(body.substitution_agreed, false()) if policy.allow_substitution else false()
    place = case((received.hi > now, None), else_=header.received_place)  # before the receipt the place is unknown
    # The buyer collects at our place, which the term names. The buyer's place says nothing about it.
    collected = buyer_collects(line.delivery_term, mapped)
    same_place = or_(collected, place.is_(None), line.ship_to.is_(None), place == line.ship_to)
    claims_close = plus_microseconds(received.hi, literal(policy.claims_days * MICROSECONDS_A_DAY, BigInteger))
    return (
        select(
            body.order_id,
            body.line_no,
            header.carrier,
            func.coalesce(proven, false()).label("proven"),
            func.coalesce(left, false()).label("left"),
            received.lo.label("received_lo"),
            received.hi.label("received_hi"),
            received.day.label("received_day"),
            shipped.lo.label("shipped_lo"),
            shipped.hi.label("shipped_hi"),
            shipped.day.label("shipped_day"),
            claims_close.label("claims_close"),
            cast(quantity, QTY).label("quantity"),
            body.shipped_qty,
            body.damaged_qty,
            same_product.label("same_product"),
            or_(same_product, agreed).label("right_product"),
            same_place.label("right_place"),
            (
                _both(mapped, "shipment_lines.product_id", "order_lines.product_id")
                & or_(body.product_id.is_(None), line.product_id.is_(None))
            ).label("product_unknown"),
            (
                _both(mapped, "shipments.received_place", "orders.ship_to")
                & ~collected
                & or_(place.is_(None), line.ship_to.is_(None))
            ).label("place_unknown"),
            line.deadline_at,
            line.window_from,
            line.first_due_at,
            line.line_cancel_at,
            line.order_cancel_at,
        )
        .select_from(tables)
        .where(~body.deleted, or_(proven, left))
    )


def _dated_shipments(lines: FromClause, policy: Policy, mapped: frozenset[str]) -> tuple[FromClause, Span, Span]:
    """Join shipment lines with their order lines. Return the FROM clause, and the spans of departure and receipt.

    Source: R2 (date of receipt).
    """
    header, body, line = shipments.c, shipment_lines.c, lines.c
    tables: FromClause = shipment_lines.join(
        shipments, and_(header.shipment_id == body.shipment_id, ~header.deleted)
    ).join(lines, and_(line.order_id == body.order_id, line.line_no == body.line_no))
    tables, shipped = moment_span(tables, dict(header.items()), "shipped_at", line.zone)
    if policy.receipt_event is not ReceiptEvent.RECEIVED_AT:
        return tables, shipped, shipped
    tables, received = moment_span(tables, dict(header.items()), "received_at", line.zone)
    if "orders.delivery_term" in mapped:
        received = either(buyer_collects(line.delivery_term, mapped), shipped, received)
    return tables, shipped, received


def buyer_collects(delivery_term: Expression, mapped: frozenset[str]) -> Expression:
    """Return whether the buyer collects at our place. Leaving it is then the receipt. Source: R2 (date of receipt)."""
    if "orders.delivery_term" not in mapped:
        return false()
    rule = func.upper(func.substr(func.trim(delivery_term), 1, 3))
    return func.coalesce(rule.in_(COLLECTED_TERMS), false())


def _both(mapped: frozenset[str], first: str, second: str) -> Expression:
    """Return whether both columns of a comparison are mapped. Source: P3 (three values)."""
    return true() if {first, second} <= mapped else false()


def receipts(consigned: CTE, *, as_of: datetime, mapped: frozenset[str]) -> Rows:
    """Sum shipment lines per order line. Sums with `maybe` in their name include the certain quantities."""
    c = consigned.c
    here = and_(c.proven, c.quantity > 0)
    counted = and_(c.proven, c.quantity > 0, c.right_product, c.right_place)
    first_pass = and_(c.same_product, c.shipped_qty > 0)
    return select(
        c.order_id,
        c.line_no,
        func.min(c.carrier).label("carrier_first"),
        func.max(c.carrier).label("carrier_last"),
        *_arrived(c, counted),
        *_unproven(c),
        *_received_and_damaged(c, here, counted, as_of=as_of, mapped=mapped),
        count_if(counted & ~c.same_product).label("substitute_n"),
        sum_if(and_(c.shipped_qty > 0, c.right_product, c.right_place), c.shipped_qty).label("sent_qty"),
        count_if(and_(c.shipped_qty > 0, c.right_product, c.right_place, c.shipped_hi > c.first_due_at)).label(
            "sent_later_n"
        ),
        func.min(case((and_(here, c.damaged_qty.is_(None)), c.claims_close), else_=None)).label("claims_close_first"),
        func.max(case((and_(here, c.damaged_qty.is_(None)), c.claims_close), else_=None)).label("claims_close_last"),
        *_wrong_goods(c, here),
        sum_if(first_pass & (c.shipped_hi <= c.first_due_at), c.shipped_qty).label("first_pass_sure_qty"),
        sum_if(first_pass & or_(c.shipped_lo.is_(None), c.shipped_lo <= c.first_due_at), c.shipped_qty).label(
            "first_pass_most_qty"
        ),
    ).group_by(c.order_id, c.line_no)


def _arrived(c: Columns, counted: Expression) -> tuple[Expression, ...]:
    """Sum counted receipts: in time, in the window, late, early, and before a cancellation."""
    in_time, maybe_in_time = c.received_hi <= c.deadline_at, c.received_lo <= c.deadline_at
    not_early = or_(c.window_from.is_(None), c.received_lo >= c.window_from)
    maybe_not_early = or_(c.window_from.is_(None), c.received_hi >= c.window_from)
    return (
        sum_if(counted, c.quantity).label("counted_qty"),
        sum_if(counted & in_time, c.quantity).label("in_time_qty"),
        sum_if(counted & maybe_in_time, c.quantity).label("maybe_in_time_qty"),
        sum_if(counted & in_time & not_early, c.quantity).label("in_window_qty"),
        sum_if(counted & maybe_in_time & maybe_not_early, c.quantity).label("maybe_in_window_qty"),
        count_if(counted).label("counted_n"),
        count_if(counted & ~maybe_in_time).label("late_n"),
        count_if(counted & ~in_time).label("maybe_late_n"),
        count_if(counted & ~maybe_not_early).label("early_n"),
        count_if(counted & ~not_early).label("maybe_early_n"),
        func.max(case((counted, c.received_hi), else_=None)).label("last_counted_at"),
        func.max(case((and_(c.left, c.shipped_qty > 0), c.shipped_day), else_=None)).label("shipped_day"),
        sum_if(counted & (c.received_hi <= c.line_cancel_at), c.quantity).label("by_line_cancel_qty"),
        sum_if(counted & (c.received_hi <= c.order_cancel_at), c.quantity).label("by_order_cancel_qty"),
    )


def _unproven(c: Columns) -> tuple[Expression, ...]:
    """Sum unproven shipment lines: in time and early, judged by the departure."""
    unproven = and_(~c.proven, c.shipped_qty > 0, c.right_product, c.right_place)
    left_in_time, maybe_left_in_time = c.shipped_hi <= c.deadline_at, c.shipped_lo <= c.deadline_at
    left_not_early = or_(c.window_from.is_(None), c.shipped_lo >= c.window_from)
    left_maybe_not_early = or_(c.window_from.is_(None), c.shipped_hi >= c.window_from)
    return (
        sum_if(unproven, c.shipped_qty).label("unproven_qty"),
        count_if(unproven).label("unproven_n"),
        sum_if(unproven & left_in_time, c.shipped_qty).label("left_in_time_qty"),
        sum_if(unproven & maybe_left_in_time, c.shipped_qty).label("maybe_left_in_time_qty"),
        count_if(unproven & maybe_left_in_time).label("maybe_left_in_time_n"),
        count_if(unproven & left_in_time).label("left_in_time_n"),
        count_if(unproven & ~left_maybe_not_early).label("left_early_n"),
        count_if(unproven & ~left_not_early).label("maybe_left_early_n"),
        func.max(case((and_(~c.proven, c.shipped_qty > 0), c.shipped_day), else_=None)).label("last_unproven_day"),
    )


def _received_and_damaged(
    c: Columns, here: Expression, counted: Expression, *, as_of: datetime, mapped: frozenset[str]
) -> tuple[Expression, ...]:
    """Sum the quantities received, shipped and damaged.

    Damage is unknown if the receipt does not state it. After the claims period it counts as none, if credits or
    returns would show it.
    """
    damage_source = {"invoices.credit_reason", "returns.reason"} & mapped
    claims_over = c.claims_close <= literal(as_of, DateTime) if damage_source else false()
    damage_open = and_(here, c.damaged_qty.is_(None), ~claims_over)
    return (
        count_if(here).label("received_n"),
        sum_if(here, c.quantity).label("received_qty"),
        sum_if(c.left, c.shipped_qty).label("shipped_qty"),
        sum_if(and_(here, c.damaged_qty.is_not(None)), c.damaged_qty).label("damaged_qty"),
        sum_if(and_(counted, c.damaged_qty.is_not(None)), c.damaged_qty).label("counted_damaged_qty"),
        count_if(damage_open).label("damage_unknown_n"),
    )


def _wrong_goods(c: Columns, here: Expression) -> tuple[Expression, ...]:
    """Count receipts of a wrong product or at a wrong place, and those without enough data to compare."""
    return (
        count_if(here & ~c.right_product).label("wrong_item_n"),
        count_if(
            or_(here & c.product_unknown, and_(~c.proven, c.shipped_qty > 0, or_(~c.right_product, c.product_unknown)))
        ).label("item_unknown_n"),
        count_if(here & ~c.right_place).label("wrong_place_n"),
        count_if(here & c.place_unknown).label("place_unknown_n"),
    )


def has_deliveries(mapped: frozenset[str]) -> bool:
    """Return whether any source maps consignments and their lines."""
    return all(any(name.startswith(f"{feed}.") for name in mapped) for feed in ("shipments", "shipment_lines"))


def compared_parts(mapped: frozenset[str]) -> frozenset[str]:
    """Return the parts of `filled_accurately` that compare two mapped columns. Overage compares quantities."""
    columns = {
        "item_ok": {"order_lines.product_id", "shipment_lines.product_id"},
        "place_ok": {"orders.ship_to", "shipments.received_place"},
    }
    return frozenset(name for name, pair in columns.items() if pair <= mapped)


def settling_receipts(consigned: CTE, needs: FromClause) -> Rows:
    """Select the instant at which the counted quantity of a line first sufficed, for lines with several receipts.

    Lines with one receipt settle with it. needs: order_id, line_no, enough_above (exact quantity to exceed) of the
    lines to include.
    """
    c = consigned.c
    running = (
        select(
            c.order_id,
            c.line_no,
            c.received_hi,
            needs.c.enough_above,
            func.sum(c.quantity)
            .over(partition_by=[c.order_id, c.line_no], order_by=c.received_hi, range_=(None, 0))
            .label("so_far"),
        )
        .select_from(consigned.join(needs, and_(needs.c.order_id == c.order_id, needs.c.line_no == c.line_no)))
        .where(c.proven, c.quantity > 0, c.right_product, c.right_place)
        .subquery()
    )
    return (
        select(running.c.order_id, running.c.line_no, func.min(running.c.received_hi).label("settled_at"))
        .where(running.c.so_far > running.c.enough_above)
        .group_by(running.c.order_id, running.c.line_no)
    )


def first_pass_qty(lines: FromClause, mapped: frozenset[str]) -> Expression:
    """Return the quantity of the ordered product shipped by the first promise, at most the owed; null if unknown.

    Source: R8 (first-pass and final fill).
    """
    if not {"shipments.shipped_at", "shipment_lines.shipped_qty"} <= mapped:
        return typed_null(QTY)
    c = lines.c
    sure, most = lesser(c.first_pass_sure_qty, c.owed_qty), lesser(c.first_pass_most_qty, c.owed_qty)
    return case((c.first_due_at.is_(None), None), (sure == most, sure), else_=None)
