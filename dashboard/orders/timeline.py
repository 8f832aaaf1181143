"""What happened to one order, from the inquiry to the money: one line of plain text an event, in the order of time.
Pure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from dashboard.components import formatting
from metrics.edits.edits import SOURCE
from metrics.lists.order_story import OrderContext, OrderRecords
from metrics.lists.rows import Row
from metrics.store.work_items import REMEDIES, Item

MESSAGES = {
    "quote": "Quote sent",
    "acknowledgement": "Order acknowledged",
    "delay_notice": "Buyer told of a delay",
    "ship_notice": "Buyer told that it left",
    "invoice": "Invoice sent",
    "case_reply": "Case answered",
}


@dataclass(frozen=True)
class Event:
    """Something that happened to the order, or was to happen (`plan`); `wrong`: after it should have, or against the
    buyer; `by_us`: written here.
    """

    at: datetime
    when: str
    what: str
    plan: bool = False
    wrong: bool = False
    by_us: bool = False


def events(records: OrderRecords, around: OrderContext, item: Item, comments: list[dict[str, Any]]) -> list[Event]:
    """Everything there is to tell, in the order of time."""
    found = [
        *_ordered(records),
        *_asked(around),
        *_promised(around),
        *_held(around),
        *_delivered(records),
        *_billed(records, around),
    ]
    found += [*_told(around), *_complained(around), *_came_back(around), *done(item, comments)]
    return sorted((event for event in found if event), key=lambda event: (event.at, event.plan))


def _ordered(records: OrderRecords) -> Iterator[Event | None]:
    order, facts = records.order, records.facts
    yield _event(
        order,
        "ordered_at",
        f"Ordered by {facts['customer_name']}" + (f" ({order['channel']})" if order.get("channel") else ""),
    )
    yield _event(order, "requested_by", "Asked for by", plan=True)
    yield _event(order, "promised_by", "Promised by", plan=True)
    yield _event(order, "cancelled_at", f"Cancelled by {order.get('cancelled_by') or 'the seller'}", wrong=True)


def _asked(around: OrderContext) -> Iterator[Event | None]:
    for quote in around.quotes:
        yield _event(quote, "asked_at", f"Inquiry {quote['quote_id']}")
        offered = [one for one in around.quote_options if one["quote_id"] == quote["quote_id"]]
        told = f"Quote answered with {formatting.count(len(offered), 'option')}" if offered else "Quote answered"
        chosen = [one for one in offered if one["accepted"]]
        if chosen:
            told += f"; the buyer took {_option(chosen[0])}"
        yield _event(quote, "answered_at", told)


def _option(one: Row) -> str:
    parts = [formatting.money(one["price_amount"], one["currency"]) if one["price_amount"] is not None else ""]
    parts.append(f"in {formatting.count(one['lead_time_days'], 'day')}" if one["lead_time_days"] is not None else "")
    return " ".join(part for part in parts if part) or f"option {one['option_no']}"


def _promised(around: OrderContext) -> Iterator[Event | None]:
    """Promises made or changed at once to the same deadline are one event."""

    def same(row: Row) -> tuple[Any, ...]:
        return (
            row["changed_at"],
            row["revision_no"] == 1,
            row["promised_by"],
            row["changed_by"] or "seller",
            row["basis"] or "",
            row["reason"] or "",
        )

    for key, made in groupby(sorted(around.promises, key=lambda row: tuple(map(str, same(row)))), key=same):
        rows = list(made)
        _, first, _, party, basis, why = key
        lines = sorted({row["line_no"] for row in rows}, key=lambda number: (len(number), number))
        on = f" for {'line' if len(lines) == 1 else 'lines'} {', '.join(lines)}"
        by = formatting.moment(rows[0]["promised_by"], rows[0]["promised_by_is_date"])
        told = f"Promised {by}{on}" if first else f"Promise moved to {by}{on} by the {party}"
        told += (f" ({basis})" if basis else "") + (f": {formatting.in_words(why).lower()}" if why else "")
        yield _event(rows[0], "changed_at", told, wrong=not first and party != "buyer")


def _held(around: OrderContext) -> Iterator[Event | None]:
    for hold in around.holds:
        kind = formatting.in_words(hold["kind"] or "other").lower()
        yield _event(hold, "placed_at", f"Stopped: {kind} hold by the {hold['caused_by'] or 'seller'}", wrong=True)
        yield _event(hold, "released_at", f"Went on: {kind} hold lifted")


def _delivered(records: OrderRecords) -> Iterator[Event | None]:
    due = records.facts["deadline_at"]
    for header in records.shipments:
        name = f"Consignment {header['shipment_id']}" + (f" with {header['carrier']}" if header.get("carrier") else "")
        received = header.get("received_at")
        late = bool(received and due and received > due)
        yield _event(header, "shipped_at", f"{name} left")
        yield _event(header, "received_at", f"{name} received" + (", late" if late else ""), wrong=late)


def _billed(records: OrderRecords, around: OrderContext) -> Iterator[Event | None]:
    for header in records.invoices:
        kind = formatting.in_words(header.get("invoice_kind") or "invoice")
        yield _event(header, "invoiced_at", f"{kind} {header['invoice_id']}", wrong=kind != "Invoice")
    for payment in around.payments:
        yield _event(
            payment,
            "paid_at",
            f"Paid {formatting.money(payment['amount'], payment['currency'])} on invoice {payment['invoice_id']}",
        )


def _told(around: OrderContext) -> Iterator[Event | None]:
    for message in around.messages:
        told = MESSAGES.get(message["kind"] or "", formatting.in_words(message["kind"] or "message"))
        late = bool(message["sent_at"] and message["due_at"] and message["sent_at"] > message["due_at"])
        flaws = [*(["late"] if late else []), *(["not rightly"] if message["correct"] is False else [])]
        yield _event(message, "sent_at", told + (f", {' and '.join(flaws)}" if flaws else ""), wrong=bool(flaws))


def _complained(around: OrderContext) -> Iterator[Event | None]:
    for one in around.cases:
        if is_written(one):
            continue  # told by the work item it was made from
        kind = formatting.in_words(one["kind"] or "case")
        yield _event(one, "opened_at", f"{kind} raised ({one['case_id']})", wrong=one["kind"] == "complaint")
        if one["acknowledged_at"] != one["resolved_at"]:
            yield _event(one, "acknowledged_at", f"{kind} answered ({one['case_id']})")
        yield _event(one, "resolved_at", f"{kind} settled ({one['case_id']})")


def is_written(case: Row) -> bool:
    """Whether a case was made from a work item."""
    return case["source"] == SOURCE


def _came_back(around: OrderContext) -> Iterator[Event | None]:
    for one in around.returns:
        what = f"{formatting.quantity(one['returned_qty'])} of line {one['line_no']}"
        yield _event(
            one,
            "announced_at",
            f"Return of {what} announced: {formatting.in_words(one['reason'] or 'no reason given').lower()}",
            wrong=True,
        )
        yield _event(one, "received_at", f"Return of {what} received")
        yield _event(one, "credited_at", f"Return of {what} credited")


def done(item: Item, comments: list[dict[str, Any]]) -> Iterator[Event]:
    """What people did and said about it."""
    if item.detected_at:
        yield Event(
            item.detected_at,
            formatting.moment(item.detected_at),
            "Failure noticed" if item.remedy else "Noticed",
            by_us=True,
        )
    if item.acknowledged_at and item.acknowledged_at != item.resolved_at:
        yield Event(item.acknowledged_at, formatting.moment(item.acknowledged_at), "Buyer told", by_us=True)
    if item.resolved_at:
        note = f": {item.remedy_note}" if item.remedy_note else ""
        done = REMEDIES[item.remedy or "other"].lower()
        yield Event(
            item.resolved_at,
            formatting.moment(item.resolved_at),
            f"Put right by {item.resolved_by}, {done}{note}",
            by_us=True,
        )
    for one in comments:
        yield Event(one["at"], formatting.moment(one["at"]), f"{one['who']}: {one['text']}", by_us=True)


def _event(row: Row, column: str, what: str, *, plan: bool = False, wrong: bool = False) -> Event | None:
    at = row.get(column)
    if at is None:
        return None
    bare = bool(row.get(f"{column}_is_date"))
    return Event(at + timedelta(hours=23) if plan and bare else at, formatting.moment(at, bare), what, plan, wrong)
