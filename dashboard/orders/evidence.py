"""Evidence of an order's five tests, in sentences of plain text. Records in, text out.

The reason code in the facts (`on_time_reason`, ...) selects the sentence of a failed line; the records fill it.
Nothing here judges: the facts decide the verdict.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from dashboard.components import formatting
from dashboard.components.reasons import TITLES, UNKNOWNS, reason
from metrics.lists.order_story import OrderRecords
from metrics.lists.rows import VERDICTS, Row

Document = tuple[Row, Row]
"""Header and line of a shipment or an invoice."""


@dataclass(frozen=True)
class Test:
    """A test's verdict (None: unknown) and its evidence in sentences."""

    __test__ = False
    verdict: str
    passed: bool | None
    evidence: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """Name of the test."""
        return TITLES[self.verdict]


@dataclass(frozen=True)
class FailedLine:
    """A failed order line with the records of its order; `as_of` is the end of the data."""

    records: OrderRecords
    line: Row
    as_of: datetime | None

    @property
    def shipped(self) -> list[Document]:
        """Shipment lines of the order line, with their headers."""
        headers = {header["shipment_id"]: header for header in self.records.shipments}
        lines = [line for line in self.records.shipment_lines if line["line_no"] == self.line["line_no"]]
        return [(headers.get(line["shipment_id"], {"shipment_id": line["shipment_id"]}), line) for line in lines]

    @property
    def received(self) -> list[Row]:
        """Headers of received shipments, in order of receipt."""
        headers = [header for header, _ in self.shipped if header.get("received_at")]
        return sorted(headers, key=lambda header: header["received_at"])

    @property
    def documents(self) -> list[Document]:
        """Invoice lines of the order line, with their headers; credits and reversals too."""
        headers = {header["invoice_id"]: header for header in self.records.invoices}
        lines = [line for line in self.records.invoice_lines if line["line_no"] == self.line["line_no"]]
        return [(headers.get(line["invoice_id"], {"invoice_id": line["invoice_id"]}), line) for line in lines]

    @property
    def billed(self) -> list[Document]:
        """Invoice lines without credits and reversals."""
        return [document for document in self.documents if document[0].get("invoice_kind") in (None, "invoice")]

    @property
    def data_end(self) -> str:
        """End of the data in words."""
        return f"{formatting.day(self.as_of.date())} (data as of)" if self.as_of else "the end of the data"


def tests(records: OrderRecords, as_of: datetime | None) -> list[Test]:
    """Return the five tests of an order, each with its evidence."""
    return [Test(verdict, records.facts[verdict], _evidence(records, verdict, as_of)) for verdict in VERDICTS]


def _evidence(records: OrderRecords, verdict: str, as_of: datetime | None) -> list[str]:
    facts = records.facts
    if facts["state"] == "excluded" and not (verdict == "billed_accurately" and facts["billing_state"] != "excluded"):
        return ["Not judged: the order is not a sale, or the buyer cancelled all of it in time."]
    if facts[verdict] is True:
        return [_passed(records, verdict)]
    lines = [line for line in records.lines if line.get(verdict) is facts[verdict] and line.get(f"{verdict}_reason")]
    if facts[verdict] is None:
        codes = {str(line[f"{verdict}_reason"]) for line in lines} or {facts[f"{verdict}_reason"] or "no_evidence"}
        words = {**UNKNOWNS, "no_evidence": _missing_evidence(records, verdict)}
        texts = [words.get(code, formatting.in_words(code)) for code in sorted(codes)]
        return [f"{text[:1].upper()}{text[1:]}." for text in texts]
    numbers: dict[str, list[str]] = {}
    for line in lines:
        sentence = _sentence(FailedLine(records, line, as_of), line[f"{verdict}_reason"])
        numbers.setdefault(sentence, []).append(line["line_no"])
    sentences = [
        f"{'Line' if len(line_nos) == 1 else 'Lines'} {', '.join(line_nos)}: {text}"
        for text, line_nos in numbers.items()
    ]
    return sentences or [f"{reason(facts[f'{verdict}_reason'])}."]


def _missing_evidence(records: OrderRecords, verdict: str) -> str:
    """Return which evidence is missing: the receipt of shipments, if a test needs it."""
    shipments = [header["shipment_id"] for header in records.shipments if not header.get("received_at")]
    if verdict not in ("on_time", "complete") or not shipments:
        return UNKNOWNS["no_evidence"]
    what = "shipment" if len(shipments) == 1 else "shipments"
    return f"unknown: no time of receipt of {what} {', '.join(sorted(shipments))}"


def _passed(records: OrderRecords, verdict: str) -> str:
    facts = records.facts
    received, owed = formatting.quantity(facts["received_qty"]), formatting.quantity(facts["owed_qty"])
    return {
        "on_time": f"Last required goods received {formatting.day(facts['arrived_day'])}; "
        f"due {formatting.day(facts['due_day'])}.",
        "complete": f"{received} received, {owed} owed.",
        "damage_free": "No damage recorded and none credited.",
        "filled_accurately": "Products and place as ordered, and no excess quantity.",
        "billed_accurately": "Every line billed on time, once, at the agreed price, terms and party."
        if records.invoice_lines
        else "No invoice, and nothing received that requires one.",
    }[verdict]


def _sentence(failed: FailedLine, code: str) -> str:
    write = _SENTENCES.get(code)
    return write(failed) if write else f"{reason(code).lower()}."


def _joined(sentences: Iterable[str], default: str) -> str:
    """Join sentences; return the default if there are none."""
    return f"{'; '.join(sentences) or default}."


def _carrier(header: Row) -> str:
    return f" with {header['carrier']}" if header.get("carrier") else ""


def _at(row: Row, column: str) -> str:
    return formatting.moment(row.get(column), row.get(f"{column}_is_date"))


# ----------------------------------------------------------------------------------------------------------- deliveries
def _late(failed: FailedLine) -> str:
    due, settled = failed.line.get("due_day"), failed.line.get("settled_day")
    text = f"due {formatting.day(due)}"
    if settled is not None:
        days = (settled - due).days if due else 0
        text += f", last required goods received {formatting.day(settled)}"
        text += f", {formatting.count(days, 'day')} late" if days > 0 else ", after the agreed hour"
    else:
        text += f", incomplete on {failed.data_end}"
    if not failed.received:
        return f"{text}."
    last = max(failed.received, key=lambda header: header["received_at"])
    return f"{text} (shipment {last['shipment_id']}{_carrier(last)})."


def _never_received(failed: FailedLine) -> str:
    missing = "none of the goods ordered" if failed.received else "nothing"
    text = f"due {formatting.day(failed.line.get('due_day'))}, {missing} received by {failed.data_end}"
    for header, _ in failed.shipped:
        if header.get("shipped_at") and not header.get("received_at"):
            text += f"; shipment {header['shipment_id']} left {_at(header, 'shipped_at')}{_carrier(header)}"
            return f"{text} and has no proof of delivery."
    return f"{text}."


def _too_early(failed: FailedLine) -> str:
    first = failed.received[0] if failed.received else {}
    return f"received {_at(first, 'received_at')}, before the agreed window."


def _short(failed: FailedLine) -> str:
    line = failed.line
    owed, received = line["owed_qty"], line["counted_qty"] or Decimal(0)
    text = f"{formatting.quantity(received)} of {formatting.quantity(owed)} received"
    text += f", {formatting.quantity(owed - received)} missing"
    if line.get("cancelled_qty") or line.get("cancelled_at"):
        quantity = formatting.quantity(line.get("cancelled_qty")) if line.get("cancelled_qty") else "the rest"
        why = f" ({formatting.in_words(line['cancel_reason']).lower()})" if line.get("cancel_reason") else ""
        text += f"; the {line.get('cancelled_by') or 'seller'} cancelled {quantity}{why}"
    return f"{text}."


def _damaged(failed: FailedLine) -> str:
    sentences = (
        f"{formatting.quantity(line['damaged_qty'])} of "
        f"{formatting.quantity(line.get('received_qty') or line['shipped_qty'])} damaged"
        f" in shipment {header['shipment_id']}{_carrier(header)}"
        for header, line in failed.shipped
        if (line.get("damaged_qty") or 0) > 0
    )
    return _joined(sentences, "received damaged")


def _wrong_item(failed: FailedLine) -> str:
    ordered = failed.line.get("product_id")
    sentences = (
        f"shipment {header['shipment_id']} contained {_product(failed.records, line['product_id'])}"
        f" instead of {_product(failed.records, ordered)}"
        for header, line in failed.shipped
        if line.get("product_id") not in (None, ordered)
    )
    return _joined(sentences, "the wrong product was received")


def _product(records: OrderRecords, product_id: str | None) -> str:
    name = records.product_names.get(product_id or "")
    return f"{name} ({product_id})" if name else str(product_id)


def _wrong_place(failed: FailedLine) -> str:
    ordered = failed.records.order.get("ship_to")
    places = [header.get("received_place") for header, _ in failed.shipped]
    wrong = [place for place in places if place not in (None, ordered)]
    if wrong:
        return f"received at {wrong[0]}, ordered to {ordered}."
    return f"not received at {ordered or 'the place ordered'}."


def _over_shipped(failed: FailedLine) -> str:
    received, owed = failed.line["received_qty"], failed.line["owed_qty"]
    return f"{formatting.quantity(received)} received, only {formatting.quantity(owed)} owed."


# -------------------------------------------------------------------------------------------------------------- billing
def _credit(what: str) -> Callable[[FailedLine], str]:
    """Return the function that describes the credit notes of a line."""

    def write(failed: FailedLine) -> str:
        sentences = (
            f"credit note {header['invoice_id']} of {_at(header, 'invoiced_at')} credits"
            f" {formatting.money(line['line_amount'], header.get('currency'))}"
            f" for {formatting.in_words(header.get('credit_reason') or what).lower()}"
            for header, line in failed.documents
            if header.get("invoice_kind") == "credit"
        )
        return _joined(sentences, f"credited for {what}")

    return write


def _billed_quantity(failed: FailedLine) -> str:
    billed = sum((line["billed_qty"] or Decimal(0) for _, line in failed.billed), Decimal(0))
    received = failed.line["counted_qty"] or failed.line["owed_qty"]
    ids = sorted({str(header["invoice_id"]) for header, _ in failed.billed})
    invoices = f"invoice {', '.join(ids)}" if ids else "no invoice"
    return f"{formatting.quantity(billed)} billed, {formatting.quantity(received)} received ({invoices})."


def _billed_price(failed: FailedLine) -> str:
    agreed, currency = failed.line.get("unit_price_amount"), failed.records.order.get("currency") or ""
    sentences = (
        f"invoice {header['invoice_id']} bills {formatting.price(line['unit_price_amount'])} a unit,"
        f" {formatting.price(agreed)} {currency} was agreed"
        for header, line in failed.billed
        if line.get("unit_price_amount") != agreed
    )
    return _joined(sentences, "the price billed differs from the price agreed")


def _billed_amount(failed: FailedLine) -> str:
    sentences = [
        f"invoice {header['invoice_id']} bills {formatting.money(line['line_amount'])}"
        f" for {formatting.quantity(line['billed_qty'])} at {formatting.price(line['unit_price_amount'])}"
        for header, line in failed.billed
    ]
    return "; ".join(sentences) + ": that does not add up."


def _differs(column: str, what: str) -> Callable[[FailedLine], str]:
    """Return the function that describes invoices whose header column differs from the order's."""

    def write(failed: FailedLine) -> str:
        ordered = failed.records.order.get(column)
        sentences = (
            f"invoice {header['invoice_id']} has {what} {header.get(column) or 'none'}, the order {ordered}"
            for header, _ in failed.billed
            if header.get(column) != ordered
        )
        return _joined(sentences, "")

    return write


def _billed_late(failed: FailedLine) -> str:
    headers = [header for header, _ in failed.billed if header.get("invoiced_at")]
    first: Row = min(headers, key=lambda header: header["invoiced_at"], default={})
    received = formatting.day(failed.line.get("settled_day"))
    invoice = first.get("invoice_id", formatting.DASH)
    return f"received {received}, first billed {_at(first, 'invoiced_at')} (invoice {invoice})."


def _not_billed(failed: FailedLine) -> str:
    return f"received {formatting.day(failed.line.get('settled_day'))}, no invoice by {failed.data_end}."


def _reversed(failed: FailedLine) -> str:
    sentences = (
        f"{header['invoice_id']} of {_at(header, 'invoiced_at')}"
        f" reverses {header.get('reverses_invoice_id') or 'the invoice'}"
        for header, _ in failed.documents
        if header.get("invoice_kind") == "reversal"
    )
    return _joined(sentences, "its invoice was reversed")


_SENTENCES: dict[str, Callable[[FailedLine], str]] = {
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
"""Function that writes the sentence of each reason code."""


def explanation_of(row: Row) -> str:
    """Return the reasons for which a listed order failed, in a few words."""
    reasons = [reason(row[f"{verdict}_reason"]) for verdict in VERDICTS if row[verdict] is False]
    if not reasons and row["otif"] is False:
        reasons = [reason(row["otif_reason"])]
    if not reasons:
        return formatting.DASH
    return ", ".join([reasons[0], *(text[:1].lower() + text[1:] for text in reasons[1:])])
