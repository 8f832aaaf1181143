"""Measures counted from what the judge decided, one order or order line at a time: the reference for the SQL's answers.

Each is a sum over rows (P1, P2): true / known for verdicts, units and value for fills, days for cycle time; section 4
of the rule book. The value of a line is an amount of four decimals; all lines are taken to be in one currency: the
caller sees to that.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

from tests.reference.verdicts import Judgement, LineJudgement, OrderJudgement, Verdict

Key = tuple[str | date | None, ...]
Count = Decimal | int


@dataclass
class Counted:
    """Sums of a measure. Its point is numerator / denominator; judged = true + false + unknown (rows or amounts)."""

    numerator: Count = 0
    denominator: Count = 0
    judged: Count = 0
    unknown: Count = 0
    each: list[int] = field(default_factory=list)
    """The single values, where a measure is a statistic and not a sum."""

    def add(self, verdict: Verdict, weight: Count = 1, part: Count | None = None) -> None:
        """Count a row: its whole weight when true, or `part` of it where a row can be partly good."""
        self.judged += weight
        if verdict is None:
            self.unknown += weight
            return
        self.denominator += weight
        self.numerator += part if part is not None else (weight if verdict else 0)

    @property
    def value(self) -> float | None:
        """The point; None where there is nothing to divide by (R18)."""
        return float(self.numerator) / float(self.denominator) if self.denominator else None

    def percentile(self, share: float) -> int | None:
        """Nearest rank: the ⌈p·n⌉-th smallest (R30)."""
        ranked = sorted(self.each)
        return ranked[math.ceil(share * len(ranked)) - 1] if ranked else None


def period(day: date, grain: str | None) -> date | None:
    """First day of the period a day is in; weeks begin on Monday (ISO 8601)."""
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
    """The measure for every combination of dimension values and period that has a row; a key is (dimensions...,
    period).
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
    """True / known of the judged orders; neutral: orders of which nothing was received are left out."""

    def count(judgement: Judgement, cell: Cell) -> None:
        for order in judged_orders(judgement):
            finding = order.findings[name]
            if not (neutral and finding.reason == "nothing_received"):
                cell(order, order.due_day).add(finding.verdict)

    return count


def perfect_orders(judgement: Judgement, cell: Cell) -> None:
    """All of otif and the three true, of the orders whose every part is known (P7: `nothing_received` is known)."""
    for order in judged_orders(judgement):
        sums = cell(order, order.due_day)
        parts = [order.findings[name] for name in ("otif", "damage_free", "filled_accurately", "billed_accurately")]
        known = parts[0].verdict is not None and all(
            part.verdict is not None or part.reason == "nothing_received" for part in parts[1:]
        )
        perfect = order.findings["perfect_order"].verdict
        sums.judged += 1
        sums.unknown += perfect is None
        sums.denominator += known
        sums.numerator += known and perfect is True


def of_lines(verdict: Callable[[LineJudgement], Verdict]) -> Callable[[Judgement, Cell], None]:
    """True / known of the judged goods lines."""

    def count(judgement: Judgement, cell: Cell) -> None:
        for order, line in judged_lines(judgement):
            cell(order, line.due_day, line).add(verdict(line))

    return count


def first_pass(line: LineJudgement) -> Verdict:
    return line.filled(line.first_pass_qty)


def of_units(quantity: Callable[[LineJudgement], Decimal | None], *, priced: bool) -> Callable[[Judgement, Cell], None]:
    """Σ quantity / Σ owed (each times the agreed price where priced; lines without a price are left out)."""

    def count(judgement: Judgement, cell: Cell) -> None:
        for order, line in judged_lines(judgement):
            price = line.unit_price_amount if priced else Decimal(1)
            if not price:
                continue
            filled = quantity(line)
            part = None if filled is None else amount(filled * price)
            cell(order, line.due_day, line).add(None if filled is None else True, amount(line.owed_qty * price), part)

    return count


def amount(value: Decimal) -> Decimal:
    """An amount as it is kept: four decimals, halves away from zero."""
    return value.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def filled_finally(line: LineJudgement) -> Decimal | None:
    """What came; unknown while what is on its way, or in quarantine, could change it."""
    certain = line.filled_qty == line.filled_most_qty and line.findings["complete"].reason != "quarantined"
    return line.filled_qty if certain else None


def cycle_days(judgement: Judgement, cell: Cell) -> None:
    for order in sales(judgement):
        if order.arrived_day is not None and order.cycle_days is not None:
            sums = cell(order, order.arrived_day)
            sums.add(True, 1, order.cycle_days)
            sums.each.append(order.cycle_days)


def all_orders_passed_first(judgement: Judgement, cell: Cell) -> None:
    """Orders whose every owed goods line was filled at first pass."""
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
    """Something that counts for every line, the right item at the right place (section 4 (b))."""
    for order in judged_orders(judgement):
        cell(order, order.due_day).add(order.got_what_wanted)


def overdue_lines(judgement: Judgement, cell: Cell) -> None:
    """Lines past their deadline, short, the remainder not cancelled."""
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
    "billed_accurately": of_verdict("billed_accurately"),
    "perfect_order": perfect_orders,
    "got_what_wanted": got_what,
    "got_quantity_wanted": of_verdict("complete"),
    "overdue_open": overdue_lines,
    "substitution_share": of_lines(lambda line: line.substituted),
    "back_order_share": of_lines(lambda line: line.back_ordered),
    "otif_line": of_lines(lambda line: line.findings["otif"].verdict),
    "order_fill_first_pass": all_orders_passed_first,
    "order_fill_final": of_verdict("complete"),
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
"""How each measure is counted."""
