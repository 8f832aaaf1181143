"""Reference implementation of money: the reporting currency, and net sales by document and by order.

Source: R24 (net sales), R25 (currencies).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.reference.dates import event, local_day, span
from tests.reference.inputs import Inputs, Row

MOST_DAYS_OLD = 7


def rate(currency: str | None, day: date, rates: Sequence[Row]) -> Decimal | None:
    """Return the rate to the reporting currency on a day, or None.

    The rate is the latest on or before the day, at most a week old. The reporting currency has the rate 1. Without any
    loaded rate, all amounts have the rate 1.
    """
    if not rates or currency == rates[0]["reporting_currency"]:
        return Decimal(1)
    oldest = day - timedelta(days=MOST_DAYS_OLD)
    fitting = [row for row in rates if row["currency"] == currency and oldest <= row["on_date"] <= day]
    return Decimal(max(fitting, key=lambda row: row["on_date"])["rate"]) if fitting else None


@dataclass
class Money:
    """A sum in the reporting currency, with the amounts without a rate: currency to (amount, documents)."""

    amount: Decimal = Decimal(0)
    left_out: dict[str | None, tuple[Decimal, int]] = field(default_factory=dict)

    def add(self, amount: Decimal, currency: str | None, day: date, rates: Sequence[Row]) -> None:
        at = rate(currency, day, rates)
        if at is None:
            amount_before, documents = self.left_out.get(currency, (Decimal(0), 0))
            self.left_out[currency] = (amount_before + amount, documents + 1)
        else:
            self.amount += amount * at


SIGNS = {"invoice": 1, "credit": -1, "reversal": -1}
"""Sign of each kind of document. Amounts themselves are positive (R24, net sales)."""


@dataclass(frozen=True)
class Posted:
    """The net sales of one document, without tax, freight and other lines without an order line."""

    day: date
    currency: str | None
    amount: Decimal
    order_ids: frozenset[str]


def posted(invoices: Iterable[Row], lines: Sequence[Row], *, until: date) -> list[Posted]:
    """Return each document up to a day with its signed amount."""
    documents = []
    for document in invoices:
        own = [
            row
            for row in lines
            if row["invoice_id"] == document["invoice_id"] and row["line_no"] is not None and not row["deleted"]
        ]
        day = document["invoiced_at"].date()
        if own and day <= until and not document["deleted"]:
            amount = SIGNS[document["invoice_kind"]] * sum((row["line_amount"] for row in own), Decimal(0))
            documents.append(Posted(day, document["currency"], amount, frozenset(row["order_id"] for row in own)))
    return documents


def sales_by_order(inputs: Inputs) -> dict[str, dict[str, Any]]:
    """Return the net sales of each order's goods and services by `as_of`, and the number of lines without a rate."""
    rates = inputs.feeds.get("fx_rates", [])
    sales: dict[str, dict[str, Any]] = {}
    for order in inputs.feeds["orders"]:
        ordered = event(order, "ordered_at", order["ship_to_time_zone"])
        if ordered is None or ordered > inputs.as_of:
            continue
        for document, currency, amount in movements(inputs, order):
            own = sales.setdefault(order["order_id"], {"net_sales": Decimal(0), "left_out": 0})
            dated = span(document, "invoiced_at", order["ship_to_time_zone"])
            assert dated is not None
            at = rate(currency, local_day(dated.first, order["ship_to_time_zone"]), rates)
            own["left_out"] += at is None
            own["net_sales"] += amount * (at or 0)
    return sales


def movements(inputs: Inputs, order: Row) -> Iterator[tuple[Row, str | None, Decimal]]:
    """Yield the order's documents by `as_of`, each with its currency and the signed amount of a line.

    A reversal without lines reverses its invoice once.
    """
    kinds = {row["line_no"]: row["line_kind"] for row in inputs.rows("order_lines", order["order_id"])}
    lines = [
        row
        for row in inputs.rows("invoice_lines", order["order_id"])
        if kinds.get(row["line_no"]) in ("goods", "service", "discount")
    ]
    with_lines = {row["invoice_id"] for row in inputs.feeds.get("invoice_lines", [])}

    def happened(document: Row) -> bool:
        at = event(document, "invoiced_at", order["ship_to_time_zone"])
        return at is not None and at <= inputs.as_of

    for row in lines:
        bill = inputs.invoices.get(row["invoice_id"])
        if bill is None:
            continue
        if happened(bill):
            yield bill, bill["currency"] or order["currency"], SIGNS[bill["invoice_kind"]] * row["line_amount"]
        reversals = [
            reversal
            for reversal in inputs.invoices.values()
            if reversal["invoice_kind"] == "reversal" and reversal["reverses_invoice_id"] == bill["invoice_id"]
        ]
        first = min(reversals, key=lambda reversal: (reversal["invoiced_at"], reversal["invoice_id"]), default=None)
        if (
            bill["invoice_kind"] == "invoice"
            and first is not None
            and first["invoice_id"] not in with_lines
            and happened(first)
        ):
            yield first, first["currency"] or bill["currency"] or order["currency"], -row["line_amount"]


def net_sales(
    documents: Iterable[Posted], rates: Sequence[Row], *, first: date = date.min, last: date = date.max
) -> Money:
    """Return the net sales of the documents of these days."""
    total = Money()
    for document in documents:
        if first <= document.day <= last:
            total.add(document.amount, document.currency, document.day, rates)
    return total


def net_sales_of_orders(documents: Iterable[Posted], rates: Sequence[Row], order_ids: frozenset[str]) -> Money:
    """Return the net sales of these orders over all time, each amount at the rate of its document's day."""
    total = Money()
    for document in documents:
        if document.order_ids <= order_ids:
            total.add(document.amount, document.currency, document.day, rates)
    return total
