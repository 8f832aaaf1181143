"""Judgement of one order line: all its facts and verdicts. The order adds the billing verdict."""

from datetime import datetime
from decimal import Decimal

from tests.reference.billing import Billing
from tests.reference.findings import TRUE, VERDICTS, Finding
from tests.reference.inputs import Inputs, Row
from tests.reference.judgements import LineJudgement

RECEIPTS = (
    "counted_qty",
    "filled_qty",
    "filled_most_qty",
    "received_qty",
    "shipped_qty",
    "unproven_qty",
    "in_window_qty",
    "in_window_most_qty",
    "damaged_qty",
    "back_ordered",
    "substituted",
)
"""Quantities that nobody knows if no source has consignments."""


class LineJudging(Billing):
    """An order line with its judgement."""

    def __init__(self, inputs: Inputs, order: Row, line: Row) -> None:
        super().__init__(inputs, order, line)
        self.judgement = self.facts()
        self.judgement.findings = self.delivery_findings()
        judged = self.state() == "judged" and inputs.delivered()
        self.judgement.parts = self.accuracy() if judged else dict.fromkeys(("item_ok", "place_ok", "overage_ok"))
        if self.state() == "judged" and self.quarantined(billing=False):
            self.judgement.findings = dict.fromkeys(VERDICTS, Finding(None, "quarantined"))
            self.judgement.parts = dict.fromkeys(self.judgement.parts)
        if not inputs.delivered():
            for name in RECEIPTS:
                setattr(self.judgement, name, None)

    def facts(self) -> LineJudgement:
        due = self.promise_or_request
        unknown = self.line.get("quantity_unknown", False)
        return LineJudgement(
            order_id=self.line["order_id"],
            line_no=self.line["line_no"],
            line_kind=self.line["line_kind"],
            state=self.state(),
            deadline_at=self.deadline,
            due_day=self.due_day(),
            ordered_qty=None if unknown else self.line["ordered_qty"],
            owed_qty=None if unknown else self.owed,
            in_quarantine=self.line.get("in_quarantine", False),
            counted_qty=self.counted,
            filled_qty=min(self.owed, self.counted),
            filled_most_qty=min(self.owed, self.counted + self.coming),
            first_pass_qty=self.first_pass(),
            settled_at=self.settled(),
            last_left_at=max(
                (one.left.first for one in self.consignments if one.left and one.has_left and one.shipped_qty > 0),
                default=None,
            ),
            request_at=self.request,
            promise_at=self.first_promise,
            promise_as_made=self.promise_as_made,
            first_due_at=due,
            back_ordered=self.back_ordered(),
            substituted=any(consignment.counts and not consignment.ordered_product for consignment in self.received),
            damaged_qty=self.damaged_quantity(),
            cancelled_short_qty=self.cancelled_short(),
            overdue_open=self.overdue_open() if self.state() == "judged" else False,
            product_category=self.product["category"] if self.product else None,
            unit_price_amount=self.line["unit_price_amount"],
            unit_cost_amount=self.product["unit_cost_amount"] if self.product else None,
            received_qty=sum((consignment.quantity for consignment in self.received), Decimal(0)),
            shipped_qty=sum(
                (consignment.shipped_qty for consignment in self.consignments if consignment.has_left), Decimal(0)
            ),
            unproven_qty=self.coming,
            in_window_qty=min(self.owed, self.in_window(certainly=True)),
            in_window_most_qty=min(self.owed, self.in_window(certainly=False)),
            billed_qty=self.billed("billed_qty", invoice=1),
            billed_amount=self.billed_in_order_currency(),
            carriers=frozenset(consignment.carrier for consignment in self.consignments),
            half_step=self.half_step,
            under_tolerance=Decimal(str(self.policy["under_tolerance_share"])),
            findings={},
            received=bool(self.received),
        )

    def by_document(self, order_settled: datetime | None) -> dict[str, list[Finding]]:
        """Return the findings of each invoice of this line: what the document says itself, and its corrections.

        An invoice bills too much if the line was billed too much in all, and more than the right quantity with it.
        """
        bills = sorted(self.documents("invoice"), key=lambda pair: (self.dated(pair[0]), pair[0]["invoice_id"]))
        whole = self.judgement.findings["billed_accurately"]
        goods = self.line["line_kind"] == "goods"
        closes = self.bill_window(self.settled() if goods else order_settled, goods=goods)
        right = self.counted + self.coming if goods else self.owed
        corrected = any(credit["credit_reason"] in ("billing", "short") for credit, _ in self.documents("credit"))
        found: dict[str, list[Finding]] = {}
        billed: dict[str, Decimal] = {}
        for document, bill in bills:
            number = document["invoice_id"]
            parts = found.setdefault(number, [TRUE])
            parts += self.billed_as_agreed(document, bill)
            if bill["billed_qty"] is None and self.inputs.tested("invoice_lines.billed_qty"):
                parts.append(Finding(None, "no_evidence"))
            reversed_ = number in self.reversed_invoices()
            billed[number] = billed.get(number, Decimal(0)) + (
                Decimal(0) if reversed_ else bill["billed_qty"] or Decimal(0)
            )
            if reversed_:
                parts.append(Finding(False, "reversed"))
            if corrected:
                parts.append(Finding(False, "billing_credit"))
            first = self.dated(document) == self.dated(bills[0][0])
            if first and closes is not None and self.dated(document) > closes:
                parts.append(Finding(False, "billed_late"))
            if whole.reason == "quarantined":
                parts.append(Finding(None, "quarantined"))
        so_far = Decimal(0)
        for number, quantity in billed.items():
            so_far += quantity
            if whole.reason == "billed_quantity" and so_far > right:
                found[number].append(Finding(False, "billed_quantity"))
        return found
