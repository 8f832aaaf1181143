"""Quantities of an order line: owed, filled, shipped first, back-ordered, damaged and cancelled."""

from datetime import datetime
from decimal import Decimal

from tests.reference.dates import event
from tests.reference.findings import Verdict
from tests.reference.inputs import Inputs, Row
from tests.reference.receipts import DAMAGE, Receipts


def _place(row: Row) -> tuple[datetime, int, int]:
    """Return the place of a version of a line: the oldest first."""
    return row["source_updated_at"] or datetime.min, row["file_id"], row["row_no"]


class Quantities(Receipts):
    """An order line with the quantity that is owed."""

    def __init__(self, inputs: Inputs, order: Row, line: Row) -> None:
        super().__init__(inputs, order, line)
        self.owed = self.owed_quantity()

    def ordered_in_all(self) -> Decimal:
        """Return the largest ordered quantity: with the buyer's additions, without the seller's reductions (R14,
        quantity changes).
        """
        changes = [row for row in self.inputs.restated if (row["order_id"], row["line_no"]) == self.keys]
        without_place = sorted((row for row in changes if row.get("file_id") is None), key=lambda row: row["run_id"])
        placed = sorted((row for row in changes if row.get("file_id") is not None), key=_place)
        versions = [*without_place, *placed]
        for row in placed:
            if row["deleted"]:
                versions = versions[versions.index(row) + 1 :]
        if not versions:
            return Decimal(self.line["ordered_qty"])
        first = versions[0]["before_qty" if versions[0].get("file_id") is None else "after_qty"]
        until = self.as_of if self.deadline is None else min(self.deadline, self.as_of)
        return max([Decimal(first), *(Decimal(row["after_qty"]) for row in versions if row["data_as_of"] <= until)])

    def cancelled(self, row: Row) -> datetime | None:
        """Return the cancellation time of a line or order, by either party, or None."""
        at = event(row, "cancelled_at", self.zone)
        return at if at is not None and at <= self.as_of else None

    def excused(self, row: Row) -> datetime | None:
        """Return the time of a buyer's cancellation before the deadline, without the seller's fault (R13,
        cancellations).
        """
        at = self.cancelled(row)
        if at is None or row["cancelled_by"] != "buyer" or row["cancel_reason"] in self.policy["fault_reasons"]:
            return None
        return at if self.deadline is None or at <= self.deadline else None

    def owed_quantity(self) -> Decimal:
        if self.line.get("quantity_unknown"):
            return Decimal(0)  # its own record is in quarantine: R34 (impossible dates)
        owed = self.ordered_in_all()
        at = self.excused(self.line)
        if at is not None and self.line["cancelled_qty"] is not None:
            owed -= self.line["cancelled_qty"]
        elif at is not None:
            owed -= max(Decimal(0), owed - self.received_by(at))
        at = self.excused(self.order)
        if at is not None:
            owed -= max(Decimal(0), owed - self.received_by(at))
        return max(Decimal(0), owed)

    def enough(self, quantity: Decimal, wanted: Decimal | None = None) -> bool:
        wanted = self.owed if wanted is None else wanted
        return quantity > wanted * (1 - Decimal(str(self.policy["under_tolerance_share"]))) - self.half_step

    def too_much(self, quantity: Decimal) -> bool:
        return quantity >= self.owed * (1 + Decimal(str(self.policy["over_tolerance_share"]))) + self.half_step

    def most_held(self, *, with_unproven: bool) -> Decimal:
        """Return the largest quantity that the buyer held right after a receipt: received so far, less returned before.

        A return after the receipt does not lower it. with_unproven: consignments on their way arrive when shipped.
        """
        arrived = [(receipt.last, receipt.quantity) for receipt in self.receipts]
        if with_unproven:
            arrived += [(one.left.last, one.quantity) for one in self.unproven if one.counts and one.left]
        sent_back = [(event(row, "announced_at", self.zone), row["returned_qty"]) for row in self.returns]
        return max(
            (
                sum((quantity for at, quantity in arrived if at <= moment), Decimal(0))
                - sum((quantity for at, quantity in sent_back if at is not None and at < moment), Decimal(0))
                for moment, _ in arrived
            ),
            default=Decimal(0),
        )

    def first_pass(self) -> Decimal | None:
        """Return the quantity of the ordered product shipped by the first promise, else the request, up to the owed.

        Source: R8 (first-pass and final fill).
        """
        by = self.promise_or_request
        if by is None or not self.inputs.tested("shipments.shipped_at") or self.quarantined(billing=False):
            return None
        certain = possible = Decimal(0)
        for consignment in self.consignments:
            if not consignment.ordered_product:
                continue
            if consignment.left is not None and consignment.left.last <= by:
                certain += consignment.shipped_qty
            if consignment.left is None or consignment.left.first <= by:
                possible += consignment.shipped_qty
        least, most = min(self.owed, certain), min(self.owed, possible)
        return least if least == most else None

    def back_ordered(self) -> Verdict:
        """Return whether the line was short at the first promise and shipped completely later.

        It compares shipping times. Agreed substitutes count if they were sent to the right place.
        """
        first, by = self.first_pass(), self.promise_or_request
        if first is None or by is None:
            return None
        sent = [
            consignment
            for consignment in self.consignments
            if consignment.item is not False and consignment.place is not False
        ]
        later = any(
            consignment.left is not None and consignment.left.last > by and consignment.shipped_qty > 0
            for consignment in sent
        )
        return (
            not self.enough(first)
            and later
            and self.enough(sum((consignment.shipped_qty for consignment in sent), Decimal(0)))
        )

    def in_window(self, *, certainly: bool) -> Decimal:
        """Return the counted units that arrived in the window or by the deadline.

        Without `certainly`, units that possibly arrived or left by then count too.
        """
        deadline, opens = self.deadline, self.window_from
        if deadline is None:
            return Decimal(0)
        came = Decimal(0)
        for receipt in self.receipts:
            late, early = (receipt.last, receipt.first) if certainly else (receipt.first, receipt.last)
            if late <= deadline and (opens is None or early >= opens):
                came += receipt.quantity
        if not certainly:
            came += sum(
                (
                    consignment.quantity
                    for consignment in self.unproven
                    if consignment.counts and consignment.left and consignment.left.first <= deadline
                ),
                Decimal(0),
            )
        return came

    def damaged_quantity(self) -> Decimal:
        """Return the damaged units: the larger of damaged on arrival and returned for damage.

        The larger number counts, because both records can describe the same units.
        """
        on_arrival = sum((consignment.damaged_qty or Decimal(0) for consignment in self.received), Decimal(0))
        sent_back = sum((row["returned_qty"] for row in self.returns if row["reason"] in DAMAGE), Decimal(0))
        return max(on_arrival, sent_back)

    def settled(self) -> datetime | None:
        """Return the time at which the counted quantity was first enough, else the latest receipt."""
        running = Decimal(0)
        for receipt in self.receipts:
            running += receipt.quantity
            if self.enough(running):
                return receipt.last
        return self.receipts[-1].last if self.receipts else None

    def uncancelled(self) -> Decimal:
        """Return the owed quantity that nobody cancelled, for `open_balance` = late."""
        if self.cancelled(self.order) is not None:
            return Decimal(0)
        if self.cancelled(self.line) is None:
            return self.owed
        gone = self.line["cancelled_qty"]
        return Decimal(0) if gone is None else max(Decimal(0), min(self.owed, self.ordered_in_all() - gone))

    def cancelled_short(self) -> Decimal:
        """Return the owed quantity that did not arrive and was cancelled, by either party."""
        return max(Decimal(0), self.owed - max(self.counted, self.uncancelled()))

    def overdue_open(self) -> Verdict:
        """Return whether the deadline has passed and a remainder is open (R15, cancelled remainder)."""
        if self.quarantined(billing=False):
            return None
        if self.deadline is None or self.deadline > self.as_of or self.enough(self.counted, self.uncancelled()):
            return False
        return None if self.enough(self.counted + self.coming, self.uncancelled()) else True
