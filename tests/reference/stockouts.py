"""Reference implementation of stockouts: the affected lines and their outcomes (R38, stockouts)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from tests.reference.dates import event, span
from tests.reference.inputs import Inputs
from tests.reference.judgements import OrderJudgement
from tests.reference.lines import LineJudging
from tests.reference.orders import OrderJudging
from tests.support.builders import Row

EARLIER_DAYS = 3
"""A customer with fewer ordering days uses the gap of the segment."""

Ordering = Mapping[str, Mapping[date, str]]
"""The local days on which each customer ordered, with the segment on that day."""


@dataclass(frozen=True)
class Stockout:
    """One line that could not be shipped completely when promised, or demand that never became an order."""

    order_id: str | None
    line_no: str | None
    at: datetime | None
    short_qty: Decimal
    gap_days: int | None
    horizon_day: date | None
    outcome: str
    """One of waited, back_ordered, sale_lost, buyer_lost and open."""
    provisional: bool
    """True while the outcome can still change because the horizon has not passed."""
    stockout_id: str | None = None
    contradicted: bool = False
    """True if the source says that the buyer is lost, and orders since say the opposite."""


def stockouts(inputs: Inputs, lost_k: int = 3) -> Iterator[Stockout]:
    """Yield the stockouts of all order lines, and of demand without an order."""
    orders: list[tuple[OrderJudgement, list[LineJudging]]] = []
    ordering: dict[str, dict[date, str]] = {}
    for order in inputs.feeds["orders"]:
        at = event(order, "ordered_at", order["ship_to_time_zone"])
        if at is not None and at <= inputs.as_of:
            lines = [LineJudging(inputs, order, line) for line in inputs.rows("order_lines", order["order_id"])]
            judgement = OrderJudging(inputs, order, lines).judgement()
            orders.append((judgement, lines))
            if judgement.order_type == "sale" and order["customer_id"] != "(none)":
                ordering.setdefault(order["customer_id"], {})[judgement.ordered_day] = judgement.dimensions["segment"]
    for judgement, lines in orders:
        for line in lines:
            if met := stockout(line, lines, judgement, ordering, lost_k):
                yield met
    if inputs.tested("stockouts.wanted_at"):
        every_line = [line for _, lines in orders for line in lines]
        for wanted in inputs.feeds["stockouts"]:
            if met := without_order(inputs, wanted, every_line, ordering, lost_k):
                yield met


def without_order(
    inputs: Inputs, wanted: Row, lines: Iterable[LineJudging], ordering: Ordering, lost_k: int
) -> Stockout | None:
    """Return the stockout of demand by `as_of` that never became an order.

    It keeps its own outcome, unless a lost buyer has ordered since. Without one, the buyer waited if the product was
    ordered later; otherwise the sale is lost.
    """
    at, day, customer_id = event(wanted, "wanted_at", "UTC"), wanted["wanted_at"].date(), wanted["customer_id"]
    if at is None or at > inputs.as_of:
        return None
    customer = inputs.version("customers", "customer_id", customer_id, day) or {}
    gap = usual_gap(ordering, customer_id, customer.get("service_segment") or "(none)", day)
    horizon = None if gap is None else timedelta(days=lost_k * gap)
    back = any(other > day for other in ordering.get(customer_id, {}))
    later = any(bought_later(line, wanted) for line in lines)
    recorded = wanted["outcome"]
    contradicted = recorded == "buyer_lost" and (back or later)
    kept = None if contradicted else recorded
    over = horizon is not None and at + horizon <= inputs.as_of
    return Stockout(
        None,
        None,
        at,
        wanted["wanted_qty"],
        gap,
        None if horizon is None else day + horizon,
        kept or ("waited" if later else "sale_lost"),
        provisional=not over and not back and not later and kept in (None, "buyer_lost"),
        stockout_id=wanted["stockout_id"],
        contradicted=contradicted,
    )


def bought_later(line: LineJudging, wanted: Row) -> bool:
    """Return whether the customer ordered the product after the demand: by time if both have one, else by day."""
    same = (line.order["customer_id"], line.line["product_id"]) == (wanted["customer_id"], wanted["product_id"])
    if not same or wanted["product_id"] is None or line.judgement.state == "excluded":
        return False
    if line.order["ordered_at_is_date"] or wanted["wanted_at_is_date"]:
        return bool(line.ordered_day > wanted["wanted_at"].date())
    return bool(line.order["ordered_at"] > wanted["wanted_at"])


def usual_gap(ordering: Ordering, customer_id: str, segment: str, until: date) -> int | None:
    """Return the median days between the customer's ordering days up to `until`, or None.

    An even number of gaps gives the lower middle. A customer with fewer than three days uses all gaps of the segment.
    """
    days = sorted(day for day in ordering.get(customer_id, {}) if day <= until)
    gaps = [(later - earlier).days for earlier, later in pairwise(days)]
    if len(days) < EARLIER_DAYS:
        gaps = [
            (later - earlier).days
            for of_customer in ordering.values()
            for earlier, later in pairwise(sorted(of_customer))
            if of_customer[later] == segment
        ]
    return sorted(gaps)[(len(gaps) - 1) // 2] if gaps else None


def stockout(
    line: LineJudging, lines: list[LineJudging], order: OrderJudgement, ordering: Ordering, lost_k: int = 3
) -> Stockout | None:
    """Return the stockout of a judged line.

    The buyer is lost if the horizon has passed and no order came since the event, within the horizon or after it. What
    is still open after the horizon is a lost sale.

    Return None if everything was shipped in time, or if the order waited for the buyer's credit. Without shipping
    times, the received quantity counts.
    """
    judgement, at = line.judgement, line.promise_or_request
    if judgement.state != "judged" or order.state == "excluded":
        return None
    if line.inputs.tested("shipments.shipped_at"):
        filled = judgement.first_pass_qty
        short = None if filled is None else not line.enough(filled)
    else:
        filled, short = judgement.filled_qty, judgement.findings["complete"].verdict is False
    if filled is None or not short or waits_for_credit(line, at):
        return None
    customer_id = line.order["customer_id"]
    gap = usual_gap(ordering, customer_id, order.dimensions["segment"], judgement.due_day)
    horizon = None if gap is None else timedelta(days=lost_k * gap)
    over = horizon is not None and at is not None and at + horizon <= line.as_of
    back = any(day > judgement.due_day for day in ordering.get(customer_id, {}))
    stayed = outcome(line, lines)
    if stayed == "open" and over:
        stayed = "sale_lost"
    return Stockout(
        judgement.order_id,
        judgement.line_no,
        at,
        judgement.owed_qty - filled,
        gap,
        None if horizon is None else judgement.due_day + horizon,
        "buyer_lost" if over and not back else stayed,
        provisional=not over and (not back or stayed == "open"),
    )


def outcome(line: LineJudging, lines: list[LineJudging]) -> str:
    """Return the outcome of a short quantity if the buyer stayed and the horizon has not passed.

    The quantity was cancelled (sale_lost), is open, came in a further consignment (back_ordered) or came in the first
    (waited).
    """
    if line.judgement.cancelled_short_qty > 0:
        return "sale_lost"
    if line.judgement.findings["complete"].verdict is not True:
        return "open"
    own = [
        consignment.left.last
        for consignment in line.consignments
        if consignment.left and consignment.has_left and consignment.shipped_qty > 0
    ]
    of_order = [
        consignment.left.last
        for other in lines
        for consignment in other.consignments
        if consignment.left and consignment.has_left and consignment.shipped_qty > 0
    ]
    return (
        "back_ordered" if own and max(own) > min(of_order) and line.inputs.tested("shipments.shipped_at") else "waited"
    )


def waits_for_credit(line: LineJudging, at: datetime | None) -> bool:
    """Return whether the order certainly waited for the buyer's credit (step 10) when the line was promised.

    Evidence is a credit hold. Without holds, it is the time between two attempts.
    """
    inputs, order_id, zone = line.inputs, line.order["order_id"], line.zone
    if at is None:
        return False
    if inputs.tested("holds.placed_at"):
        for row in inputs.rows("holds", order_id):
            placed, released = span(row, "placed_at", zone), span(row, "released_at", zone)
            if row["kind"] == "credit" and placed and placed.last <= at and (released is None or released.first > at):
                return True
        return False
    attempts = sorted(
        (row for row in inputs.rows("order_events", order_id) if row["step"] == 10), key=lambda row: row["event_no"]
    )
    for attempt, following in pairwise(attempts):
        ended, began = span(attempt, "finished_at", zone), span(following, "started_at", zone)
        if ended and began and ended.last <= at < began.first and began.last <= inputs.as_of:
            return True
    return False


def last_lost(found: Iterable[tuple[str, date, str]]) -> dict[str, date]:
    """Return the day of the stockout on which the future margin of each lost buyer is charged, once per buyer.

    found: customer, day and outcome of every stockout. It is the buyer's last one: no order came after it.
    """
    last: dict[str, date] = {}
    for customer_id, day, result in found:
        if result == "buyer_lost":
            last[customer_id] = max(day, last.get(customer_id, day))
    return last


def expected_cost(shares: dict[str, Fraction], costs: dict[str, Fraction]) -> Fraction:
    """Return the expected cost of one stockout.

    Raises ValueError if the shares of the outcomes do not add up to 1.
    """
    if sum(shares.values()) != 1:
        raise ValueError(
            f"the shares of the outcomes add up to {sum(shares.values())}, not to 1; "
            "give each outcome's share of all "
            "events"
        )
    return sum((share * costs[name] for name, share in shares.items()), Fraction(0))
