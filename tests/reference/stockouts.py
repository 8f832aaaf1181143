"""Stockouts in plain Python: which lines met one, and what came of it (R38)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from tests.reference.verdicts import Judge, LineCourt, OrderCourt, OrderJudgement, event, span

EARLIER_DAYS = 3
"""On so many days a customer must have ordered for a gap of its own."""

Ordering = Mapping[str, Mapping[date, str]]
"""The local days on which each customer ordered, and the segment they were in then."""


@dataclass(frozen=True)
class Stockout:
    """One line that was not there to send when it was promised."""

    order_id: str
    line_no: str
    at: datetime | None
    short_qty: Decimal
    gap_days: int | None
    horizon_day: date | None
    outcome: str
    """waited, back_ordered, sale_lost, buyer_lost or open."""
    provisional: bool
    """The time in which the buyer may still come back is not over."""


def stockouts(judge: Judge, lost_k: int = 3) -> Iterator[Stockout]:
    """The events of every order line."""
    courts: list[tuple[OrderJudgement, list[LineCourt]]] = []
    ordering: dict[str, dict[date, str]] = {}
    for order in judge.feeds["orders"]:
        at = event(order, "ordered_at", order["ship_to_time_zone"])
        if at is not None and at <= judge.as_of:
            lines = [LineCourt(judge, order, line) for line in judge.rows("order_lines", order["order_id"])]
            found = OrderCourt(judge, order, lines).judgement()
            courts.append((found, lines))
            if found.order_type == "sale":
                ordering.setdefault(order["customer_id"], {})[found.ordered_day] = found.dimensions["segment"]
    for order_found, lines in courts:
        for court in lines:
            if met := stockout(court, lines, order_found, ordering, lost_k):
                yield met


def usual_gap(ordering: Ordering, customer_id: str, segment: str, until: date) -> int | None:
    """The median days between the customer's ordering days up to one, the lower middle one of an even number; with
    fewer than three such days, between those of all customers of the segment.
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
    court: LineCourt, sisters: list[LineCourt], order: OrderJudgement, ordering: Ordering, lost_k: int = 3
) -> Stockout | None:
    """The event of one judged line, or None: everything was there to send, or the buyer's credit kept it back.

    Where no source says when things left, a line short of what came is one.
    """
    found, at = court.found, court.promise_or_request
    if found.state != "judged" or order.state == "excluded":
        return None
    if court.judge.tested("shipments.shipped_at"):
        had = found.first_pass_qty
        short = None if had is None else not court.enough(had)
    else:
        had, short = found.filled_qty, found.findings["complete"].verdict is False
    if had is None or not short or held(court, at):
        return None
    customer_id = court.order["customer_id"]
    gap = usual_gap(ordering, customer_id, order.dimensions["segment"], found.due_day)
    horizon = None if gap is None else timedelta(days=lost_k * gap)
    over = horizon is not None and at is not None and at + horizon <= court.as_of
    later = [day for day in ordering.get(customer_id, {}) if day > found.due_day]
    back = bool(later) and (horizon is None or min(later) <= found.due_day + horizon)
    return Stockout(
        found.order_id,
        found.line_no,
        at,
        found.owed_qty - had,
        gap,
        None if horizon is None else found.due_day + horizon,
        "buyer_lost" if over and not back else outcome(court, sisters),
        provisional=not over and not back,
    )


def outcome(court: LineCourt, sisters: list[LineCourt]) -> str:
    """What came of the short quantity, where the buyer stayed: some of it cancelled, come in a further consignment,
    come in the first, or open.
    """
    if court.found.cancelled_short_qty > 0:
        return "sale_lost"
    if court.found.findings["complete"].verdict is not True:
        return "open"
    own = [one.left.last for one in court.consignments if one.left and one.has_left and one.shipped_qty > 0]
    of_order = [
        one.left.last
        for line in sisters
        for one in line.consignments
        if one.left and one.has_left and one.shipped_qty > 0
    ]
    return (
        "back_ordered" if own and max(own) > min(of_order) and court.judge.tested("shipments.shipped_at") else "waited"
    )


def held(court: LineCourt, at: datetime | None) -> bool:
    """Whether the order certainly stood still for the buyer's credit, at step 10, when the line was promised: a hold,
    or between two attempts.
    """
    judge, order_id, zone = court.judge, court.order["order_id"], court.zone
    if at is None:
        return False
    if judge.tested("holds.placed_at"):
        for row in judge.rows("holds", order_id):
            placed, released = span(row, "placed_at", zone), span(row, "released_at", zone)
            if row["kind"] == "credit" and placed and placed.last <= at and (released is None or released.first > at):
                return True
        return False
    attempts = sorted(
        (row for row in judge.rows("order_events", order_id) if row["step"] == 10), key=lambda row: row["event_no"]
    )
    for one, following in pairwise(attempts):
        ended, began = span(one, "finished_at", zone), span(following, "started_at", zone)
        if ended and began and ended.last <= at < began.first and began.last <= judge.as_of:
            return True
    return False


def expected_cost(shares: dict[str, Fraction], costs: dict[str, Fraction]) -> Fraction:
    """The expected cost of one stockout; shares of the outcomes that are no whole are refused.

    Raises ValueError.
    """
    if sum(shares.values()) != 1:
        raise ValueError(
            f"the shares of the outcomes add up to {sum(shares.values())}, not to 1; "
            "give each outcome's share of all "
            "events"
        )
    return sum((share * costs[name] for name, share in shares.items()), Fraction(0))
