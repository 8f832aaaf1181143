"""Billing verdict of an order line (R23, billing)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

from tests.reference.dates import day_ends, local_day
from tests.reference.findings import TRUE, Finding, Verdict, part, same, together
from tests.reference.inputs import Row
from tests.reference.line_verdicts import LineVerdicts

NO_MINOR = (
    "BIF",
    "CLP",
    "DJF",
    "GNF",
    "ISK",
    "JPY",
    "KMF",
    "KRW",
    "PYG",
    "RWF",
    "UGX",
    "UYI",
    "VND",
    "VUV",
    "XAF",
    "XOF",
    "XPF",
)
THREE_DIGITS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
MINOR_DIGITS = dict.fromkeys(NO_MINOR, 0) | dict.fromkeys(THREE_DIGITS, 3) | dict.fromkeys(("CLF", "UYW"), 4)
"""Number of decimals of a currency (ISO 4217). All others have two."""


class Billing(LineVerdicts):
    """An order line with its billing verdict."""

    def billing(self, order_settled: datetime | None) -> Finding:
        """Return whether a line of any kind was billed as delivered and agreed."""
        if self.quarantined(billing=True) or self.quarantined(billing=False):
            return Finding(None, "quarantined")
        if not (self.inputs.fed("invoices") and self.inputs.fed("invoice_lines")):
            return Finding(None, "no_feed")
        bills = self.documents("invoice")
        goods = self.line["line_kind"] == "goods"
        closes = self.bill_window(self.settled() if goods else order_settled, goods=goods)
        if self.nothing_to_bill(bills, closes, goods=goods):
            return Finding(None, "nothing_received")
        if goods and not self.inputs.delivered():
            parts = [Finding(None, "no_feed")]  # nobody knows what was delivered
        else:
            parts = [self.billed_quantity(bills, closes, goods=goods)]
        for document, bill in bills:
            parts += self.billed_as_agreed(document, bill)
        if bills and closes is not None and min(self.dated(document) for document, _ in bills) > closes:
            parts.append(Finding(False, "billed_late"))
        if {bill["invoice_id"] for _, bill in bills} & self.reversed_invoices():
            parts.append(Finding(False, "reversed"))
        if any(credit["credit_reason"] in ("billing", "short") for credit, _ in self.documents("credit")):
            parts.append(Finding(False, "billing_credit"))
        return together(parts)

    def bill_window(self, settled: datetime | None, *, goods: bool) -> datetime | None:
        """Return the latest time for the first bill, or None if the period has not started."""
        left = [consignment.left.last for consignment in self.unproven if consignment.left]
        if settled is None and goods and left:
            settled = max(left)
        if settled is None:
            return None
        return day_ends(local_day(settled, self.zone) + timedelta(days=self.policy["invoice_days"]), self.zone)

    def nothing_to_bill(self, bills: list[tuple[Row, Row]], closes: datetime | None, *, goods: bool) -> bool:
        """Return whether nothing was received, is on its way or was billed. A service waits for its order's arrival."""
        if bills or (goods and not self.inputs.delivered()):
            return False
        return (
            not self.received and not any(consignment.counts for consignment in self.unproven)
            if goods
            else closes is None
        )

    def billed(self, column: str, **signs: int) -> Decimal | None:
        """Return the sum of a column over documents of these kinds, each with its sign."""
        if not (self.inputs.fed("invoices") and self.inputs.fed("invoice_lines")):
            return None
        bills = [(sign, bill[column]) for kind, sign in signs.items() for _, bill in self.documents(kind)]
        return sum((sign * value for sign, value in bills if value is not None), Decimal(0))

    def billed_in_order_currency(self) -> Decimal | None:
        """Return invoices less credits and reversals, or None if a document has another currency than the order."""
        kinds = ("invoice", "credit", "reversal")
        currencies = {document["currency"] for kind in kinds for document, _ in self.documents(kind)} - {None}
        if self.order["currency"] is not None and currencies - {self.order["currency"]}:
            return None
        return self.billed("line_amount", invoice=1, credit=-1, reversal=-1)

    def reversed_invoices(self) -> set[str]:
        documents = self.inputs.invoices.values()
        return {
            document["reverses_invoice_id"]
            for document in documents
            if document["invoice_kind"] == "reversal" and self.dated(document) <= self.as_of
        }

    def billed_quantity(self, bills: list[tuple[Row, Row]], closes: datetime | None, *, goods: bool) -> Finding:
        if goods:
            damaged = sum(
                (consignment.damaged_qty or Decimal(0) for consignment in self.received if consignment.counts),
                Decimal(0),
            )
            expected = self.counted + self.coming
        else:
            expected, damaged = self.owed, Decimal(0)
        if bills and not self.inputs.tested("invoice_lines.billed_qty"):
            return TRUE
        if any(bill["billed_qty"] is None for _, bill in bills):
            return Finding(None, "no_evidence")
        billed = sum((bill["billed_qty"] for _, bill in bills), Decimal(0))
        if billed >= expected + self.half_step:
            return Finding(False, "billed_quantity")
        if min(abs(billed - expected), abs(billed - (expected - damaged))) < self.half_step:
            return TRUE
        if closes is None or closes > self.as_of:
            return Finding(None, "not_yet_due")
        return Finding(False, "billed_quantity" if bills else "not_billed")

    def billed_as_agreed(self, document: Row, bill: Row) -> list[Finding]:
        """Return the findings for price, amount, tax, terms, party and currency of a billed line."""
        tested: Callable[..., bool] = self.inputs.tested
        price = same(
            bill["unit_price_amount"],
            self.line["unit_price_amount"],
            tested=tested("invoice_lines.unit_price_amount", "order_lines.unit_price_amount"),
        )
        parts = [part(price, "billed_price"), part(self.amount_right(document, bill), "billed_amount")]
        parts.append(part(self.tax_right(document, bill), "billed_tax"))
        for column, reason in (
            ("payment_terms", "billed_terms"),
            ("bill_to", "billed_party"),
            ("currency", "billed_currency"),
        ):
            agrees = same(document[column], self.order[column], tested=tested(f"invoices.{column}", f"orders.{column}"))
            parts.append(part(agrees, reason))
        return parts

    def amount_right(self, document: Row, bill: Row) -> Verdict:
        columns = ("billed_qty", "unit_price_amount", "line_amount")
        if not self.inputs.tested(*(f"invoice_lines.{column}" for column in columns)):
            return True
        if any(bill[column] is None for column in columns):
            return None
        difference = abs(bill["line_amount"] - bill["billed_qty"] * bill["unit_price_amount"])
        rounded = Decimal(0)
        if bill["unit"] is not None:
            rounded = abs(bill["unit_price_amount"]) * Decimal("0.00005") + abs(bill["billed_qty"]) * Decimal("1e-8")
        return bool(difference <= half_minor(document["currency"]) + rounded)

    def tax_right(self, document: Row, bill: Row) -> Verdict:
        """Return whether the billed tax has the agreed rate, to half a minor unit."""
        if not self.inputs.tested("order_lines.tax_rate", "invoice_lines.tax_amount"):
            return True
        if self.line["tax_rate"] is None or bill["tax_amount"] is None:
            return None
        return bool(
            abs(bill["tax_amount"] - bill["line_amount"] * self.line["tax_rate"]) <= half_minor(document["currency"])
        )


def half_minor(currency: str | None) -> Decimal:
    """Return half of the smallest unit of a currency. The default is half a hundredth."""
    return Decimal("0.5").scaleb(-MINOR_DIGITS.get(currency or "", 2))
