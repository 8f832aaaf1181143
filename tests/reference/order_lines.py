"""One order line: its order, product, rounding step, billing documents and quarantined records."""

from datetime import datetime
from decimal import Decimal

from tests.reference.dates import event, local_day, span
from tests.reference.inputs import Inputs, Row

PIECES = {"piece", "pieces", "pc", "pcs", "ea", "each", "unit", "units"}


class OrderLine:
    """An order line, its order and its product, with the inputs of the judgement."""

    def __init__(self, inputs: Inputs, order: Row, line: Row) -> None:
        self.inputs, self.order, self.line = inputs, order, line
        self.policy, self.as_of, self.zone = inputs.policy, inputs.as_of, order["ship_to_time_zone"]
        ordered = span(order, "ordered_at", self.zone)
        assert ordered is not None
        self.ordered_day = local_day(ordered.first, self.zone)
        self.product = inputs.version("products", "product_id", line["product_id"], self.ordered_day)
        self.half_step = self.rounding_step((self.product["base_unit"] if self.product else None) or "") / 2
        self.keys = (line["order_id"], line["line_no"])

    def rounding_step(self, base_unit: str) -> Decimal:
        """Return the smallest quantity that counts (R11, equal quantities).

        The default is 1 for pieces and 0.001 for other units.
        """
        factors = [
            row
            for row in self.inputs.feeds.get("unit_factors", [])
            if (row["product_id"], row["unit"]) == (self.line["product_id"], base_unit)
            and row["valid_from"] <= self.ordered_day
        ]
        own = max(factors, key=lambda row: row["valid_from"])["rounding_step"] if factors else None
        if own is not None:
            return Decimal(own)
        return Decimal(1) if base_unit.lower() in PIECES else Decimal("0.001")

    def happened(self, row: Row, name: str) -> bool:
        at = event(row, name, self.zone)
        return at is not None and at <= self.as_of

    def quarantined(self, *, billing: bool) -> bool:
        """Return whether a record of this line or of its whole order is in quarantine.

        billing: look at billing documents only, or at all other feeds only. Source: R34 (impossible dates).
        """
        return any(one.bills_only is billing and one.concerns(*self.keys) for one in self.inputs.quarantine)

    def documents(self, kind: str) -> list[tuple[Row, Row]]:
        """Return the billing documents of a kind that name this line, dated by `as_of`, each with its line."""
        documents: list[tuple[Row, Row]] = []
        for row in self.inputs.rows("invoice_lines", *self.keys):
            document = self.inputs.invoices.get(row["invoice_id"])
            if document is not None and document["invoice_kind"] == kind and self.dated(document) <= self.as_of:
                documents.append((document, unsigned(row)))
        return documents

    def dated(self, document: Row) -> datetime:
        at = event(document, "invoiced_at", self.zone)
        assert at is not None
        return at


def unsigned(bill: Row) -> Row:
    """Return a billed line with a positive quantity: a discount of -1 at 20 is 1 at -20."""
    if bill["billed_qty"] is None or bill["billed_qty"] >= 0:
        return bill
    price = bill["unit_price_amount"]
    return {**bill, "billed_qty": -bill["billed_qty"], "unit_price_amount": None if price is None else -price}
