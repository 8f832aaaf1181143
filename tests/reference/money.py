"""Money in plain Python: one reporting currency, and net sales by the ledger and by the order (R24, R25)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from tests.reference.verdicts import Judge, Row, event, local_day, span

MOST_DAYS_OLD = 7


def rate(currency: str | None, day: date, rates: Sequence[Row]) -> Decimal | None:
    """The rate to the reporting currency on a day: the latest on or before it, at most a week old; 1 for the reporting
    currency itself.

    Without any rate loaded there is no other currency to report in, and every amount stands as it is.
    """
    if not rates or currency == rates[0]["reporting_currency"]:
        return Decimal(1)
    oldest = day - timedelta(days=MOST_DAYS_OLD)
    fitting = [row for row in rates if row["currency"] == currency and oldest <= row["on_date"] <= day]
    return Decimal(max(fitting, key=lambda row: row["on_date"])["rate"]) if fitting else None


@dataclass
class Money:
    """A sum in the reporting currency, and what had no rate: currency to (amount, documents)."""

    amount: Decimal = Decimal(0)
    left_out: dict[str | None, tuple[Decimal, int]] = field(default_factory=dict)

    def add(self, amount: Decimal, currency: str | None, day: date, rates: Sequence[Row]) -> None:
        at = rate(currency, day, rates)
        if at is None:
            held, documents = self.left_out.get(currency, (Decimal(0), 0))
            self.left_out[currency] = (held + amount, documents + 1)
        else:
            self.amount += amount * at


SIGNS = {"invoice": 1, "credit": -1, "reversal": -1}
"""What a document's kind does to sales; amounts themselves are always positive (R24)."""


@dataclass(frozen=True)
class Posted:
    """What one document adds to net sales, without tax, freight and other lines that name no order line."""

    day: date
    currency: str | None
    amount: Decimal
    order_ids: frozenset[str]


def posted(invoices: Iterable[Row], lines: Sequence[Row], *, until: date) -> list[Posted]:
    """Each document dated by the end of a day with its signed amount."""
    found = []
    for document in invoices:
        own = [
            row
            for row in lines
            if row["invoice_id"] == document["invoice_id"] and row["line_no"] is not None and not row["deleted"]
        ]
        day = document["invoiced_at"].date()
        if own and day <= until and not document["deleted"]:
            amount = SIGNS[document["invoice_kind"]] * sum((row["line_amount"] for row in own), Decimal(0))
            found.append(Posted(day, document["currency"], amount, frozenset(row["order_id"] for row in own)))
    return found


def sales_by_order(judge: Judge) -> dict[str, dict[str, Any]]:
    """What was billed less credited less reversed of each order's goods and services by `as_of`, and how many billed
    lines had no rate.
    """
    rates = judge.feeds.get("fx_rates", [])
    found: dict[str, dict[str, Any]] = {}
    for order in judge.feeds["orders"]:
        ordered = event(order, "ordered_at", order["ship_to_time_zone"])
        if ordered is None or ordered > judge.as_of:
            continue
        for document, currency, amount in movements(judge, order):
            own = found.setdefault(order["order_id"], {"net_sales": Decimal(0), "left_out": 0})
            dated = span(document, "invoiced_at", order["ship_to_time_zone"])
            assert dated is not None
            at = rate(currency, local_day(dated.first, order["ship_to_time_zone"]), rates)
            own["left_out"] += at is None
            own["net_sales"] += (amount * (at or 0)).quantize(Decimal("0.0001"), ROUND_HALF_UP)
    return found


def movements(judge: Judge, order: Row) -> Iterator[tuple[Row, str | None, Decimal]]:
    """The order's documents by `as_of`, each with its currency and a signed line of it; a reversal without lines takes
    back its invoice, once.
    """
    kinds = {row["line_no"]: row["line_kind"] for row in judge.rows("order_lines", order["order_id"])}
    lines = [
        row
        for row in judge.rows("invoice_lines", order["order_id"])
        if kinds.get(row["line_no"]) in ("goods", "service")
    ]
    with_lines = {row["invoice_id"] for row in judge.feeds.get("invoice_lines", [])}

    def happened(document: Row) -> bool:
        at = event(document, "invoiced_at", order["ship_to_time_zone"])
        return at is not None and at <= judge.as_of

    for row in lines:
        bill = judge.invoices.get(row["invoice_id"])
        if bill is None:
            continue
        if happened(bill):
            yield bill, bill["currency"] or order["currency"], SIGNS[bill["invoice_kind"]] * row["line_amount"]
        taking_back = [
            one
            for one in judge.invoices.values()
            if one["invoice_kind"] == "reversal" and one["reverses_invoice_id"] == bill["invoice_id"]
        ]
        first = min(taking_back, key=lambda one: (one["invoiced_at"], one["invoice_id"]), default=None)
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
    """The ledger's view: documents of these days."""
    total = Money()
    for one in documents:
        if first <= one.day <= last:
            total.add(one.amount, one.currency, one.day, rates)
    return total


def net_sales_of_orders(documents: Iterable[Posted], rates: Sequence[Row], order_ids: frozenset[str]) -> Money:
    """The customer's view: all that was ever posted to these orders, each amount at its own document's day."""
    total = Money()
    for one in documents:
        if one.order_ids <= order_ids:
            total.add(one.amount, one.currency, one.day, rates)
    return total
