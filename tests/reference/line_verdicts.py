"""Verdicts of an order line about delivery: timing, completeness, damage and accuracy. Billing is in billing.py."""

from datetime import datetime, timedelta
from decimal import Decimal

from tests.reference.dates import day_ends
from tests.reference.findings import NOT_ASKED, TRUE, VERDICTS, Finding, Verdict, all_of, part, together
from tests.reference.quantities import Quantities
from tests.reference.receipts import DAMAGE, WRONG, Consignment, Receipt


class LineVerdicts(Quantities):
    """An order line with its verdicts about delivery."""

    def state(self) -> str:
        wanted = self.owed > 0 or self.line.get("quantity_unknown", False)
        if self.order["order_type"] not in (None, "sale") or self.line["line_kind"] != "goods" or not wanted:
            return "excluded"
        due = [moment for moment in (self.deadline, self.promise_or_request) if moment is not None]
        if (
            not due and not self.line.get("in_quarantine") and not self.enough(self.counted)
        ):  # a line without any date waits until it is received
            due = [day_ends(self.ordered_day + timedelta(days=self.policy["undated_days"]), self.zone)]
        return "pending" if any(moment > self.as_of for moment in due) else "judged"

    def delivery_findings(self) -> dict[str, Finding]:
        """Return the verdicts about delivery. The order adds billing, because billing needs the order's arrival."""
        if self.state() == "pending":
            return dict.fromkeys(VERDICTS, Finding(None, "not_yet_due"))
        if self.state() == "excluded":
            return dict.fromkeys(VERDICTS, NOT_ASKED)
        if not self.inputs.delivered():
            return dict.fromkeys(VERDICTS, Finding(None, "no_feed"))
        return self.four_cases() | {"damage_free": self.damage_free(), "filled_accurately": self.filled_accurately()}

    def four_cases(self) -> dict[str, Finding]:
        """Return on_time, complete and otif. A verdict is known only if all four cases agree."""
        cases = [self.receipts + arrivals for arrivals in self.arrivals()]
        complete = [self.complete(receipts) for receipts in cases]
        if self.deadline is None:
            whole = self.agreed(complete)
            otif = whole if whole.verdict is False else Finding(None, "no_anchor")
            return {"on_time": Finding(None, "no_anchor"), "complete": whole, "otif": otif}
        on_time = [self.on_time(receipts) for receipts in cases]
        both = [together(pair) for pair in zip(on_time, complete, strict=True)]
        return {"on_time": self.agreed(on_time), "complete": self.agreed(complete), "otif": self.agreed(both)}

    def agreed(self, cases: list[Finding]) -> Finding:
        verdicts = {case.verdict for case in cases}
        return together(cases) if len(verdicts) == 1 else Finding(None, "no_evidence")

    def complete(self, receipts: list[Receipt]) -> Finding:
        return (
            TRUE
            if self.enough(sum((receipt.quantity for receipt in receipts), Decimal(0)))
            else Finding(False, "short")
        )

    def on_time(self, receipts: list[Receipt]) -> Finding:
        """Return whether the goods arrived by the deadline and in the window.

        Source: R4 (windows and tolerances), R7 (split receipts), R15 (cancelled remainder).
        """
        assert self.deadline is not None
        parts = [self.by_deadline(receipts, self.deadline)]
        for receipt in receipts:
            if self.window_from is None or receipt.never_early:
                continue
            if receipt.last < self.window_from:
                parts.append(Finding(False, "too_early"))
            elif receipt.first < self.window_from:
                parts.append(Finding(None, "no_evidence"))
        return together(parts)

    def by_deadline(self, receipts: list[Receipt], deadline: datetime) -> Finding:
        total = sum((receipt.quantity for receipt in receipts), Decimal(0))
        certain = sum((receipt.quantity for receipt in receipts if receipt.last <= deadline), Decimal(0))
        possible = sum((receipt.quantity for receipt in receipts if receipt.first <= deadline), Decimal(0))
        if self.enough(total):
            if self.enough(certain):
                return TRUE
            return Finding(None, "no_evidence") if self.enough(possible) else Finding(False, "late")
        if not receipts:
            return Finding(False, "never_received")
        if possible < total or (self.policy["open_balance"] == "late" and not self.enough(total, self.uncancelled())):
            return Finding(False, "late")
        return Finding(None, "no_evidence") if certain < total else TRUE

    def accuracy_findings(self) -> dict[str, Finding]:
        """Return the findings for the item, the place and the overage.

        Source: R9 (over-delivery), R19 (substitutes), R20 (wrong item or place).
        """
        item = [part(consignment.item, "wrong_item") for consignment in self.received]
        place = [part(consignment.place, "wrong_place") for consignment in self.received]
        item += [Finding(None, "no_evidence") for consignment in self.unproven if consignment.item is not True]
        overage = TRUE
        if self.too_much(self.most_held(with_unproven=False)):
            overage = Finding(False, "over_shipped")
        elif self.too_much(self.most_held(with_unproven=True)):
            overage = Finding(None, "no_evidence")
        return {"item_ok": together(item), "place_ok": together(place), "overage_ok": overage}

    def accuracy(self) -> dict[str, Verdict]:
        """Return the parts of `filled_accurately`. A return for a wrong item, place or quantity fails its part."""
        if not self.received:
            return dict.fromkeys(("item_ok", "place_ok", "overage_ok"))
        parts = {name: [finding.verdict] for name, finding in self.accuracy_findings().items()}
        for row in self.returns:
            if row["reason"] in WRONG:
                parts[
                    {"wrong_item": "item_ok", "wrong_place": "place_ok", "wrong_quantity": "overage_ok"}[row["reason"]]
                ].append(False)
            elif row["reason"] is None and self.inputs.tested("returns.reason"):
                for verdicts in parts.values():
                    verdicts.append(None)
        for name, compared in self.inputs.compared().items():
            if not compared:
                parts[name].append(None)  # not tested is not passed
        return {name: all_of(verdicts) for name, verdicts in parts.items()}

    def filled_accurately(self) -> Finding:
        """Return whether the right item arrived at the right place, without overage and without such returns.

        Source: R9 (over-delivery), R19 (substitutes), R20 (wrong item or place), R22 (returns).
        """
        if not self.received:
            return Finding(None, "nothing_received")
        findings = [*self.accuracy_findings().values(), *self.sent_back(WRONG, "returned_wrong")]
        if not any(self.inputs.compared().values()):
            findings.append(Finding(None, "no_feed"))  # neither product nor place: not passed
        return together(findings)

    def sent_back(self, reasons: tuple[str, ...], reason: str) -> list[Finding]:
        """Return the findings from returns by `as_of`. A return without a reason is unknown (R22, returns)."""
        if not self.inputs.tested("returns.reason"):
            return []
        findings = [TRUE, *(Finding(False, reason) for row in self.returns if row["reason"] in reasons)]
        return findings + [Finding(None, "no_evidence") for row in self.returns if row["reason"] is None]

    def damage_free(self) -> Finding:
        """Return whether there is no damage, if records would show damage (R21, damage)."""
        if not self.received:
            return Finding(None, "nothing_received")
        parts = [self.undamaged(consignment) for consignment in self.received] + self.sent_back(
            DAMAGE, "returned_damaged"
        )
        if any(credit["credit_reason"] in DAMAGE for credit, _ in self.documents("credit")):
            parts.append(Finding(False, "damage_credit"))
        found = together(parts)
        unseen = self.inputs.tested("invoices.credit_reason") and any(
            one.may_be_damage_credit(self.inputs.invoices) and one.concerns(*self.keys)
            for one in self.inputs.quarantine
        )
        return Finding(None, "quarantined") if found.verdict is True and unseen else found

    def undamaged(self, consignment: Consignment) -> Finding:
        assert consignment.came is not None
        if consignment.damaged_qty is not None:
            return part(consignment.damaged_qty == 0, "damaged")
        window_over = consignment.came.last + timedelta(hours=24 * self.policy["claims_days"]) <= self.as_of
        would_show = self.inputs.tested("invoices.credit_reason") or self.inputs.tested("returns.reason")
        return TRUE if window_over and would_show else Finding(None, "no_evidence")
