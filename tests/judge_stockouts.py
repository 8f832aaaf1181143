"""Stockouts in plain Python: which lines met one, and what came of it (R38)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from tests.judge import Consignment, Judge, LineCourt, event

EARLIER_ORDERS = 3
"""So many earlier orders of a customer give a gap of its own."""


@dataclass(frozen=True)
class Stockout:
    """One line that was not there to send when it was promised."""

    order_id: str
    line_no: str
    at: datetime
    short_qty: Decimal
    outcome: str | None
    """waited, back_ordered, sale_lost or buyer_lost; None: open."""
    provisional: bool
    """The time in which the buyer may still come back is not over."""


def median(values: Sequence[timedelta]) -> timedelta | None:
    ranked = sorted(values)
    if not ranked:
        return None
    middle = len(ranked) // 2
    return ranked[middle] if len(ranked) % 2 else (ranked[middle - 1] + ranked[middle]) / 2


def gaps(moments: Sequence[datetime]) -> list[timedelta]:
    ordered = sorted(moments)
    return [later - earlier for earlier, later in pairwise(ordered)]


def sales_of(judge: Judge, customer_ids: set[str]) -> list[datetime]:
    """When these customers ordered, as far as it has happened."""
    ordered = []
    for row in judge.feeds["orders"]:
        at = event(row, "ordered_at", row["ship_to_time_zone"])
        if row["customer_id"] in customer_ids and row["order_type"] in (None, "sale") and at is not None and at <= judge.as_of:
            ordered.append(at)
    return ordered


def usual_gap(judge: Judge, customer_id: str, before: datetime, segment: dict[str, str]) -> timedelta | None:
    """The customer's median time between orders up to the event; with fewer than three, its segment's over each customer's gaps."""
    own = [at for at in sales_of(judge, {customer_id}) if at <= before]
    if len(own) >= EARLIER_ORDERS:
        return median(gaps(own))
    peers = [one for one, theirs in segment.items() if theirs == segment.get(customer_id)]
    return median([gap for peer in peers for gap in gaps([at for at in sales_of(judge, {peer}) if at <= before])])


def stockout(judge: Judge, court: LineCourt, segment: dict[str, str], lost_k: int = 3) -> Stockout | None:
    """The event of one judged line, or None: everything was there to send, or a hold kept it back.

    segment: customer_id to service segment.
    """
    found, at = court.found, court.promise_or_request
    if found.state != "judged" or at is None or found.first_pass_qty is None or court.enough(found.first_pass_qty):
        return None
    if held(judge, court, at):
        return None
    short = found.owed_qty - found.first_pass_qty
    gap = usual_gap(judge, court.order["customer_id"], at, segment)
    horizon = at + lost_k * gap if gap is not None else None
    again = [when for when in sales_of(judge, {court.order["customer_id"]}) if when > at and (horizon is None or when <= horizon)]
    over = horizon is not None and horizon <= judge.as_of
    if over and not again:
        return Stockout(found.order_id, found.line_no, at, short, "buyer_lost", provisional=False)
    return Stockout(found.order_id, found.line_no, at, short, outcome(court, at), provisional=not over and not again)


def outcome(court: LineCourt, at: datetime) -> str | None:
    """What came of the short quantity, where the buyer stayed: some of it cancelled, come in a further consignment, come in the first, or open."""
    if court.found.cancelled_short_qty > 0:
        return "sale_lost"
    if not court.enough(court.counted):
        return None
    came_after = [one for one in court.received if one.counts and one.left is not None and one.left.last > at]
    others = [one.left for line in siblings(court) for one in line if one.left is not None]
    return "back_ordered" if any(left.last < one.left.last for one in came_after if one.left for left in others) else "waited"


def siblings(court: LineCourt) -> list[list[Consignment]]:
    """What was sent of every line of the order."""
    lines = court.judge.rows("order_lines", court.order["order_id"])
    return [LineCourt(court.judge, court.order, line).consignments for line in lines]


def held(judge: Judge, court: LineCourt, at: datetime) -> bool:
    """Whether the order waited at step 10 for the buyer's credit (or, where holds are kept, for credit or data) when the line was promised."""
    order_id, zone = court.order["order_id"], court.zone
    if judge.fed("holds"):
        spans = [
            (event(row, "placed_at", zone), event(row, "released_at", zone))
            for row in judge.rows("holds", order_id)
            if row["kind"] in ("credit", "data")
        ]
        return any(begun is not None and begun <= at and (ended is None or ended >= at) for begun, ended in spans)
    attempts = sorted((row for row in judge.rows("order_events", order_id) if row["step"] == 10), key=lambda row: row["event_no"])
    for one, following in pairwise(attempts):
        ended, began = event(one, "finished_at", zone), event(following, "started_at", zone)
        if ended is not None and began is not None and ended <= at <= began:
            return True
    return False


def expected_cost(shares: dict[str, Fraction], costs: dict[str, Fraction]) -> Fraction:
    """The expected cost of one stockout; shares of the outcomes that are no whole are refused.

    Raises ValueError.
    """
    if sum(shares.values()) != 1:
        raise ValueError(f"the shares of the outcomes add up to {sum(shares.values())}, not to 1; give each outcome's share of all events")
    return sum((share * costs[name] for name, share in shares.items()), Fraction(0))
