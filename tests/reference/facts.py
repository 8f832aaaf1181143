"""Derived columns of the facts in the reference implementation: days, amounts and counts."""

from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.reference.dates import local_day
from tests.reference.findings import all_of
from tests.reference.judgements import LineJudgement, OrderJudgement
from tests.reference.measures import first_pass


def day_of(moment: datetime | None, zone: str) -> date | None:
    """Return the local day of an instant."""
    return local_day(moment, zone) if moment else None


def line_columns(line: LineJudgement, zone: str) -> dict[str, Any]:
    """Return the derived columns of an order line. An amount without a price is None."""

    def money(quantity: Decimal | None) -> Decimal | None:
        return None if quantity is None or line.unit_price_amount is None else quantity * line.unit_price_amount

    quantities = {
        "ordered_amount": None if line.in_quarantine else line.ordered_qty,
        "owed_amount": line.owed_qty,
        "filled_amount": line.filled_qty,
        "filled_most_amount": line.filled_most_qty,
        "first_pass_amount": line.first_pass_qty,
        "received_amount": line.counted_qty,
    }
    days = {
        "requested_day": line.request_at,
        "promised_day": line.promise_at,
        "first_promised_day": line.promise_as_made,
        "settled_day": line.settled_at,
        "shipped_day": line.last_left_at,
    }
    return (
        {name: money(quantity) for name, quantity in quantities.items()}
        | {name: day_of(moment, zone) for name, moment in days.items()}
        | {"first_pass_full": first_pass(line), "lateness_days": lateness(line, zone)}
    )


def lateness(line: LineJudgement, zone: str) -> int | None:
    """Return the days from the due day to the day it settled, negative if early. Only judged lines with a deadline."""
    settled = day_of(line.settled_at, zone)
    if line.state != "judged" or line.deadline_at is None or settled is None:
        return None
    return (settled - line.due_day).days


def known_sum(values: Iterable[Decimal | None]) -> Decimal | None:
    """Return the sum of the values that are known; None if there is none."""
    known = [value for value in values if value is not None]
    return sum(known, Decimal(0)) if known else None


def order_columns(order: OrderJudgement, lines: list[LineJudgement], zone: str) -> dict[str, Any]:
    """Return the derived columns of an order.

    Days late apply to completely arrived orders with a late line. They are those of the worst late line.
    """
    owed = [line for line in lines if line.state != "excluded"]
    goods = [line for line in lines if line.line_kind == "goods"]
    columns = [(line, line_columns(line, zone)) for line in lines]
    arrived = order.state == "judged" and order.arrived_day is not None
    late = [line for line in owed if line.settled_at and line.deadline_at and line.settled_at > line.deadline_at]
    days_late = [max(0, (local_day(line.settled_at, zone) - line.due_day).days) for line in late if line.settled_at]
    signed = [days for line in owed if (days := lateness(line, zone)) is not None]
    missed = [line.deadline_at for line in owed if line.findings["on_time"].verdict is False and line.deadline_at]

    def latest(name: str) -> date | None:
        return max((own[name] for line, own in columns if line in owed and own[name]), default=None)

    return {
        "line_count": len(lines),
        "goods_line_count": len(owed),
        "first_pass_full": all_of(first_pass(line) for line in owed) if owed else None,
        "days_late": max(days_late, default=None) if arrived else None,
        "lateness_days": max(signed, default=None) if arrived else None,
        "missed_deadline_at": min(missed, default=None),
        "shipped_day": None
        if any(own["shipped_day"] is None for line, own in columns if line in owed)
        else latest("shipped_day"),
        "requested_day": latest("requested_day"),
        "promised_day": latest("promised_day"),
        "first_promised_day": latest("first_promised_day"),
        "ordered_qty": sum((line.ordered_qty or Decimal(0) for line in goods), Decimal(0)),
        "received_qty": known_sum(line.received_qty for line in goods),
        "ordered_amount": known_sum(own["ordered_amount"] for _, own in columns),
        "received_amount": known_sum(own["received_amount"] for line, own in columns if line in goods),
        "billed_amount": known_sum(line.billed_amount for line in lines),
        "short_amount": known_sum(
            own["owed_amount"] - own["filled_amount"]
            for line, own in columns
            if line in owed
            and own["owed_amount"] is not None
            and own["filled_amount"] is not None
            and not line.in_quarantine
        ),
    }
