"""Judgement of one order and of its delivery groups, from the judgements of its lines."""

from datetime import date, datetime
from decimal import Decimal

from tests.reference.dates import Promise, Span, day_ends, event, local_day, span
from tests.reference.findings import NOT_ASKED, VERDICTS, Finding, Verdict, all_of, together, without_neutral
from tests.reference.inputs import Inputs, Row
from tests.reference.judgements import GroupJudgement, OrderJudgement, single_value
from tests.reference.lines import LineJudging
from tests.reference.receipts import collects


class OrderJudging:
    """An order. Its lines have all their verdicts except billing."""

    def __init__(self, inputs: Inputs, order: Row, lines: list[LineJudging]) -> None:
        self.inputs, self.order, self.line_judgings = inputs, order, lines
        self.lines = [line.judgement for line in lines]
        self.zone = order["ship_to_time_zone"]
        self.sale = order["order_type"] in (None, "sale")
        self.owed = [line for line in self.lines if line.owed_goods]
        self.settled = None
        if self.sale and self.owed and all(line.settled_at for line in self.owed):
            self.settled = max(line.settled_at for line in self.owed if line.settled_at)
        for line in lines:
            line.judgement.billed = line.billing(self.settled)
            if (
                self.sale and line.judgement.state != "pending"
            ):  # billing includes lines without fill or timing verdicts (R17, services and fees)
                line.judgement.findings["billed_accurately"] = line.judgement.billed

    def state(self) -> str:
        if not self.sale or not self.owed:
            return "excluded"
        return "pending" if any(line.state == "pending" for line in self.owed) else "judged"

    def billing_state(self) -> str:
        """Return the state for billing. Without goods owed, services, fees and bills are judged once they are due.

        Source: R17 (services and fees).
        """
        if not self.sale or self.owed:
            return self.state()
        billed = any(line.billed_qty or line.billed_amount for line in self.lines)
        if not billed and not any(line.line_kind in ("service", "fee") for line in self.lines):
            return "excluded"
        due = [moment for line in self.lines for moment in (line.deadline_at, line.first_due_at) if moment is not None]
        return "pending" if any(moment > self.inputs.as_of for moment in due) else "judged"

    def findings(self) -> dict[str, Finding]:
        state = self.state()
        if state == "pending":
            return dict.fromkeys((*VERDICTS, "perfect_order"), Finding(None, "not_yet_due"))
        if state == "excluded":
            findings = dict.fromkeys((*VERDICTS, "perfect_order"), NOT_ASKED)
            if self.billing_state() == "judged":
                findings["billed_accurately"] = together(without_neutral([line.billed for line in self.lines]))
            elif self.billing_state() == "pending":
                findings["billed_accurately"] = Finding(None, "not_yet_due")
            return findings
        findings = {
            name: together(line.findings[name] for line in self.owed) for name in ("on_time", "complete", "otif")
        }
        for name in ("damage_free", "filled_accurately"):
            findings[name] = together(without_neutral([line.findings[name] for line in self.owed]))
        findings["billed_accurately"] = together(without_neutral([line.billed for line in self.lines]))
        findings["perfect_order"] = together(
            findings[name] for name in ("otif", "damage_free", "filled_accurately", "billed_accurately")
        )
        return findings

    def judgement(self) -> OrderJudgement:
        ordered = span(self.order, "ordered_at", self.zone)
        assert ordered is not None
        ordered_day = local_day(ordered.first, self.zone)
        arrived_day = local_day(self.settled, self.zone) if self.settled else None
        return OrderJudgement(
            order_id=self.order["order_id"],
            order_type=self.order["order_type"] or "sale",
            state=self.state(),
            billing_state=self.billing_state(),
            deadline_at=max((line.deadline_at for line in self.owed if line.deadline_at and self.sale), default=None),
            due_day=max(
                (line.due_day for line in (self.owed if self.sale and self.owed else self.lines)), default=ordered_day
            ),
            ordered_day=ordered_day,
            settled_at=self.settled,
            arrived_day=arrived_day,
            cycle_days=(arrived_day - ordered_day).days if arrived_day else None,
            clock=self.clock(ordered),
            request=max(self.requests(), key=lambda promise: promise.ends(self.zone), default=None),
            lines=len(self.lines),
            ordered_qty=sum((line.ordered_qty or Decimal(0) for line in self.owed), Decimal(0)),
            owed_qty=sum((line.owed_qty or Decimal(0) for line in self.owed), Decimal(0)),
            in_quarantine=self.order.get("in_quarantine", False) or any(line.in_quarantine for line in self.lines),
            dimensions=self.dimensions(ordered_day),
            findings=(findings := self.findings()),
            parts=(parts := self.parts()),
            scor4=all_of([*(findings[name].verdict for name in (*VERDICTS[:4], "billed_accurately")), *parts.values()]),
            on_time_attributable=self.attributable(findings["on_time"].verdict),
            got_what_wanted=self.got_what_wanted(),
            groups=self.groups(),
        )

    def parts(self) -> dict[str, Verdict]:
        """Return the parts of `filled_accurately`. Lines without receipts are left out if another line has receipts."""
        names = ("item_ok", "place_ok", "overage_ok")
        if self.state() != "judged":
            return dict.fromkeys(names)
        telling = [
            line for line in self.owed if line.findings["filled_accurately"].reason != "nothing_received"
        ] or self.owed
        return {name: all_of(line.parts[name] for line in telling) for name in names}

    def requests(self) -> list[Promise]:
        """Return the requested date of each goods line owed."""
        owed = [line for line in self.line_judgings if self.sale and line.judgement.owed_goods]
        return [asked for line in owed if (asked := line.written("requested_by")) is not None]

    def clock(self, ordered: Span) -> tuple[datetime, datetime] | None:
        """Return the order and arrival times, or None if one is a bare date.

        The last microsecond of a day counts as a bare date.
        """
        if (
            self.settled is None
            or ordered.first != ordered.last
            or self.settled == day_ends(local_day(self.settled, self.zone), self.zone)
        ):
            return None
        return ordered.first, self.settled

    def got_what_wanted(self) -> Verdict:
        """Return whether every goods line has counted units of the right item at the right place.

        A line with consignments on their way is unknown.
        """
        if self.state() != "judged":
            return None
        verdicts: list[Verdict] = []
        for line in self.owed:
            if line.findings["complete"].reason == "quarantined" or line.counted_qty is None:
                verdicts.append(None)
            elif line.counted_qty > 0:
                compared = self.inputs.compared()
                names = [name for name in ("item_ok", "place_ok") if compared[name] or line.parts[name] is False]
                verdicts += [line.parts[name] for name in names] or [None]
            elif False in (line.parts["item_ok"], line.parts["place_ok"]):
                verdicts.append(False)  # what came is known to be wrong, whatever is still on its way
            else:
                verdicts.append(None if line.filled_most_qty > 0 else False)
        return all_of(verdicts)

    def groups(self) -> dict[datetime | None, GroupJudgement]:
        """Return the delivery groups by deadline (R16, delivery groups).

        A group has the owed goods lines. Its billing verdict includes services and fees with the same deadline.
        """
        groups: dict[datetime | None, GroupJudgement] = {}
        if not self.sale:
            return groups
        for deadline in {line.deadline_at for line in self.owed}:
            owed = [line for line in self.owed if line.deadline_at == deadline]
            if any(line.state == "pending" for line in owed):
                groups[deadline] = GroupJudgement(
                    "pending", dict.fromkeys((*VERDICTS, "perfect_order"), Finding(None, "not_yet_due"))
                )
                continue
            findings = {
                name: together(line.findings[name] for line in owed) for name in ("on_time", "complete", "otif")
            }
            for name in ("damage_free", "filled_accurately"):
                findings[name] = together(without_neutral([line.findings[name] for line in owed]))
            findings["billed_accurately"] = together(
                without_neutral([line.billed for line in self.lines if line.deadline_at == deadline])
            )
            findings["perfect_order"] = together(findings[name] for name in VERDICTS[2:])
            groups[deadline] = GroupJudgement("judged", findings)
        return groups

    def attributable(self, on_time: Verdict) -> Verdict:
        """Return `on_time`, or true if the buyer caused the delay (R29, buyer-caused delay).

        Shipment columns come first. Every late consignment of each late line needs an attempt by the deadline and a
        failure caused by the buyer. A line with an unknown verdict needs the same evidence. Without these columns, step
        11 started by the deadline and the buyer raised a sudden change before the last receipt.
        """
        if on_time is not False:
            return on_time
        if self.inputs.tested("shipments.attempted_at", "shipments.failure_caused_by"):
            return all(self.buyers_doing(line) for line in self.line_judgings if line.judgement.owed_goods)
        failing = [
            line
            for line in self.line_judgings
            if line.judgement.owed_goods and line.judgement.findings["on_time"].verdict is False
        ]
        if self.settled is None:
            return False
        deadline = min(line.deadline for line in failing if line.deadline)
        events = self.inputs.rows("order_events", self.order["order_id"])
        offered = any(
            row["step"] == 11 and row["event_no"] == 1 and self.by(row, "started_at", deadline) for row in events
        )
        cases = [
            row for row in self.inputs.rows("service_cases", self.order["order_id"]) if row["kind"] == "sudden_change"
        ]
        return offered and any(
            (opened := event(row, "opened_at", self.zone)) is not None and opened < self.settled for row in cases
        )

    def buyers_doing(self, line: LineJudging) -> bool:
        """Return whether a line was on time, or the buyer caused the failure of each late consignment."""
        on_time = line.judgement.findings["on_time"]
        if on_time.verdict is True:
            return True
        if line.deadline is None or on_time.reason in ("quarantined", "no_feed"):
            return False  # the deadline or the other consignments are unknown
        receipt = "shipped_at" if collects(self.order) else "received_at"
        late = [row for row in self.consignments(line) if not self.by(row, receipt, line.deadline)]
        return bool(late) and all(
            self.by(row, "attempted_at", line.deadline) and row["failure_caused_by"] == "buyer" for row in late
        )

    def by(self, row: Row, name: str, deadline: datetime) -> bool:
        at = event(row, name, self.zone)
        return at is not None and at <= deadline

    def consignments(self, line: LineJudging) -> list[Row]:
        """Return the consignments of a line that had left or arrived by `as_of`.

        If the buyer collects, leaving is the receipt, and a recorded arrival says nothing (R2, date of receipt).
        """
        moments = ("shipped_at",) if collects(self.order) else ("shipped_at", "received_at")
        carried = {row["shipment_id"] for row in self.inputs.rows("shipment_lines", *line.keys)}
        rows = [
            self.inputs.shipments[shipment_id]
            for shipment_id in sorted(carried)
            if shipment_id in self.inputs.shipments
        ]
        return [row for row in rows if any(self.by(row, name, self.inputs.as_of) for name in moments)]

    def dimensions(self, ordered_day: date) -> dict[str, str]:
        customer = self.inputs.version("customers", "customer_id", self.order["customer_id"], ordered_day) or {}
        return {
            "customer": self.order["customer_id"],
            "segment": customer.get("service_segment") or "(none)",
            "region": self.order["region"] or customer.get("region") or "(none)",
            "channel": self.order["channel"] or "(none)",
            "fulfilment_model": self.order["fulfilment_model"] or "(none)",
            "product_category": single_value(
                line.product_category or "(none)" for line in self.lines if line.line_kind == "goods"
            ),
            "carrier": single_value(carrier for line in self.lines for carrier in line.carriers),
        }
