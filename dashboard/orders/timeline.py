"""Events of one order from inquiry to payment, in order of time. Records in, plain text out."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from dashboard.components import formatting
from metrics.edits.edits import SOURCE
from metrics.lists.order_story import OrderContext, OrderRecords
from metrics.lists.rows import Row
from metrics.store.work_items import REMEDIES, Item

MESSAGES = {
    "quote": "Quote sent",
    "acknowledgement": "Order acknowledged",
    "delay_notice": "Delay notice sent",
    "ship_notice": "Ship notice sent",
    "invoice": "Invoice sent",
    "case_reply": "Case reply sent",
}

BASES = {"ATP": "available to promise", "ATD": "available to deliver"}
"""Words for the basis of a promise."""


@dataclass(frozen=True)
class Event:
    """One event of an order.

    plan: a date requested or promised. wrong: late, or to the buyer's disadvantage. by_us: recorded by a user here.
    """

    at: datetime
    when: str
    what: str
    plan: bool = False
    wrong: bool = False
    by_us: bool = False


def events(records: OrderRecords, around: OrderContext, item: Item, comments: list[Row]) -> list[Event]:
    """Return all events of an order in order of time; planned events follow others of the same moment."""
    listed = [
        *_ordered(records),
        *_asked(around),
        *_promised(around),
        *_holds(around),
        *_delivered(records),
        *_billed(records, around),
    ]
    listed += [*_messages(around), *_cases(around), *_returns(around), *done(item, comments)]
    return sorted((event for event in listed if event), key=lambda event: (event.at, event.plan))


def _ordered(records: OrderRecords) -> Iterator[Event | None]:
    order, facts = records.order, records.facts
    channel = order.get("channel") or ""
    channel = channel.upper() if channel == "edi" else channel
    yield _event(
        order,
        "ordered_at",
        f"Ordered by {facts['customer_name'] or facts['customer_id']}" + (f" ({channel})" if channel else ""),
    )
    yield _event(order, "requested_by", "Requested by", plan=True)
    yield _event(order, "promised_by", "Promised by", plan=True)
    yield _event(order, "cancelled_at", f"Cancelled by {order.get('cancelled_by') or 'the seller'}", wrong=True)


def _asked(around: OrderContext) -> Iterator[Event | None]:
    for quote in around.quotes:
        yield _event(quote, "asked_at", f"Inquiry {quote['quote_id']}")
        offered = [option for option in around.quote_options if option["quote_id"] == quote["quote_id"]]
        text = f"Quote answered with {formatting.count(len(offered), 'option')}" if offered else "Quote answered"
        chosen = [option for option in offered if option["accepted"]]
        if chosen:
            text += f"; the buyer chose {_option(chosen[0])}"
        yield _event(quote, "answered_at", text)


def _option(option: Row) -> str:
    price, days = option["price_amount"], option["lead_time_days"]
    parts = [formatting.money(price, option["currency"]) if price is not None else ""]
    parts.append(f"in {formatting.count(days, 'day')}" if days is not None else "")
    return " ".join(part for part in parts if part) or f"option {option['option_no']}"


def _promised(around: OrderContext) -> Iterator[Event | None]:
    """Merge promises made or changed at the same time to the same deadline into one event."""

    def same(row: Row) -> tuple[object, ...]:
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
        _, first, _, party, *_ = key
        basis, why = rows[0]["basis"] or "", rows[0]["reason"] or ""
        lines = sorted({row["line_no"] for row in rows}, key=lambda number: (len(number), number))
        on = f" for {'line' if len(lines) == 1 else 'lines'} {', '.join(lines)}"
        by = formatting.moment(rows[0]["promised_by"], rows[0]["promised_by_is_date"])
        text = f"Promised {by}{on}" if first else f"Promise moved to {by}{on} by the {party}"
        text += (f" ({BASES.get(basis.upper(), basis)})" if basis else "") + (
            f": {formatting.in_words(why).lower()}" if why else ""
        )
        yield _event(rows[0], "changed_at", text, wrong=not first and party != "buyer")


def _holds(around: OrderContext) -> Iterator[Event | None]:
    for hold in around.holds:
        kind = formatting.in_words(hold["kind"] or "other").lower()
        yield _event(hold, "placed_at", f"On hold: {kind} hold by the {hold['caused_by'] or 'seller'}", wrong=True)
        yield _event(hold, "released_at", f"Released: {kind} hold")


def _delivered(records: OrderRecords) -> Iterator[Event | None]:
    due_of = {line["line_no"]: line["deadline_at"] for line in records.lines}
    for header in records.shipments:
        carried = [row["line_no"] for row in records.shipment_lines if row["shipment_id"] == header["shipment_id"]]
        due = min((due_of[line_no] for line_no in carried if due_of.get(line_no)), default=None)
        name = f"Shipment {header['shipment_id']}" + (f" with {header['carrier']}" if header.get("carrier") else "")
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


def _messages(around: OrderContext) -> Iterator[Event | None]:
    for message in around.messages:
        text = MESSAGES.get(message["kind"] or "", formatting.in_words(message["kind"] or "message"))
        late = bool(message["sent_at"] and message["due_at"] and message["sent_at"] > message["due_at"])
        flaws = [*(["late"] if late else []), *(["incorrect"] if message["correct"] is False else [])]
        yield _event(message, "sent_at", text + (f", {' and '.join(flaws)}" if flaws else ""), wrong=bool(flaws))


def _cases(around: OrderContext) -> Iterator[Event | None]:
    for case in around.cases:
        if is_written(case):
            continue  # the events of its work item show it
        kind = formatting.in_words(case["kind"] or "case")
        yield _event(case, "opened_at", f"{kind} opened ({case['case_id']})", wrong=case["kind"] == "complaint")
        if case["acknowledged_at"] != case["resolved_at"]:
            yield _event(case, "acknowledged_at", f"{kind} acknowledged ({case['case_id']})")
        yield _event(case, "resolved_at", f"{kind} settled ({case['case_id']})")


def is_written(case: Row) -> bool:
    """Return True if a case was created from a work item."""
    return bool(case["source"] == SOURCE)


def _returns(around: OrderContext) -> Iterator[Event | None]:
    for returned in around.returns:
        what = f"{formatting.quantity(returned['returned_qty'])} of line {returned['line_no']}"
        yield _event(
            returned,
            "announced_at",
            f"Return of {what} announced: {formatting.in_words(returned['reason'] or 'no reason given').lower()}",
            wrong=True,
        )
        yield _event(returned, "received_at", f"Return of {what} received")
        yield _event(returned, "credited_at", f"Return of {what} credited")


def done(item: Item, comments: list[Row]) -> Iterator[Event]:
    """Yield the events that users recorded: detection, notice to the buyer, resolution and comments."""
    if item.detected_at:
        yield Event(
            item.detected_at,
            formatting.moment(item.detected_at),
            "Failure detected" if item.remedy else "Detected",
            by_us=True,
        )
    if item.acknowledged_at and item.acknowledged_at != item.resolved_at:
        yield Event(item.acknowledged_at, formatting.moment(item.acknowledged_at), "Buyer informed", by_us=True)
    if item.resolved_at:
        note = f": {item.remedy_note}" if item.remedy_note else ""
        remedy = REMEDIES[item.remedy or "other"].lower()
        yield Event(
            item.resolved_at,
            formatting.moment(item.resolved_at),
            f"Resolved by {item.resolved_by}, {remedy}{note}",
            by_us=True,
        )
    for comment in comments:
        text = f"{comment['who']}: {comment['text']}"
        yield Event(comment["at"], formatting.moment(comment["at"]), text, by_us=True)


def _event(row: Row, column: str, what: str, *, plan: bool = False, wrong: bool = False) -> Event | None:
    at = row.get(column)
    if at is None:
        return None
    bare = bool(row.get(f"{column}_is_date"))
    return Event(at + timedelta(hours=23) if plan and bare else at, formatting.moment(at, bare), what, plan, wrong)
