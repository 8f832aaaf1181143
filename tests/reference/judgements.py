"""Results of the reference implementation: one record for each order line, order and delivery group."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from tests.reference.dates import Promise
from tests.reference.findings import NOT_ASKED, Finding, Verdict


@dataclass
class LineJudgement:
    """The judgement of one order line."""

    order_id: str
    line_no: str
    line_kind: str
    state: str
    deadline_at: datetime | None
    due_day: date
    ordered_qty: Decimal | None
    owed_qty: Decimal | None
    """None if the line's own record is in quarantine and its quantity cannot be read."""
    in_quarantine: bool
    counted_qty: Decimal
    filled_qty: Decimal
    filled_most_qty: Decimal
    """The filled quantity if all consignments on their way arrive and count."""
    first_pass_qty: Decimal | None
    settled_at: datetime | None
    last_left_at: datetime | None
    """When the last consignment with goods left."""
    request_at: datetime | None
    promise_at: datetime | None
    """The first promise, re-based by the buyer's changes, without tolerance (R1, anchor date)."""
    promise_as_made: datetime | None
    """The seller's promise as first made, without any change."""
    first_due_at: datetime | None
    """The first promise. The request, if there is no promise."""
    back_ordered: Verdict
    substituted: bool
    damaged_qty: Decimal
    cancelled_short_qty: Decimal
    overdue_open: Verdict
    product_category: str | None
    unit_price_amount: Decimal | None
    unit_cost_amount: Decimal | None
    received_qty: Decimal
    """All received units, counted or not."""
    shipped_qty: Decimal
    unproven_qty: Decimal
    in_window_qty: Decimal
    """Counted units that certainly arrived in the window, at most the owed quantity (Walmart's unit rule)."""
    in_window_most_qty: Decimal
    billed_qty: Decimal | None
    """None if no source has invoices."""
    billed_amount: Decimal | None
    """Invoices less credits and reversals, by documents that name the line."""
    carriers: frozenset[str | None]
    half_step: Decimal
    under_tolerance: Decimal
    findings: dict[str, Finding]
    parts: dict[str, Verdict] = field(default_factory=dict)
    """Parts of `filled_accurately`: item_ok, place_ok, overage_ok."""
    billed: Finding = NOT_ASKED
    """Billing finding for the order's verdict. Lines of any kind and state have it."""
    received: bool = False

    @property
    def dimensions(self) -> dict[str, str]:
        """Dimensions of the line itself."""
        return {"product_category": self.product_category or "(none)", "carrier": single_value(self.carriers)}

    @property
    def owed_goods(self) -> bool:
        return self.line_kind == "goods" and (self.owed_qty is None or self.owed_qty > 0)

    def filled(self, quantity: Decimal | None) -> Verdict:
        """Return whether a quantity fills the line."""
        if quantity is None or self.owed_qty is None:
            return None
        return quantity > self.owed_qty * (1 - self.under_tolerance) - self.half_step


@dataclass
class OrderJudgement:
    """The judgement of one order."""

    order_id: str
    order_type: str
    state: str
    billing_state: str
    """The state for billing: judged also without goods owed, if the order has services, fees or bills."""
    deadline_at: datetime | None
    due_day: date
    ordered_day: date
    settled_at: datetime | None
    arrived_day: date | None
    cycle_days: int | None
    clock: tuple[datetime, datetime] | None
    """Order time and arrival time, if both are exact instants."""
    request: Promise | None
    """The latest requested date of the order's lines."""
    lines: int
    ordered_qty: Decimal
    owed_qty: Decimal
    in_quarantine: bool
    """The order's own record, or the record of one of its lines, is in quarantine."""
    dimensions: dict[str, str]
    findings: dict[str, Finding]
    parts: dict[str, Verdict]
    scor4: Verdict
    """The perfect order by SCOR's formula."""
    on_time_attributable: Verdict
    got_what_wanted: Verdict
    groups: dict[datetime | None, "GroupJudgement"]


@dataclass
class GroupJudgement:
    """The judgement of an order's lines with the same deadline (R16, delivery groups)."""

    state: str
    findings: dict[str, Finding]


@dataclass
class Judgement:
    """The judgements of all order lines and orders placed by `as_of`."""

    lines: dict[tuple[str, str], LineJudgement]
    orders: dict[str, OrderJudgement]


def single_value(values: Iterable[str | None]) -> str:
    """Return the only value, `(several)` or `(none)`."""
    seen = {value for value in values if value}
    if len(seen) > 1:
        return "(several)"
    return next(iter(seen), "(none)")
