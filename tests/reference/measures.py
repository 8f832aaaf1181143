"""Reference implementation of measures: sums over judged orders and order lines.

Verdicts give true / known, fills give units and values, cycle time gives days. A line's value is an amount with four
decimals. The caller passes lines of one currency only.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from tests.reference.findings import Verdict
from tests.reference.judgements import Judgement, LineJudgement, OrderJudgement

Key = tuple[str | date | None, ...]
Count = Decimal | int


@dataclass
class Counted:
    """Sums of a measure. Its value is numerator / denominator. judged = true + false + unknown (rows or amounts)."""

    numerator: Count = 0
    denominator: Count = 0
    judged: Count = 0
    unknown: Count = 0
    combined: bool = False
    """An AND of several tests: without a value if under 90 % of the rows are known (P7)."""
    each: list[int] = field(default_factory=list)
    """The single values, for statistics such as percentiles."""

    def add(self, verdict: Verdict, weight: Count = 1, part: Count | None = None) -> None:
        """Count a row with its whole weight if true, or with `part` of its weight."""
        self.judged += weight
        if verdict is None:
            self.unknown += weight
            return
        self.denominator += weight
        self.numerator += part if part is not None else (weight if verdict else 0)

    @property
    def value(self) -> float | None:
        """Return numerator / denominator, or None if the denominator is 0 (R18, nothing to divide)."""
        if self.combined and self.denominator * 10 < self.judged * 9:
            return None
        return float(self.numerator) / float(self.denominator) if self.denominator else None

    def percentile(self, share: float) -> int | None:
        """Return the ⌈p·n⌉-th smallest value (R30, spread and percentiles)."""
        ranked = sorted(self.each)
        return ranked[math.ceil(share * len(ranked)) - 1] if ranked else None


def period(day: date, grain: str | None) -> date | None:
    """Return the first day of the period of a day. Weeks start on Monday (ISO 8601)."""
    if grain is None:
        return None
    if grain == "week":
        return day - timedelta(days=day.weekday())
    month = {"day": day.month, "month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1}[grain]
    return date(day.year, month, day.day if grain == "day" else 1)


def judged_orders(judgement: Judgement) -> Iterable[OrderJudgement]:
    return (order for order in judgement.orders.values() if order.state == "judged")


def sales(judgement: Judgement) -> Iterable[OrderJudgement]:
    return (order for order in judgement.orders.values() if order.order_type in (None, "sale"))


def judged_lines(judgement: Judgement) -> Iterable[tuple[OrderJudgement, LineJudgement]]:
    return ((judgement.orders[line.order_id], line) for line in judgement.lines.values() if line.state == "judged")


def measure(
    judgement: Judgement, name: str, *, by: tuple[str, ...] = (), grain: str | None = None
) -> dict[Key, Counted]:
    """Return the measure for each existing combination of dimension values and period.

    A key is (dimensions..., period).
    """
    found: dict[Key, Counted] = defaultdict(Counted)

    def cell(order: OrderJudgement, day: date, line: LineJudgement | None = None) -> Counted:
        own = order.dimensions | (line.dimensions if line else {})
        return found[(*(own[dimension] for dimension in by), period(day, grain))]

    count = MEASURES[name]
    count(judgement, cell)
    return dict(found)


Cell = Callable[..., Counted]


def of_verdict(name: str, *, neutral: bool = False) -> Callable[[Judgement, Cell], None]:
    """Return true / known of judged orders. With `neutral`, orders without receipts are left out."""

    def count(judgement: Judgement, cell: Cell) -> None:
        for order in judged_orders(judgement):
            finding = order.findings[name]
            if not (neutral and finding.reason == "nothing_received"):
                cell(order, order.due_day).add(finding.verdict)

    return count


def billed_orders(judgement: Judgement, cell: Cell) -> None:
    """Return billed right / known of the orders judged for billing, orders with only services included (R17)."""
    for order in judgement.orders.values():
        if order.billing_state == "judged":
            cell(order, order.due_day).add(order.findings["billed_accurately"].verdict)


def perfect_orders(judgement: Judgement, cell: Cell) -> None:
    """Return the perfect orders among orders that are perfect or failed a test. One known failure is enough."""
    tests = ("otif", "damage_free", "filled_accurately", "billed_accurately")
    for order in judged_orders(judgement):
        verdicts = [order.findings[name].verdict for name in tests]
        failed, passed = False in verdicts, all(verdict is True for verdict in verdicts)
        sums = cell(order, order.due_day)
        sums.combined = True
        sums.add(False if failed else True if passed else None)


def of_lines(verdict: Callable[[LineJudgement], Verdict]) -> Callable[[Judgement, Cell], None]:
    """Return true / known of the judged goods lines."""

    def count(judgement: Judgement, cell: Cell) -> None:
        for order, line in judged_lines(judgement):
            cell(order, line.due_day, line).add(verdict(line))

    return count


def first_pass(line: LineJudgement) -> Verdict:
    return line.filled(line.first_pass_qty)


def of_units(quantity: Callable[[LineJudgement], Decimal | None], *, priced: bool) -> Callable[[Judgement, Cell], None]:
    """Return Σ quantity / Σ owed. With `priced`, both are multiplied by the price, and lines without a price are left
    out.
    """

    def count(judgement: Judgement, cell: Cell) -> None:
        for order, line in judged_lines(judgement):
            price = line.unit_price_amount if priced else Decimal(1)
            if not price or line.owed_qty is None:
                continue
            filled = quantity(line)
            part = None if filled is None else filled * price
            cell(order, line.due_day, line).add(None if filled is None else True, line.owed_qty * price, part)

    return count


def filled_finally(line: LineJudgement) -> Decimal | None:
    """Return the filled quantity, or None if consignments on their way or quarantined records can change it."""
    certain = line.filled_qty == line.filled_most_qty and line.findings["complete"].reason != "quarantined"
    return line.filled_qty if certain else None


def cycle_days(judgement: Judgement, cell: Cell) -> None:
    for order in sales(judgement):
        if order.arrived_day is not None and order.cycle_days is not None:
            sums = cell(order, order.arrived_day)
            sums.add(True, 1, order.cycle_days)
            sums.each.append(order.cycle_days)


def all_orders_passed_first(judgement: Judgement, cell: Cell) -> None:
    """Return the orders with every owed goods line filled at first pass."""
    for order in judged_orders(judgement):
        lines = [line for line in judgement.lines.values() if line.order_id == order.order_id and line.owed_goods]
        verdicts = [first_pass(line) for line in lines]
        verdict = False if False in verdicts else (None if None in verdicts else True)
        cell(order, order.due_day).add(verdict)


def counted_orders(state: str) -> Callable[[Judgement, Cell], None]:
    def count(judgement: Judgement, cell: Cell) -> None:
        for order in judgement.orders.values():
            if order.state == state:
                cell(order, order.due_day).numerator += 1

    return count


def got_what(judgement: Judgement, cell: Cell) -> None:
    """Return the orders with counted units of the right item at the right place for every line."""
    for order in judged_orders(judgement):
        cell(order, order.due_day).add(order.got_what_wanted)


def overdue_lines(judgement: Judgement, cell: Cell) -> None:
    """Return the lines past their deadline with an open remainder."""
    for order, line in judged_lines(judgement):
        cell(order, line.due_day, line).numerator += line.overdue_open is True


def placed_orders(judgement: Judgement, cell: Cell) -> None:
    for order in sales(judgement):
        cell(order, order.ordered_day).numerator += 1


MEASURES: dict[str, Callable[[Judgement, Cell], None]] = {
    "on_time": of_verdict("on_time"),
    "complete": of_verdict("complete"),
    "otif": of_verdict("otif"),
    "damage_free": of_verdict("damage_free", neutral=True),
    "filled_accurately": of_verdict("filled_accurately", neutral=True),
    "billed_accurately": billed_orders,
    "perfect_order": perfect_orders,
    "got_what_wanted": got_what,
    "overdue_open": overdue_lines,
    "substitution_share": of_lines(
        lambda line: None if line.findings["complete"].reason == "quarantined" else line.substituted
    ),
    "back_order_share": of_lines(lambda line: line.back_ordered),
    "on_time_line": of_lines(lambda line: line.findings["on_time"].verdict),
    "otif_line": of_lines(lambda line: line.findings["otif"].verdict),
    "order_fill_first_pass": all_orders_passed_first,
    "line_fill_first_pass": of_lines(first_pass),
    "line_fill_final": of_lines(lambda line: line.findings["complete"].verdict),
    "unit_fill_first_pass": of_units(lambda line: line.first_pass_qty, priced=False),
    "unit_fill_final": of_units(filled_finally, priced=False),
    "value_fill_first_pass": of_units(lambda line: line.first_pass_qty, priced=True),
    "value_fill_final": of_units(filled_finally, priced=True),
    "cycle_days": cycle_days,
    "orders": placed_orders,
    "judged_orders": counted_orders("judged"),
    "pending_orders": counted_orders("pending"),
    "excluded_orders": counted_orders("excluded"),
}
"""Count function of each measure."""
