"""The independent judge: the rule book in slow, plain Python, one order line at a time.

It reads records as they stand in the canonical feeds and knows nothing of the SQL that judges the same records in
`metrics`. Both must agree on every verdict, reason and quantity (tests/metrics/facts/orders/test_reference_agrees.py).
Rule numbers are those of the rule book; where it leaves room, docs/judgement.md says how it is read. Clocks are in
judge_clocks.py, money in judge_money.py, stockouts in judge_stockouts.py.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
Records = Mapping[str, list[dict[str, Any]]]
Verdict = bool | None

STRICT: dict[str, Any] = {
    "timing": "DEADLINE",
    "early_tolerance_days": 0,
    "early_tolerance_hours": Decimal(0),
    "late_tolerance_days": 0,
    "late_tolerance_hours": Decimal(0),
    "under_tolerance_share": Decimal(0),
    "over_tolerance_share": Decimal(0),
    "claims_days": 30,
    "invoice_days": 7,
    "anchor": "first_promise",
    "rebase": "buyer",
    "allow_substitution": True,
    "receipt_event": "received_at",
    "open_balance": "by_receipt",
    "fault_reasons": ("late", "out_of_stock"),
}
"""The strict policy: every default of section 5."""

FALSE_REASONS = (
    "late",
    "never_received",
    "too_early",
    "short",
    "damaged",
    "damage_credit",
    "returned_damaged",
    "wrong_item",
    "wrong_place",
    "over_shipped",
    "returned_wrong",
    "billed_quantity",
    "billed_price",
    "billed_amount",
    "billed_tax",
    "billed_terms",
    "billed_party",
    "billed_currency",
    "billed_late",
    "not_billed",
    "reversed",
    "billing_credit",
)
UNKNOWN_REASONS = ("no_feed", "quarantined", "no_anchor", "no_evidence", "not_yet_due", "nothing_received")
"""Why a verdict is false, or unknown; of several the first in this order is named."""

COLLECTED = ("EXW", "FCA")
"""Delivery terms under which the buyer collects at our place (R2)."""
WRONG = ("wrong_item", "wrong_place", "wrong_quantity")
DAMAGE = ("damage", "defect")
"""Reasons of a return that speak against a verdict (R22)."""
POLICY_COLUMNS = (
    "timing",
    "early_tolerance_days",
    "early_tolerance_hours",
    "late_tolerance_days",
    "late_tolerance_hours",
    "under_tolerance_share",
    "over_tolerance_share",
    "claims_days",
    "invoice_days",
    "anchor",
)
"""What a contract's row may settle (section 5); all else is strict."""

VERDICTS = ("on_time", "complete", "otif", "damage_free", "filled_accurately", "billed_accurately")

TICK = timedelta(microseconds=1)
PIECES = {"piece", "pieces", "pc", "pcs", "ea", "each", "unit", "units"}
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
"""ISO 4217: how many decimals a currency has; all others have two."""


# ---------------------------------------------------------------- three values (P3)


@dataclass(frozen=True)
class Finding:
    """A verdict and why it is false or unknown (empty when it is true, or was never asked)."""

    verdict: Verdict
    reason: str | None = None


TRUE = Finding(True)
NOT_ASKED = Finding(None)


def all_of(verdicts: Iterable[Verdict]) -> Verdict:
    """Any false gives false, else any unknown gives unknown, else true."""
    seen = list(verdicts)
    if False in seen:
        return False
    return None if None in seen else True


def together(findings: Iterable[Finding]) -> Finding:
    """The AND of findings, with the first reason in the fixed order."""
    seen = list(findings)
    verdict = all_of(finding.verdict for finding in seen)
    if verdict is True:
        return TRUE
    order = FALSE_REASONS if verdict is False else UNKNOWN_REASONS
    reasons = {finding.reason for finding in seen if finding.verdict is verdict and finding.reason}
    return Finding(verdict, min(reasons, key=order.index))


# ---------------------------------------------------------------- moments (R3)


@dataclass(frozen=True)
class Span:
    """When something happened, as far as it is known: an instant has equal ends, a bare date covers its local day."""

    first: datetime
    last: datetime


@lru_cache(maxsize=100_000)
def instant(wall: datetime, zone: str) -> datetime:
    """Return the UTC instant of a local time: the earlier of a repeated time; a skipped time moves by the gap."""
    offset = wall.replace(tzinfo=ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return wall - offset


@lru_cache(maxsize=100_000)
def wall_clock(moment: datetime, zone: str) -> datetime:
    """What the clock on the wall of that zone shows at a UTC instant."""
    return moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def day_starts(day: date, zone: str) -> datetime:
    return instant(datetime.combine(day, time()), zone)


def day_ends(day: date, zone: str) -> datetime:
    return day_starts(day + timedelta(days=1), zone) - TICK


def local_day(moment: datetime, zone: str) -> date:
    return wall_clock(moment, zone).date()


def span(row: Row, name: str, zone: str) -> Span | None:
    value = row[name]
    if value is None:
        return None
    if row[f"{name}_is_date"]:
        return Span(day_starts(value.date(), zone), day_ends(value.date(), zone))
    return Span(value, value)


def event(row: Row, name: str, zone: str) -> datetime | None:
    """When an event counts as having happened: a bare date at the end of its local day."""
    found = span(row, name, zone)
    return found.last if found else None


def hours(value: Any) -> timedelta:
    return timedelta(microseconds=int(Decimal(str(value)) * 3_600_000_000))


def shifted(moment: datetime, days: int, zone: str) -> datetime:
    """An instant moved by whole days on the local wall clock."""
    return moment if days == 0 else instant(wall_clock(moment, zone) + timedelta(days=days), zone)


# ---------------------------------------------------------------- what comes out


@dataclass(frozen=True)
class Promise:
    """A date that an order line is held to."""

    value: datetime
    is_date: bool
    order_own: bool
    """It is the order's own, so that the order's `_from` opens its window."""

    def ends(self, zone: str) -> datetime:
        return day_ends(self.value.date(), zone) if self.is_date else self.value


@dataclass
class LineJudgement:
    """All that is decided about one order line."""

    order_id: str
    line_no: str
    line_kind: str
    state: str
    deadline_at: datetime | None
    due_day: date
    ordered_qty: Decimal
    owed_qty: Decimal
    counted_qty: Decimal
    filled_qty: Decimal
    filled_most_qty: Decimal
    """What it would be with everything that is on its way and would count."""
    first_pass_qty: Decimal | None
    settled_at: datetime | None
    request_at: datetime | None
    promise_at: datetime | None
    """The first promise, re-based by the buyer where R1 and the policy allow, without tolerance."""
    first_due_at: datetime | None
    """The first promise, else the request."""
    back_ordered: Verdict
    substituted: bool
    damaged_qty: Decimal
    cancelled_short_qty: Decimal
    overdue_open: Verdict
    product_category: str | None
    unit_price_amount: Decimal | None
    unit_cost_amount: Decimal | None
    received_qty: Decimal
    """All that came, counted or not."""
    shipped_qty: Decimal
    unproven_qty: Decimal
    in_window_qty: Decimal
    """Counted certainly by the deadline, and not before a window opened, at most what is owed (Walmart's unit rule)."""
    in_window_most_qty: Decimal
    billed_qty: Decimal | None
    """None: no source brings invoices."""
    billed_amount: Decimal | None
    """Invoiced less taken back, by documents that name the line."""
    carriers: frozenset[str | None]
    half_step: Decimal
    under_tolerance: Decimal
    findings: dict[str, Finding]
    parts: dict[str, Verdict] = field(default_factory=dict)
    """The parts of `filled_accurately`: item_ok, place_ok, overage_ok."""
    billed: Finding = NOT_ASKED
    """The line's billing finding for the order's sake, given for lines of any kind and state."""
    received: bool = False

    @property
    def dimensions(self) -> dict[str, str]:
        """The dimensions that a line has of its own."""
        return {"product_category": self.product_category or "(none)", "carrier": one_of(self.carriers)}

    @property
    def owed_goods(self) -> bool:
        return self.line_kind == "goods" and self.owed_qty > 0

    def filled(self, quantity: Decimal | None) -> Verdict:
        """Whether a quantity fills the line."""
        return None if quantity is None else quantity > self.owed_qty * (1 - self.under_tolerance) - self.half_step


@dataclass
class OrderJudgement:
    """All that is decided about one order."""

    order_id: str
    order_type: str
    state: str
    deadline_at: datetime | None
    due_day: date
    ordered_day: date
    settled_at: datetime | None
    arrived_day: date | None
    cycle_days: int | None
    clock: tuple[datetime, datetime] | None
    """From order to arrival, where both are known to the instant."""
    request: Promise | None
    """The latest of its lines."""
    lines: int
    ordered_qty: Decimal
    owed_qty: Decimal
    dimensions: dict[str, str]
    findings: dict[str, Finding]
    parts: dict[str, Verdict]
    scor4: Verdict
    """SCOR's roll-up of the same perfect order."""
    on_time_attributable: Verdict
    got_what_wanted: Verdict
    groups: dict[datetime | None, "GroupJudgement"]


@dataclass
class GroupJudgement:
    """The lines of one order with one deadline (R16)."""

    state: str
    findings: dict[str, Finding]


@dataclass
class Judgement:
    """Every order line and every order that exists at `as_of`."""

    lines: dict[tuple[str, str], LineJudgement]
    orders: dict[str, OrderJudgement]


# ---------------------------------------------------------------- one consignment of one line


@dataclass(frozen=True)
class Consignment:
    """What one consignment brings to one order line, as known at `as_of`."""

    left: Span | None
    has_left: bool
    came: Span | None
    """The receipt; None while it has not happened or is not proven."""
    quantity: Decimal
    shipped_qty: Decimal
    damaged_qty: Decimal | None
    ordered_product: bool
    item: Verdict
    """False: another product that the buyer did not agree to; None: cannot be told."""
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
    """Units that came, or in one of the four cases would come, within a span."""

    first: datetime
    last: datetime
    quantity: Decimal
    never_early: bool = False


def same(left: Any, right: Any, *, tested: bool) -> Verdict:
    """Whether two values agree: true where it is not tested, unknown where one is empty."""
    if not tested:
        return True
    return None if left is None or right is None else left == right


# ---------------------------------------------------------------- the judge


def judge(records: Records, policy: Mapping[str, Any], as_of: datetime, mapped: frozenset[str]) -> Judgement:
    """Judge every order of the records at `as_of` (UTC, no zone).

    policy: the keys of `STRICT` that differ. mapped: `feed.column` of every column a source fills; a feed with none is
    absent.
    """
    return Judge(records, {**STRICT, **policy}, as_of, mapped).judgement()


def contracts(records: Records, as_of: datetime, mapped: frozenset[str]) -> dict[str, tuple[str, OrderJudgement]]:
    """Each order whose customer has a contract, as that contract judges it: order_id to (policy_id, judgement) (R35,
    section 5, P10).
    """
    strict = Judge(records, STRICT, as_of, mapped)
    terms: dict[tuple[str, date], list[str]] = {}
    for order in strict.feeds["orders"]:
        ordered = span(order, "ordered_at", order["ship_to_time_zone"])
        assert ordered is not None
        day = local_day(ordered.first, order["ship_to_time_zone"])
        customer = strict.version("customers", "customer_id", order["customer_id"], day) or {}
        contract = strict.version("policies", "policy_id", customer.get("policy_id"), day)
        if contract is not None:
            terms.setdefault((contract["policy_id"], contract["valid_from"]), []).append(order["order_id"])
    found: dict[str, tuple[str, OrderJudgement]] = {}
    for (policy_id, valid_from), theirs in terms.items():
        row = strict.version("policies", "policy_id", policy_id, valid_from)
        assert row is not None
        policy = {name: row[name] for name in POLICY_COLUMNS if row[name] is not None}
        judged = Judge(records, {**STRICT, **policy}, as_of, mapped, only=frozenset(theirs)).judgement()
        found |= {order_id: (policy_id, order) for order_id, order in judged.orders.items()}
    return found


class Judge:
    """The records, the policy and the moment of one judgement."""

    def __init__(
        self,
        records: Records,
        policy: Mapping[str, Any],
        as_of: datetime,
        mapped: frozenset[str],
        only: frozenset[str] | None = None,
    ) -> None:
        self.policy, self.as_of, self.mapped, self.only = policy, as_of, mapped, only
        alive = {feed: [row for row in rows if not row["deleted"]] for feed, rows in records.items() if self.fed(feed)}
        self.feeds: dict[str, list[dict[str, Any]]] = {feed: alive.get(feed, []) for feed in records}
        self.shipments = {row["shipment_id"]: row for row in self.feeds["shipments"]}
        self.invoices = {row["invoice_id"]: row for row in self.feeds["invoices"]}
        self.quarantine = [row for row in records.get("quarantine", []) if row["status"] in ("rejected", "waiting")]
        self.restated = list(records.get("restated_quantities", []))
        self.of_order: dict[str, dict[Any, list[Row]]] = {}
        for feed, rows in self.feeds.items():
            grouped: dict[Any, list[Row]] = {}
            for row in rows:
                if "order_id" in row:
                    grouped.setdefault(row["order_id"], []).append(row)
            self.of_order[feed] = grouped

    def rows(self, feed: str, order_id: str, line_no: str | None = None) -> list[Row]:
        """The rows of a feed about one order, or one line of it."""
        return [
            row for row in self.of_order.get(feed, {}).get(order_id, []) if line_no is None or row["line_no"] == line_no
        ]

    def fed(self, feed: str) -> bool:
        return any(name.startswith(f"{feed}.") for name in self.mapped)

    def tested(self, *names: str) -> bool:
        """A comparison is tested only where every column of it is mapped (P3)."""
        return all(name in self.mapped for name in names)

    def judgement(self) -> Judgement:
        lines: dict[tuple[str, str], LineJudgement] = {}
        orders: dict[str, OrderJudgement] = {}
        for order in self.feeds["orders"]:
            ordered = event(order, "ordered_at", order["ship_to_time_zone"])
            if (
                ordered is None
                or ordered > self.as_of
                or (self.only is not None and order["order_id"] not in self.only)
            ):
                continue
            own = self.rows("order_lines", order["order_id"])
            judged = [LineCourt(self, order, line) for line in own]
            orders[order["order_id"]] = OrderCourt(self, order, judged).judgement()
            lines |= {(court.found.order_id, court.found.line_no): court.found for court in judged}
        return Judgement(lines, orders)

    def version(self, feed: str, key: str, value: str | None, day: date) -> Row | None:
        """The version of a customer or product that applied on a day (R35)."""
        fitting = [row for row in self.feeds.get(feed, []) if row[key] == value and row["valid_from"] <= day]
        return max(fitting, key=lambda row: row["valid_from"], default=None)


class LineCourt:
    """One order line before the judge."""

    def __init__(self, judge: Judge, order: Row, line: Row) -> None:
        self.judge, self.order, self.line = judge, order, line
        self.policy, self.as_of, self.zone = judge.policy, judge.as_of, order["ship_to_time_zone"]
        ordered = span(order, "ordered_at", self.zone)
        assert ordered is not None
        self.ordered_day = local_day(ordered.first, self.zone)
        product = judge.version("products", "product_id", line["product_id"], self.ordered_day)
        self.half_step = self.rounding_step((product["base_unit"] if product else None) or "") / 2
        self.keys = (line["order_id"], line["line_no"])
        self.consignments = [one for row in judge.rows("shipment_lines", *self.keys) if (one := self.consignment(row))]
        self.returns = [row for row in judge.rows("returns", *self.keys) if self.happened(row, "announced_at")]
        self.rebased = self.first_promise_after(self.policy)
        self.deadline, self.window_from = self.deadline_and_window()
        self.owed = self.owed_quantity()
        self.found = self.facts(product)
        self.found.findings = self.delivery_findings()
        judged = self.found.state == "judged" and (judge.fed("shipments") and judge.fed("shipment_lines"))
        self.found.parts = self.accuracy() if judged else dict.fromkeys(("item_ok", "place_ok", "overage_ok"))
        if self.found.state == "judged" and self.held_back(billing=False):
            self.found.findings = dict.fromkeys(VERDICTS, Finding(None, "quarantined"))
            self.found.parts = dict.fromkeys(self.found.parts)

    def rounding_step(self, base_unit: str) -> Decimal:
        """The smallest difference that counts: the product's own, else 1 for pieces and 0.001 for all else (R11)."""
        factors = [
            row
            for row in self.judge.feeds.get("unit_factors", [])
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

    # -- what was sent and what came

    def consignment(self, row: Row) -> Consignment | None:
        """The consignment of a shipment line of this order line; None if it has neither left nor arrived."""
        shipment = self.judge.shipments.get(row["shipment_id"])
        if shipment is None:
            return None
        left, came = span(shipment, "shipped_at", self.zone), span(shipment, "received_at", self.zone)
        if self.policy["receipt_event"] == "shipped_at" or self.order["delivery_term"] in COLLECTED:
            came = left
        has_left = left is not None and left.last <= self.as_of
        to_come = came is not None and came.last > self.as_of
        if to_come:
            came = None
        if not has_left and came is None:
            return None
        tested = self.judge.tested("shipment_lines.product_id", "order_lines.product_id")
        product = same(row["product_id"], self.line["product_id"], tested=tested)
        agreed = bool(row["substitution_agreed"]) and self.policy["allow_substitution"]
        places_tested = self.judge.tested("shipments.received_place", "orders.ship_to")
        place = same(shipment["received_place"], self.order["ship_to"], tested=places_tested)
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
            place=None if to_come else place,  # where it will be received is not known before it is
            carrier=shipment["carrier"],
        )

    @property
    def received(self) -> list[Consignment]:
        """Consignments that brought something, counted or not."""
        return [one for one in self.consignments if one.proven and one.quantity > 0]

    @property
    def unproven(self) -> list[Consignment]:
        return [one for one in self.consignments if not one.proven and one.quantity > 0]

    @property
    def receipts(self) -> list[Receipt]:
        """Counted receipts, in order of their ends."""
        counted = [
            Receipt(one.came.first, one.came.last, one.quantity) for one in self.received if one.came and one.counts
        ]
        return sorted(counted, key=lambda receipt: receipt.last)

    @property
    def counted(self) -> Decimal:
        return sum((receipt.quantity for receipt in self.receipts), Decimal(0))

    @property
    def coming(self) -> Decimal:
        """Unproven units that would count."""
        return sum((one.quantity for one in self.unproven if one.counts), Decimal(0))

    # -- what was agreed

    def own_or_orders(self, name: str) -> Row | None:
        """The row that carries a `_by` date: the line if it has its own, else the order, else None."""
        if self.line[name] is not None:
            return self.line
        return self.order if self.order[name] is not None else None

    def written(self, name: str) -> Promise | None:
        """The date as first written: the line's own, else the order's."""
        carrier = self.own_or_orders(name)
        return (
            Promise(carrier[name], carrier[f"{name}_is_date"], carrier is self.order) if carrier is not None else None
        )

    def deadline_of(self, promise: Promise, policy: Mapping[str, Any]) -> datetime:
        """The last moment that keeps a promise under a policy (R4)."""
        late_days, late_hours = policy["late_tolerance_days"], hours(policy["late_tolerance_hours"])
        if promise.is_date:
            return day_ends(promise.value.date() + timedelta(days=late_days), self.zone) + late_hours
        return shifted(promise.value, late_days, self.zone) + late_hours

    def revisions(self) -> list[tuple[datetime, Row]]:
        """Promises of this line made or changed by `as_of`, each with its moment."""
        made = [(event(row, "changed_at", self.zone), row) for row in self.judge.rows("promises", *self.keys)]
        return [(at, row) for at, row in made if at is not None and at <= self.as_of]

    def first_promise_after(self, policy: Mapping[str, Any]) -> Promise | None:
        """The first promise, moved by each of the buyer's changes that came by the deadline then in force (R1)."""
        promise = self.written("promised_by")
        if promise is None or policy["rebase"] != "buyer":
            return promise
        for at, row in sorted(self.revisions(), key=lambda made: (made[0], made[1]["revision_no"])):
            if row["changed_by"] == "buyer" and at <= self.deadline_of(promise, policy):
                promise = Promise(row["promised_by"], row["promised_by_is_date"], order_own=False)
        return promise

    def anchor(self) -> Promise | None:
        """The date that the policy holds the line to."""
        if self.policy["anchor"] == "requested":
            return self.written("requested_by")
        revisions = [row for _, row in self.revisions()]
        if self.policy["anchor"] == "current_promise" and revisions:
            latest = max(revisions, key=lambda row: row["revision_no"])
            return Promise(latest["promised_by"], latest["promised_by_is_date"], order_own=False)
        return self.first_promise_after(self.policy)

    def deadline_and_window(self) -> tuple[datetime | None, datetime | None]:
        """`deadline_at` and `window_from` (None: not asked), both inclusive (R4)."""
        anchor = self.anchor()
        if anchor is None:
            return None, None
        deadline = self.deadline_of(anchor, self.policy)
        if self.policy["timing"] != "WINDOW":
            return deadline, None
        kind = "requested" if self.policy["anchor"] == "requested" else "promised"
        early_days, early_hours = self.policy["early_tolerance_days"], hours(self.policy["early_tolerance_hours"])
        window, window_is_date = self.order[f"{kind}_from"], self.order[f"{kind}_from_is_date"]
        if anchor.order_own and window is not None and not window_is_date:
            return deadline, shifted(window, -early_days, self.zone) - early_hours
        if anchor.order_own and window is not None:
            opens = window.date()
        else:
            opens = anchor.value.date() if anchor.is_date else local_day(anchor.value, self.zone)
        return deadline, day_starts(opens - timedelta(days=early_days), self.zone) - early_hours

    @property
    def first_promise(self) -> datetime | None:
        """The first promise without tolerance, as the last moment it allows, re-based as the policy has it."""
        return self.rebased.ends(self.zone) if self.rebased else None

    @property
    def request(self) -> datetime | None:
        request = self.written("requested_by")
        return request.ends(self.zone) if request else None

    def due_day(self) -> date:
        """The day the line stands under: no tolerance and no what-if moves it, so the promise is re-based as the strict
        policy does.
        """
        promise = self.first_promise_after(STRICT)
        due = promise.ends(self.zone) if promise else self.request
        return local_day(due, self.zone) if due else self.ordered_day

    @property
    def promise_or_request(self) -> datetime | None:
        return self.first_promise or self.request

    def ordered_in_all(self) -> Decimal:
        """What was ordered, the buyer's later additions in, what the seller wrote off still there (R14)."""
        changes = [row for row in self.judge.restated if (row["order_id"], row["line_no"]) == self.keys]
        changes = sorted(changes, key=lambda row: row["run_id"])
        if not changes:
            return Decimal(self.line["ordered_qty"])
        until = self.as_of if self.deadline is None else min(self.deadline, self.as_of)
        return max(
            Decimal(quantity)
            for quantity in (
                changes[0]["before_qty"],
                *(row["after_qty"] for row in changes if row["data_as_of"] <= until),
            )
        )

    def cancelled(self, row: Row) -> datetime | None:
        """When the line or its order was cancelled, by whomever, if it has happened."""
        at = event(row, "cancelled_at", self.zone)
        return at if at is not None and at <= self.as_of else None

    def excused(self, row: Row) -> datetime | None:
        """When the buyer cancelled in time and without our fault (R13)."""
        at = self.cancelled(row)
        if at is None or row["cancelled_by"] != "buyer" or row["cancel_reason"] in self.policy["fault_reasons"]:
            return None
        return at if self.deadline is None or at <= self.deadline else None

    def received_by(self, moment: datetime) -> Decimal:
        return sum((receipt.quantity for receipt in self.receipts if receipt.last <= moment), Decimal(0))

    def owed_quantity(self) -> Decimal:
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

    # -- quantities (R10, R11)

    def enough(self, quantity: Decimal, wanted: Decimal | None = None) -> bool:
        wanted = self.owed if wanted is None else wanted
        return quantity > wanted * (1 - Decimal(str(self.policy["under_tolerance_share"]))) - self.half_step

    def too_much(self, quantity: Decimal) -> bool:
        return quantity >= self.owed * (1 + Decimal(str(self.policy["over_tolerance_share"]))) + self.half_step

    def first_pass(self) -> Decimal | None:
        """Return the quantity of the ordered product shipped by the first promise, else the request, up to the owed.

        Source: R8 (first-pass and final fill).
        """
        by = self.promise_or_request
        if by is None or not self.judge.tested("shipments.shipped_at") or self.held_back(billing=False):
            return None
        certain = possible = Decimal(0)
        for one in self.consignments:
            if not one.ordered_product:
                continue
            if one.left is not None and one.left.last <= by:
                certain += one.shipped_qty
            if one.left is None or one.left.first <= by:
                possible += one.shipped_qty
        least, most = min(self.owed, certain), min(self.owed, possible)
        return least if least == most else None

    def back_ordered(self) -> Verdict:
        """Short at the first promise, all sent in the end (an agreed substitute too, for the right place), and some of
        it only later.

        The clock is that of shipping: what was sent was sent, whatever came of it.
        """
        first, by = self.first_pass(), self.promise_or_request
        if first is None or by is None:
            return None
        sent = [one for one in self.consignments if one.item is not False and one.place is not False]
        later = any(one.left is not None and one.left.last > by and one.shipped_qty > 0 for one in sent)
        return not self.enough(first) and later and self.enough(sum((one.shipped_qty for one in sent), Decimal(0)))

    def in_window(self, *, certainly: bool) -> Decimal:
        """Units that came inside the window, or by the deadline; if not certainly, also what may have, and what may
        have left by then.
        """
        deadline, opens = self.deadline, self.window_from
        if deadline is None:
            return Decimal(0)
        came = Decimal(0)
        for one in self.receipts:
            late, early = (one.last, one.first) if certainly else (one.first, one.last)
            if late <= deadline and (opens is None or early >= opens):
                came += one.quantity
        if not certainly:
            came += sum(
                (one.quantity for one in self.unproven if one.counts and one.left and one.left.first <= deadline),
                Decimal(0),
            )
        return came

    def damaged_quantity(self) -> Decimal:
        """Units that came damaged or went back for damage, each unit once as far as can be told: the larger of the two
        counts.
        """
        on_arrival = sum((one.damaged_qty or Decimal(0) for one in self.received), Decimal(0))
        sent_back = sum((row["returned_qty"] for row in self.returns if row["reason"] in DAMAGE), Decimal(0))
        return max(on_arrival, sent_back)

    def settled(self) -> datetime | None:
        """The receipt with which the counted quantity was first enough, else the latest."""
        running = Decimal(0)
        for receipt in self.receipts:
            running += receipt.quantity
            if self.enough(running):
                return receipt.last
        return self.receipts[-1].last if self.receipts else None

    def state(self) -> str:
        if self.order["order_type"] not in (None, "sale") or self.line["line_kind"] != "goods" or self.owed <= 0:
            return "excluded"
        due = [moment for moment in (self.deadline, self.first_promise) if moment is not None]
        return "pending" if any(moment > self.as_of for moment in due) else "judged"

    def facts(self, product: Row | None) -> LineJudgement:
        due = self.promise_or_request
        return LineJudgement(
            order_id=self.line["order_id"],
            line_no=self.line["line_no"],
            line_kind=self.line["line_kind"],
            state=self.state(),
            deadline_at=self.deadline,
            due_day=self.due_day(),
            ordered_qty=self.line["ordered_qty"],
            owed_qty=self.owed,
            counted_qty=self.counted,
            filled_qty=min(self.owed, self.counted),
            filled_most_qty=min(self.owed, self.counted + self.coming),
            first_pass_qty=self.first_pass(),
            settled_at=self.settled(),
            request_at=self.request,
            promise_at=self.first_promise,
            first_due_at=due,
            back_ordered=self.back_ordered(),
            substituted=any(one.counts and not one.ordered_product for one in self.received),
            damaged_qty=self.damaged_quantity(),
            cancelled_short_qty=self.cancelled_short(),
            overdue_open=self.overdue_open() if self.state() == "judged" else False,
            product_category=product["category"] if product else None,
            unit_price_amount=self.line["unit_price_amount"],
            unit_cost_amount=product["unit_cost_amount"] if product else None,
            received_qty=sum((one.quantity for one in self.received), Decimal(0)),
            shipped_qty=sum((one.shipped_qty for one in self.consignments if one.has_left), Decimal(0)),
            unproven_qty=self.coming,
            in_window_qty=min(self.owed, self.in_window(certainly=True)),
            in_window_most_qty=min(self.owed, self.in_window(certainly=False)),
            billed_qty=self.billed("billed_qty", invoice=1),
            billed_amount=self.billed("line_amount", invoice=1, credit=-1, reversal=-1),
            carriers=frozenset(one.carrier for one in self.consignments),
            half_step=self.half_step,
            under_tolerance=Decimal(str(self.policy["under_tolerance_share"])),
            findings={},
            received=bool(self.received),
        )

    def held_back(self, *, billing: bool) -> bool:
        """Whether a record of this line (or of its whole order) is in quarantine: a bill, or anything else (R34).

        A line that is held back is a child of its order, which cannot be judged without it.
        """
        return any(
            (row["feed"] in ("invoices", "invoice_lines")) is billing
            and row["order_id"] == self.line["order_id"]
            and (row["line_no"] in (None, self.line["line_no"]) or row["feed"] == "order_lines")
            for row in self.judge.quarantine
        )

    # -- verdicts

    def delivery_findings(self) -> dict[str, Finding]:
        """The verdicts of the line; billing is added by the order, which knows when it was settled."""
        if self.found.state == "pending":
            return dict.fromkeys(VERDICTS, Finding(None, "not_yet_due"))
        if self.found.state == "excluded":
            return dict.fromkeys(VERDICTS, NOT_ASKED)
        if not (self.judge.fed("shipments") and self.judge.fed("shipment_lines")):
            return dict.fromkeys(VERDICTS, Finding(None, "no_feed"))
        return self.four_cases() | {"damage_free": self.damage_free(), "filled_accurately": self.filled_accurately()}

    def arrivals(self) -> list[list[Receipt]]:
        """The unproven consignments' arrivals in each of the four cases (section 2): when shipped, at `as_of`, never,
        at the deadline.
        """
        coming = [one for one in self.unproven if one.counts]
        when_shipped = [Receipt(one.left.first, one.left.last, one.quantity) for one in coming if one.left]
        at_as_of = [Receipt(self.as_of, self.as_of, one.quantity) for one in coming]
        if self.deadline is None:
            return [when_shipped, at_as_of, []]
        at_deadline = [
            # one that only may have left by the deadline only may have come by then
            Receipt(
                self.deadline,
                self.deadline + (TICK if one.left.last > self.deadline else timedelta()),
                one.quantity,
                never_early=True,
            )
            for one in coming
            if one.left and one.left.first <= self.deadline
        ]
        return [when_shipped, at_as_of, [], at_deadline]

    def four_cases(self) -> dict[str, Finding]:
        """on_time, complete and otif, each known only where all cases agree."""
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
        return TRUE if self.enough(sum((one.quantity for one in receipts), Decimal(0))) else Finding(False, "short")

    def on_time(self, receipts: list[Receipt]) -> Finding:
        """Whether the needed goods came by the deadline, and in a window not before it (R4, R7, R15)."""
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
        total = sum((one.quantity for one in receipts), Decimal(0))
        certain = sum((one.quantity for one in receipts if one.last <= deadline), Decimal(0))
        possible = sum((one.quantity for one in receipts if one.first <= deadline), Decimal(0))
        if self.enough(total):
            if self.enough(certain):
                return TRUE
            return Finding(None, "no_evidence") if self.enough(possible) else Finding(False, "late")
        if not receipts:
            return Finding(False, "never_received")
        if possible < total or (self.policy["open_balance"] == "late" and not self.enough(total, self.uncancelled())):
            return Finding(False, "late")
        return Finding(None, "no_evidence") if certain < total else TRUE

    def uncancelled(self) -> Decimal:
        """What is still open of the line whoever cancelled, for `open_balance` = late."""
        if self.cancelled(self.order) is not None:
            return Decimal(0)
        if self.cancelled(self.line) is None:
            return self.owed
        gone = self.line["cancelled_qty"]
        return Decimal(0) if gone is None else max(Decimal(0), min(self.owed, self.ordered_in_all() - gone))

    def cancelled_short(self) -> Decimal:
        """How much of what is owed and did not come was closed by a cancellation, whoever cancelled."""
        return max(Decimal(0), self.owed - max(self.counted, self.uncancelled()))

    def overdue_open(self) -> Verdict:
        """Past its deadline, short, and the remainder not cancelled (R15)."""
        if self.deadline is None or self.deadline > self.as_of or self.enough(self.counted, self.uncancelled()):
            return False
        return None if self.enough(self.counted + self.coming, self.uncancelled()) else True

    def accuracy_findings(self) -> dict[str, Finding]:
        """Right item, right place, not too much, each on its own (R9, R19, R20, R22)."""
        item = [part(one.item, "wrong_item") for one in self.received]
        place = [part(one.place, "wrong_place") for one in self.received]
        item += [Finding(None, "no_evidence") for one in self.unproven if one.item is not True]
        net = self.counted - sum((row["returned_qty"] for row in self.returns), Decimal(0))
        overage = TRUE
        if self.too_much(net):
            overage = Finding(False, "over_shipped")
        elif self.too_much(net + self.coming):
            overage = Finding(None, "no_evidence")
        return {"item_ok": together(item), "place_ok": together(place), "overage_ok": overage}

    def accuracy(self) -> dict[str, Verdict]:
        """The parts of `filled_accurately`, a wrong return counted to the part it names."""
        if not self.received:
            return dict.fromkeys(("item_ok", "place_ok", "overage_ok"))
        parts = {name: [finding.verdict] for name, finding in self.accuracy_findings().items()}
        for row in self.returns:
            if row["reason"] in WRONG:
                parts[
                    {"wrong_item": "item_ok", "wrong_place": "place_ok", "wrong_quantity": "overage_ok"}[row["reason"]]
                ].append(False)
            elif row["reason"] is None and self.judge.tested("returns.reason"):
                for verdicts in parts.values():
                    verdicts.append(None)
        return {name: all_of(verdicts) for name, verdicts in parts.items()}

    def filled_accurately(self) -> Finding:
        """Right item, right place, not too much, and nothing sent back for being wrong (R9, R19, R20, R22)."""
        if not self.received:
            return Finding(None, "nothing_received")
        return together([*self.accuracy_findings().values(), *self.sent_back(WRONG, "returned_wrong")])

    def sent_back(self, reasons: tuple[str, ...], why: str) -> list[Finding]:
        """What the returns announced by `as_of` say against a verdict; one whose reason is not told may say anything
        (P3, R22).
        """
        if not self.judge.tested("returns.reason"):
            return []
        said = [TRUE, *(Finding(False, why) for row in self.returns if row["reason"] in reasons)]
        return said + [Finding(None, "no_evidence") for row in self.returns if row["reason"] is None]

    def damage_free(self) -> Finding:
        """No evidence of damage, where evidence would have shown (R21)."""
        if not self.received:
            return Finding(None, "nothing_received")
        parts = [self.undamaged(one) for one in self.received] + self.sent_back(DAMAGE, "returned_damaged")
        if any(credit["credit_reason"] in DAMAGE for credit, _ in self.documents("credit")):
            parts.append(Finding(False, "damage_credit"))
        return together(parts)

    def undamaged(self, one: Consignment) -> Finding:
        assert one.came is not None
        if one.damaged_qty is not None:
            return part(one.damaged_qty == 0, "damaged")
        window_over = one.came.last + timedelta(hours=24 * self.policy["claims_days"]) <= self.as_of
        would_show = self.judge.tested("invoices.credit_reason") or self.judge.tested("returns.reason")
        return TRUE if window_over and would_show else Finding(None, "no_evidence")

    # -- billing (R23)

    def documents(self, kind: str) -> list[tuple[Row, Row]]:
        """Billing documents of a kind that name this line, dated by `as_of`: (document, its line)."""
        found: list[tuple[Row, Row]] = []
        for row in self.judge.rows("invoice_lines", *self.keys):
            document = self.judge.invoices.get(row["invoice_id"])
            if document is not None and document["invoice_kind"] == kind and self.dated(document) <= self.as_of:
                found.append((document, row))
        return found

    def billed(self, column: str, **signs: int) -> Decimal | None:
        """The sum of a column over the documents of these kinds, each with its sign."""
        if not (self.judge.fed("invoices") and self.judge.fed("invoice_lines")):
            return None
        bills = [(sign, bill[column]) for kind, sign in signs.items() for _, bill in self.documents(kind)]
        return sum((sign * value for sign, value in bills if value is not None), Decimal(0))

    def dated(self, document: Row) -> datetime:
        at = event(document, "invoiced_at", self.zone)
        assert at is not None
        return at

    def reversed_invoices(self) -> set[str]:
        documents = self.judge.invoices.values()
        return {
            one["reverses_invoice_id"]
            for one in documents
            if one["invoice_kind"] == "reversal" and self.dated(one) <= self.as_of
        }

    def billing(self, order_settled: datetime | None) -> Finding:
        """Whether the line was billed as it was delivered and agreed, whatever its kind."""
        if self.held_back(billing=True) or self.held_back(billing=False):
            return Finding(None, "quarantined")
        if not (self.judge.fed("invoices") and self.judge.fed("invoice_lines")):
            return Finding(None, "no_feed")
        bills = self.documents("invoice")
        goods = self.line["line_kind"] == "goods"
        closes = self.bill_window(self.found.settled_at if goods else order_settled, goods=goods)
        if self.nothing_to_bill(bills, closes, goods=goods):
            return Finding(None, "nothing_received")
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
        """The last moment for the first bill; None while nothing has started the clock."""
        left = [one.left.last for one in self.unproven if one.left]
        if settled is None and goods and left:
            settled = max(left)
        if settled is None:
            return None
        return day_ends(local_day(settled, self.zone) + timedelta(days=self.policy["invoice_days"]), self.zone)

    def nothing_to_bill(self, bills: list[tuple[Row, Row]], closes: datetime | None, *, goods: bool) -> bool:
        """Whether nothing came, is coming (and would count) or was billed; a service waits for its order to settle
        instead.
        """
        if bills:
            return False
        return not self.received and not any(one.counts for one in self.unproven) if goods else closes is None

    def billed_quantity(self, bills: list[tuple[Row, Row]], closes: datetime | None, *, goods: bool) -> Finding:
        if goods:
            damaged = sum((one.damaged_qty or Decimal(0) for one in self.received if one.counts), Decimal(0))
            expected = self.counted + self.coming
        else:
            expected, damaged = self.owed, Decimal(0)
        if bills and not self.judge.tested("invoice_lines.billed_qty"):
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
        """Price, amount, terms, party and currency of one billed line."""
        tested: Callable[..., bool] = self.judge.tested
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
        if not self.judge.tested(*(f"invoice_lines.{column}" for column in columns)):
            return True
        if any(bill[column] is None for column in columns):
            return None
        return bool(
            abs(bill["line_amount"] - bill["billed_qty"] * bill["unit_price_amount"])
            <= half_minor(document["currency"])
        )

    def tax_right(self, document: Row, bill: Row) -> Verdict:
        """Whether the agreed tax was billed on what was billed, to half a minor unit."""
        if not self.judge.tested("order_lines.tax_rate", "invoice_lines.tax_amount"):
            return True
        if self.line["tax_rate"] is None or bill["tax_amount"] is None:
            return None
        return bool(
            abs(bill["tax_amount"] - bill["line_amount"] * self.line["tax_rate"]) <= half_minor(document["currency"])
        )


def half_minor(currency: str | None) -> Decimal:
    """Half of the smallest coin of a currency; half a hundredth where it is not known."""
    return Decimal("0.5").scaleb(-MINOR_DIGITS.get(currency or "", 2))


def part(verdict: Verdict, reason: str) -> Finding:
    """A part of a verdict: true, false for the reason, or unknown for want of evidence."""
    if verdict is True:
        return TRUE
    return Finding(False, reason) if verdict is False else Finding(None, "no_evidence")


class OrderCourt:
    """One order before the judge, its lines judged already but for billing."""

    def __init__(self, judge: Judge, order: Row, lines: list[LineCourt]) -> None:
        self.judge, self.order, self.courts = judge, order, lines
        self.lines = [court.found for court in lines]
        self.zone = order["ship_to_time_zone"]
        self.sale = order["order_type"] in (None, "sale")
        self.owed = [line for line in self.lines if line.owed_goods]
        self.settled = None
        if self.sale and self.owed and all(line.settled_at for line in self.owed):
            self.settled = max(line.settled_at for line in self.owed if line.settled_at)
        for court in lines:
            court.found.billed = court.billing(self.settled)
            if self.sale and court.found.state != "pending":  # lines outside fill and timing are inside billing (R17)
                court.found.findings["billed_accurately"] = court.found.billed

    def state(self) -> str:
        if not self.sale or not self.owed:
            return "excluded"
        return "pending" if any(line.state == "pending" for line in self.owed) else "judged"

    def findings(self) -> dict[str, Finding]:
        state = self.state()
        if state == "pending":
            return dict.fromkeys((*VERDICTS, "perfect_order"), Finding(None, "not_yet_due"))
        if state == "excluded":
            return dict.fromkeys((*VERDICTS, "perfect_order"), NOT_ASKED)
        found = {name: together(line.findings[name] for line in self.owed) for name in ("on_time", "complete", "otif")}
        for name in ("damage_free", "filled_accurately"):
            found[name] = together(without_neutral([line.findings[name] for line in self.owed]))
        found["billed_accurately"] = together(without_neutral([line.billed for line in self.lines]))
        found["perfect_order"] = together(
            found[name] for name in ("otif", "damage_free", "filled_accurately", "billed_accurately")
        )
        return found

    def judgement(self) -> OrderJudgement:
        ordered = span(self.order, "ordered_at", self.zone)
        assert ordered is not None
        ordered_day = local_day(ordered.first, self.zone)
        arrived_day = local_day(self.settled, self.zone) if self.settled else None
        return OrderJudgement(
            order_id=self.order["order_id"],
            order_type=self.order["order_type"] or "sale",
            state=self.state(),
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
            ordered_qty=sum((line.ordered_qty for line in self.owed), Decimal(0)),
            owed_qty=sum((line.owed_qty for line in self.owed), Decimal(0)),
            dimensions=self.dimensions(ordered_day),
            findings=(found := self.findings()),
            parts=(parts := self.parts()),
            scor4=all_of([*(found[name].verdict for name in (*VERDICTS[:4], "billed_accurately")), *parts.values()]),
            on_time_attributable=self.attributable(found["on_time"].verdict),
            got_what_wanted=self.got_what_wanted(),
            groups=self.groups(),
        )

    def parts(self) -> dict[str, Verdict]:
        """The parts of `filled_accurately`; lines with nothing received are neutral while another has something."""
        names = ("item_ok", "place_ok", "overage_ok")
        if self.state() != "judged":
            return dict.fromkeys(names)
        telling = [
            line for line in self.owed if line.findings["filled_accurately"].reason != "nothing_received"
        ] or self.owed
        return {name: all_of(line.parts[name] for line in telling) for name in names}

    def requests(self) -> list[Promise]:
        """What was asked for each line, services and fees too."""
        return [asked for court in self.courts if (asked := court.written("requested_by")) is not None]

    def clock(self, ordered: Span) -> tuple[datetime, datetime] | None:
        """Return the time from order to arrival if neither is a bare date. A day's last microsecond counts as one."""
        if (
            self.settled is None
            or ordered.first != ordered.last
            or self.settled == day_ends(local_day(self.settled, self.zone), self.zone)
        ):
            return None
        return ordered.first, self.settled

    def got_what_wanted(self) -> Verdict:
        """Every goods line has something that counts, the right item at the right place; what may be on its way may yet
        (section 4 (b)).
        """
        if self.state() != "judged":
            return None
        verdicts: list[Verdict] = []
        for line in self.owed:
            if line.findings["complete"].reason == "quarantined":
                verdicts.append(None)
            elif line.counted_qty > 0:
                verdicts += [line.parts["item_ok"], line.parts["place_ok"]]
            else:
                verdicts.append(None if line.filled_most_qty > 0 else False)
        return all_of(verdicts)

    def groups(self) -> dict[datetime | None, GroupJudgement]:
        """The order's delivery groups by deadline (R16): goods lines owed; services and fees of that deadline are in
        its billing.
        """
        found: dict[datetime | None, GroupJudgement] = {}
        if not self.sale:
            return found
        for deadline in {line.deadline_at for line in self.owed}:
            owed = [line for line in self.owed if line.deadline_at == deadline]
            if any(line.state == "pending" for line in owed):
                found[deadline] = GroupJudgement(
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
            found[deadline] = GroupJudgement("judged", findings)
        return found

    def attributable(self, on_time: Verdict) -> Verdict:
        """`on_time`, or late by the buyer's doing (R29).

        The columns made for it speak first: each consignment of a line not on time that did not come by its deadline
        was offered by then and failed by the buyer; a line that nobody can tell of passes only if it would whether it
        came in time or not. Without them: step 11 was begun by the deadline and the buyer raised a sudden change before
        the last receipt.
        """
        if on_time is not False:
            return on_time
        if self.judge.tested("shipments.attempted_at", "shipments.failure_caused_by"):
            return all(self.buyers_doing(court) for court in self.courts if court.found.owed_goods)
        failing = [
            court
            for court in self.courts
            if court.found.owed_goods and court.found.findings["on_time"].verdict is False
        ]
        if self.settled is None:
            return False
        deadline = min(court.deadline for court in failing if court.deadline)
        events = self.judge.rows("order_events", self.order["order_id"])
        offered = any(
            row["step"] == 11 and row["event_no"] == 1 and self.by(row, "started_at", deadline) for row in events
        )
        cases = [
            row for row in self.judge.rows("service_cases", self.order["order_id"]) if row["kind"] == "sudden_change"
        ]
        return offered and any(
            (opened := event(row, "opened_at", self.zone)) is not None and opened < self.settled for row in cases
        )

    def buyers_doing(self, court: LineCourt) -> bool:
        """Whether a line was on time, or each consignment that had not come by its deadline was offered by then and
        failed by the buyer.
        """
        on_time = court.found.findings["on_time"]
        if on_time.verdict is True:
            return True
        if court.deadline is None or on_time.reason in ("quarantined", "no_feed"):
            return False  # when it was due, or what else was sent, nobody can tell
        late = [row for row in self.consignments(court) if not self.by(row, "received_at", court.deadline)]
        return bool(late) and all(
            self.by(row, "attempted_at", court.deadline) and row["failure_caused_by"] == "buyer" for row in late
        )

    def by(self, row: Row, name: str, deadline: datetime) -> bool:
        at = event(row, name, self.zone)
        return at is not None and at <= deadline

    def consignments(self, court: LineCourt) -> list[Row]:
        """The consignments of a line that had left or come by `as_of`."""
        carried = {row["shipment_id"] for row in self.judge.rows("shipment_lines", *court.keys)}
        rows = [self.judge.shipments[one] for one in sorted(carried) if one in self.judge.shipments]
        return [
            row for row in rows if any(self.by(row, name, self.judge.as_of) for name in ("shipped_at", "received_at"))
        ]

    def dimensions(self, ordered_day: date) -> dict[str, str]:
        customer = self.judge.version("customers", "customer_id", self.order["customer_id"], ordered_day) or {}
        return {
            "customer": self.order["customer_id"],
            "segment": customer.get("service_segment") or "(none)",
            "region": customer.get("region") or "(none)",
            "channel": self.order["channel"] or "(none)",
            "fulfilment_model": self.order["fulfilment_model"] or "(none)",
            "product_category": one_of(
                line.product_category or "(none)" for line in self.lines if line.line_kind == "goods"
            ),
            "carrier": one_of(carrier for line in self.lines for carrier in line.carriers),
        }


def without_neutral(findings: list[Finding]) -> list[Finding]:
    """The findings less those of lines with nothing received, which are neutral while another line has something."""
    telling = [finding for finding in findings if finding.reason != "nothing_received"]
    return telling or findings


def one_of(values: Iterable[str | None]) -> str:
    """The value under which an order stands that has several."""
    seen = {value for value in values if value}
    if len(seen) > 1:
        return "(several)"
    return next(iter(seen), "(none)")
