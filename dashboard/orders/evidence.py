"""One order's story in words: what each of the five tests found and the evidence it rests on. Pure, plain text.

A sentence is written per failed line from the code the facts give (`on_time_reason` ...) and the records that code
speaks of. The verdict itself is never worked out here: facts decide, the story shows why.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from dashboard.components import formatting
from dashboard.orders.reasons import TITLES, UNKNOWNS, reason
from metrics.lists.order_story import OrderRecords
from metrics.lists.rows import VERDICTS, Row


@dataclass(frozen=True)
class Test:
    """One of the five tests: its verdict (None: unknown) and the evidence in sentences."""

    __test__ = False
    verdict: str
    passed: bool | None
    evidence: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Its name."""
        return TITLES[self.verdict]


def tests(records: OrderRecords, as_of: datetime | None) -> list[Test]:
    """The five tests of an order, each with its evidence."""
    return [Test(verdict, records.facts[verdict], _evidence(records, verdict, as_of)) for verdict in VERDICTS]


def _evidence(records: OrderRecords, verdict: str, as_of: datetime | None) -> list[str]:
    facts = records.facts
    if facts["state"] == "excluded":
        return ["Not judged: the order is not a sale, or the buyer cancelled all of it in time."]
    if facts[verdict] is True:
        return [_passed(records, verdict)]
    telling = [line for line in records.lines if line.get(verdict) is facts[verdict] and line.get(f"{verdict}_reason")]
    if facts[verdict] is None:
        codes = sorted(
            {str(line[f"{verdict}_reason"]) for line in telling} or {facts[f"{verdict}_reason"] or "no_evidence"}
        )
        told = [UNKNOWNS.get(code, formatting.in_words(code)) for code in codes]
        return [f"{text[:1].upper()}{text[1:]}." for text in told]
    said: dict[str, list[str]] = {}
    for line in telling:
        said.setdefault(_told(records, line, verdict, as_of), []).append(line["line_no"])
    found = [
        f"{'Line' if len(numbers) == 1 else 'Lines'} {', '.join(numbers)}: {text}" for text, numbers in said.items()
    ]
    return found or [f"{reason(facts[f'{verdict}_reason'])}."]


def _passed(records: OrderRecords, verdict: str) -> str:
    facts = records.facts
    arrived = formatting.day(facts["arrived_day"])
    return {
        "on_time": f"The last needed goods arrived {arrived}; due {_due(records)}.",
        "complete": f"{formatting.quantity(facts['received_qty'])} received, {formatting.quantity(facts['owed_qty'])} owed.",
        "damage_free": "No damage recorded and none credited.",
        "filled_accurately": "The products ordered, at the place ordered, and not too many.",
        "billed_accurately": "Every line billed in time, once, at the agreed price, terms and party."
        if records.invoice_lines
        else "Nothing was billed, and nothing that came was to be billed.",
    }[verdict]


def _due(records: OrderRecords) -> str:
    return formatting.day(records.facts["due_day"])


def _told(records: OrderRecords, line: Row, verdict: str, as_of: datetime | None) -> str:
    code = line[f"{verdict}_reason"]
    teller = _TELLERS.get(code)
    return teller(records, line, as_of) if teller else f"{reason(code).lower()}."


def _sent(records: OrderRecords, line: Row) -> list[tuple[Row, Row]]:
    """Consignments of an order line: header and line of each."""
    headers = {header["shipment_id"]: header for header in records.shipments}
    mine = [one for one in records.shipment_lines if one["line_no"] == line["line_no"]]
    return [(headers.get(one["shipment_id"], {"shipment_id": one["shipment_id"]}), one) for one in mine]


def _billed(records: OrderRecords, line: Row) -> list[tuple[Row, Row]]:
    """Documents of an order line: header and line of each."""
    headers = {header["invoice_id"]: header for header in records.invoices}
    mine = [one for one in records.invoice_lines if one["line_no"] == line["line_no"]]
    return [(headers.get(one["invoice_id"], {"invoice_id": one["invoice_id"]}), one) for one in mine]


def _bills(records: OrderRecords, line: Row) -> list[tuple[Row, Row]]:
    return [(header, one) for header, one in _billed(records, line) if header.get("invoice_kind") in (None, "invoice")]


def _carrier(header: Row) -> str:
    return f" with {header['carrier']}" if header.get("carrier") else ""


def _late(records: OrderRecords, line: Row, as_of: datetime | None) -> str:
    due, came = line.get("due_day"), line.get("settled_day")
    told = f"due {formatting.day(due)}"
    if came is not None:
        gone = (came - due).days if due else 0
        told += f", the last needed goods arrived {formatting.day(came)}" + (
            f", {formatting.count(gone, 'day')} late" if gone > 0 else ", after the hour agreed"
        )
    else:
        told += f", not all of it had arrived by {_watermark(as_of)}"
    last = max(
        (header for header, _ in _sent(records, line) if header.get("received_at")),
        key=lambda header: header["received_at"],
        default=None,
    )
    return told + (f" (consignment {last['shipment_id']}{_carrier(last)})." if last else ".")


def _watermark(as_of: datetime | None) -> str:
    return f"{formatting.day(as_of.date())} (data as of)" if as_of else "the data's date"


def _never_received(records: OrderRecords, line: Row, as_of: datetime | None) -> str:
    other = any(header.get("received_at") for header, _ in _sent(records, line))
    told = f"due {formatting.day(line.get('due_day'))}, {'nothing of what was ordered' if other else 'nothing'} had arrived by {_watermark(as_of)}"
    under_way = [
        header for header, _ in _sent(records, line) if header.get("shipped_at") and not header.get("received_at")
    ]
    if under_way:
        first = under_way[0]
        told += f"; consignment {first['shipment_id']} left {_at(first, 'shipped_at')}{_carrier(first)} and has no proof of delivery"
    return told + "."


# one shape for every teller
def _too_early(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    first = min(
        (header for header, _ in _sent(records, line) if header.get("received_at")),
        key=lambda header: header["received_at"],
        default={},
    )
    return f"arrived {_at(first, 'received_at')}, before the window agreed."


def _short(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    owed, came = line["owed_qty"], line["counted_qty"] or Decimal(0)
    told = f"{formatting.quantity(came)} of {formatting.quantity(owed)} received, {formatting.quantity(owed - came)} missing"
    if line.get("cancelled_qty") or line.get("cancelled_at"):
        party = line.get("cancelled_by") or "seller"
        why = f" ({line['cancel_reason']})" if line.get("cancel_reason") else ""
        told += f"; the {party} cancelled {formatting.quantity(line.get('cancelled_qty')) if line.get('cancelled_qty') else 'the rest'}{why}"
    return told + "."


def _damaged(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    hurt = [(header, one) for header, one in _sent(records, line) if (one.get("damaged_qty") or 0) > 0]
    return (
        "; ".join(
            f"{formatting.quantity(one['damaged_qty'])} of {formatting.quantity(one.get('received_qty') or one['shipped_qty'])} damaged"
            f" in consignment {header['shipment_id']}{_carrier(header)}"
            for header, one in hurt
        )
        + "."
        if hurt
        else "arrived damaged."
    )


def _credit(what: str) -> Callable[[OrderRecords, Row, datetime | None], str]:
    def tell(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
        credits = [(header, one) for header, one in _billed(records, line) if header.get("invoice_kind") == "credit"]
        return (
            "; ".join(
                f"credit note {header['invoice_id']} of {_at(header, 'invoiced_at')} gives back"
                f" {formatting.money(one['line_amount'], header.get('currency'))}"
                f" for {formatting.in_words(header.get('credit_reason') or what).lower()}"
                for header, one in credits
            )
            + "."
            if credits
            else f"credited for {what}."
        )

    return tell


def _wrong_item(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    wrong = [
        (header, one)
        for header, one in _sent(records, line)
        if one.get("product_id") not in (None, line.get("product_id"))
    ]
    return (
        "; ".join(
            f"consignment {header['shipment_id']} carried {_product(records, one['product_id'])}"
            f" instead of {_product(records, line.get('product_id'))}"
            for header, one in wrong
        )
        + "."
        if wrong
        else "the wrong product came."
    )


def _product(records: OrderRecords, product_id: str | None) -> str:
    name = records.product_names.get(product_id or "")
    return f"{name} ({product_id})" if name else str(product_id)


def _wrong_place(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    wanted = records.order.get("ship_to")
    wrong = [header for header, _ in _sent(records, line) if header.get("received_place") not in (None, wanted)]
    return (
        f"received at {wrong[0]['received_place']}, ordered to {wanted}."
        if wrong
        else f"not received at {wanted or 'the place ordered'}."
    )


def _over_shipped(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    return (
        f"{formatting.quantity(line['received_qty'])} received where {formatting.quantity(line['owed_qty'])} were owed."
    )


def _billed_quantity(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    billed = sum((one["billed_qty"] or Decimal(0) for _, one in _bills(records, line)), Decimal(0))
    return f"{formatting.quantity(billed)} billed, {formatting.quantity(line['counted_qty'] or line['owed_qty'])} received ({_documents(records, line)})."


def _documents(records: OrderRecords, line: Row) -> str:
    ids = sorted({str(header["invoice_id"]) for header, _ in _bills(records, line)})
    return f"invoice {', '.join(ids)}" if ids else "no invoice"


def _billed_price(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    agreed = line.get("unit_price_amount")
    wrong = [(header, one) for header, one in _bills(records, line) if one.get("unit_price_amount") != agreed]
    currency = records.order.get("currency") or ""
    return (
        "; ".join(
            f"invoice {header['invoice_id']} bills {formatting.price(one['unit_price_amount'])} a unit, {formatting.price(agreed)} {currency} was agreed"
            for header, one in wrong
        )
        + "."
        if wrong
        else "the price billed is not the one agreed."
    )


def _billed_amount(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    told = [
        f"invoice {header['invoice_id']} bills {formatting.money(one['line_amount'])} for {formatting.quantity(one['billed_qty'])}"
        f" at {formatting.price(one['unit_price_amount'])}"
        for header, one in _bills(records, line)
    ]
    return "; ".join(told) + ": that does not add up."


def _differs(column: str, what: str) -> Callable[[OrderRecords, Row, datetime | None], str]:
    """Teller for a header column that should equal the order's."""

    def tell(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
        wanted = records.order.get(column)
        wrong = [header for header, _ in _bills(records, line) if header.get(column) != wanted]
        return (
            "; ".join(
                f"invoice {one['invoice_id']} says {what} {one.get(column) or 'none'}, the order {wanted}"
                for one in wrong
            )
            + "."
        )

    return tell


def _billed_late(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    first = min(
        (header for header, _ in _bills(records, line) if header.get("invoiced_at")),
        key=lambda header: header["invoiced_at"],
        default={},
    )
    invoice = first.get("invoice_id", formatting.DASH)
    return f"received {formatting.day(line.get('settled_day'))}, first billed {_at(first, 'invoiced_at')} (invoice {invoice})."


def _not_billed(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    return f"received {formatting.day(line.get('settled_day'))}, no invoice by {_watermark(as_of)}."


def _reversed(records: OrderRecords, line: Row, as_of: datetime | None) -> str:  # noqa: ARG001
    back = [header for header, _ in _billed(records, line) if header.get("invoice_kind") == "reversal"]
    if not back:
        return "its invoice was taken back."
    return (
        "; ".join(
            f"{one['invoice_id']} of {_at(one, 'invoiced_at')} takes back {one.get('reverses_invoice_id') or 'the invoice'}"
            for one in back
        )
        + "."
    )


_TELLERS: dict[str, Callable[[OrderRecords, Row, datetime | None], str]] = {
    "late": _late,
    "never_received": _never_received,
    "too_early": _too_early,
    "short": _short,
    "damaged": _damaged,
    "damage_credit": _credit("damage"),
    "wrong_item": _wrong_item,
    "wrong_place": _wrong_place,
    "over_shipped": _over_shipped,
    "billed_quantity": _billed_quantity,
    "billed_price": _billed_price,
    "billed_amount": _billed_amount,
    "billed_terms": _differs("payment_terms", "terms"),
    "billed_party": _differs("bill_to", "bill to"),
    "billed_currency": _differs("currency", "currency"),
    "billed_late": _billed_late,
    "not_billed": _not_billed,
    "reversed": _reversed,
    "billing_credit": _credit("billing"),
}


def _at(row: Row, column: str) -> str:
    return formatting.moment(row.get(column), row.get(f"{column}_is_date"))


def explanation_of(row: Row) -> str:
    """Why an order of the list failed, in a few words."""
    told = [reason(row[f"{verdict}_reason"]) for verdict in VERDICTS if row[verdict] is False]
    return ", ".join([told[0], *(text[:1].lower() + text[1:] for text in told[1:])]) if told else formatting.DASH
