"""Consignments and receipts of an order line (R2, date of receipt; R7, split receipts)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from tests.reference.dates import TICK, Span, span
from tests.reference.due_dates import DueDates
from tests.reference.findings import Verdict, same
from tests.reference.inputs import Inputs, Row

WRONG = ("wrong_item", "wrong_place", "wrong_quantity")
DAMAGE = ("damage", "defect")
"""Reasons of returns that make a verdict false (R22, returns)."""
COLLECTED = ("EXW", "FCA")
"""Delivery terms by which the buyer collects at the seller's place (R2, date of receipt)."""


def collects(order: Row) -> bool:
    """Return whether the buyer collects: leaving the seller's place is then the receipt."""
    return (order["delivery_term"] or "").strip().upper().startswith(COLLECTED)


@dataclass(frozen=True)
class Consignment:
    """One consignment of an order line, as known at `as_of`."""

    left: Span | None
    has_left: bool
    came: Span | None
    """The time of receipt. None if it has not happened or is not proven."""
    quantity: Decimal
    shipped_qty: Decimal
    damaged_qty: Decimal | None
    ordered_product: bool
    item: Verdict
    """False for another product without the buyer's agreement, None if unknown."""
    place: Verdict
    carrier: str | None

    @property
    def proven(self) -> bool:
        return self.came is not None

    @property
    def counts(self) -> bool:
        return self.quantity > 0 and self.item is not False and self.place is not False


@dataclass(frozen=True)
class Receipt:
    """Units with the period in which they arrive, or would arrive in one of the four cases."""

    first: datetime
    last: datetime
    quantity: Decimal
    never_early: bool = False


class Receipts(DueDates):
    """An order line with its consignments and its returns."""

    def __init__(self, inputs: Inputs, order: Row, line: Row) -> None:
        super().__init__(inputs, order, line)
        self.consignments = [
            consignment
            for row in inputs.rows("shipment_lines", *self.keys)
            if (consignment := self.consignment(row)) is not None
        ]
        self.returns = [row for row in inputs.rows("returns", *self.keys) if self.happened(row, "announced_at")]

    def consignment(self, row: Row) -> Consignment | None:
        """Return the consignment of a shipment line, or None if it has neither left nor arrived."""
        shipment = self.inputs.shipments.get(row["shipment_id"])
        if shipment is None:
            return None
        left, came = span(shipment, "shipped_at", self.zone), span(shipment, "received_at", self.zone)
        collected = collects(self.order)
        if self.policy["receipt_event"] == "shipped_at" or collected:
            came = left
        has_left = left is not None and left.last <= self.as_of
        to_come = came is not None and came.last > self.as_of
        if to_come:
            came = None
        if not has_left and came is None:
            return None
        tested = self.inputs.tested("shipment_lines.product_id", "order_lines.product_id")
        product = same(row["product_id"], self.line["product_id"], tested=tested)
        agreed = bool(row["substitution_agreed"]) and self.policy["allow_substitution"]
        places_tested = self.inputs.tested("shipments.received_place", "orders.ship_to")
        # The buyer collects at our place, which the term names. The buyer's place says nothing about it.
        place = same(shipment["received_place"], self.order["ship_to"], tested=places_tested and not collected)
        received = row["received_qty"] if row["received_qty"] is not None else row["shipped_qty"]
        return Consignment(
            left=left,
            has_left=has_left,
            came=came,
            quantity=received if came else row["shipped_qty"],
            shipped_qty=row["shipped_qty"],
            damaged_qty=row["damaged_qty"],
            ordered_product=product is not False,
            item=True if product is False and agreed else product,
            place=None if to_come and not collected else place,  # its place of receipt is unknown until it arrives
            carrier=shipment["carrier"],
        )

    @property
    def received(self) -> list[Consignment]:
        """Consignments with received units, counted or not."""
        return [consignment for consignment in self.consignments if consignment.proven and consignment.quantity > 0]

    @property
    def unproven(self) -> list[Consignment]:
        return [consignment for consignment in self.consignments if not consignment.proven and consignment.quantity > 0]

    @property
    def receipts(self) -> list[Receipt]:
        """Counted receipts, in order of their ends."""
        counted = [
            Receipt(consignment.came.first, consignment.came.last, consignment.quantity)
            for consignment in self.received
            if consignment.came and consignment.counts
        ]
        return sorted(counted, key=lambda receipt: receipt.last)

    @property
    def counted(self) -> Decimal:
        return sum((receipt.quantity for receipt in self.receipts), Decimal(0))

    @property
    def coming(self) -> Decimal:
        """Unproven units that would count."""
        return sum((consignment.quantity for consignment in self.unproven if consignment.counts), Decimal(0))

    def received_by(self, moment: datetime) -> Decimal:
        return sum((receipt.quantity for receipt in self.receipts if receipt.last <= moment), Decimal(0))

    def arrivals(self) -> list[list[Receipt]]:
        """Return the arrivals of unproven consignments in each of the four cases.

        The cases are: arrival when shipped, at `as_of`, never, and at the deadline.
        """
        coming = [consignment for consignment in self.unproven if consignment.counts]
        when_shipped = [
            Receipt(consignment.left.first, consignment.left.last, consignment.quantity)
            for consignment in coming
            if consignment.left
        ]
        at_as_of = [Receipt(self.as_of, self.as_of, consignment.quantity) for consignment in coming]
        if self.deadline is None:
            return [when_shipped, at_as_of, []]
        at_deadline = [
            # A consignment that left by the deadline only possibly, also arrived by then only possibly.
            Receipt(
                self.deadline,
                self.deadline + (TICK if consignment.left.last > self.deadline else timedelta()),
                consignment.quantity,
                never_early=True,
            )
            for consignment in coming
            if consignment.left and consignment.left.first <= self.deadline
        ]
        return [when_shipped, at_as_of, [], at_deadline]
