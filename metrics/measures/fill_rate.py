"""The value of a better order fill for observed orders with assumed costs. `fill_scenarios.py` has the calculation.

Source: Coyle (study problem 12, case Paper2Go); docs/rules.md, stockouts and reference figures.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, func, select

from metrics.errors import SettingRefused
from metrics.facts.assumptions import assumed, assumption_scope
from metrics.facts.orders import order_facts_table
from metrics.measures.fill_scenarios import Scenario, cash_lost, compare
from metrics.measures.needs import CORE_FEEDS, FILL_ASSUMPTIONS, NEEDS_FIRST_PASS, PENDING, STOCKOUT_ASSUMPTIONS
from metrics.measures.order_outcomes import OrderOutcomes, outcomes_known_through, outcomes_of_orders
from metrics.model.dimensions import SHARED_DIMENSIONS
from metrics.model.measure import Direction, Measure, Study, Unit
from metrics.model.question import NO_ROWS, Answer, Ask, Provisional, Question
from metrics.model.statistics import DAYS_A_YEAR, divide

LINE_SOURCES = ("first pass", "receipt")
"""Outcomes of order-line stockouts, by how they were observed (facts of stockouts). Other stockouts never became an
order.
"""

ESTIMATE = "each part has its own fill, shares and assumptions"

Dimensions = Mapping[str, str | None]


@dataclass(frozen=True)
class Observed:
    """The orders of one answer at their own fill and at the target fill, or the reason why there is no scenario."""

    dimensions: Dimensions
    period: date | None
    low: Scenario | None = None
    high: Scenario | None = None
    investment: Decimal = Decimal(0)
    provisional: Provisional | None = None
    why: str | None = None


def observed(connection: Connection, question: Question, ask: Ask) -> list[Observed]:
    """Return the scenarios of the selected orders, one per combination of `by` and period.

    Orders, fill and shares are observed; costs are assumed. Orders and fill come from order_fill_first_pass.
    """
    fills = ask(replace(question, measures=("order_fill_first_pass",)))
    counted = outcomes_of_orders(connection, replace(question, measures=()))
    through = outcomes_known_through(connection)
    scenarios = []
    for fill in fills:
        mine = counted.get(_key(fill))
        found = _scenarios(connection, fill, mine, assumption_scope(fill.dimensions, question.where))
        if mine is not None and mine.provisional and through is not None:
            found = replace(found, provisional=Provisional("loss window", mine.provisional, through))
        scenarios.append(found)
    return scenarios


def _key(answer: Answer) -> tuple[object, ...]:
    return (*answer.dimensions.values(), answer.period)


def _scenarios(connection: Connection, fill: Answer, counted: OrderOutcomes | None, scope: str) -> Observed:
    if fill.value is None or fill.numerator is None or not fill.denominator:
        return Observed(fill.dimensions, fill.period, why=fill.no_data or NO_ROWS)
    present = Decimal(fill.numerator) / Decimal(fill.denominator)
    if present < 1 and (counted is None or not counted.known):
        return Observed(fill.dimensions, fill.period, why="no data: no incomplete order has an outcome yet")
    given = {
        name: assumed(connection, f"fill_{name}", scope=scope)
        for name in ("target", "back_order_cost", "invoice_deduction", "order_profit")
    }
    shares = counted if counted is not None and counted.known else OrderOutcomes(1, 0, 0)  # no incomplete orders
    costs = (
        shares.share(shares.back_ordered),
        given["back_order_cost"],
        given["order_profit"],
        given["invoice_deduction"],
        shares.share(shares.waited),
    )
    try:
        low = Scenario(Decimal(fill.denominator), present, *costs)
        high = Scenario(Decimal(fill.denominator), max(given["target"], present), *costs)
    except SettingRefused as refused:  # a page shows its other numbers next to the reason
        return Observed(fill.dimensions, fill.period, why=f"no data: assumed {refused}")
    return Observed(
        fill.dimensions, fill.period, low=low, high=high, investment=assumed(connection, "fill_investment", scope=scope)
    )


def _cash_lost(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """Return fill_cash_lost of each answer: numerator the money lost, denominator the incomplete orders."""
    answers = []
    for scenario in observed(connection, question, ask):
        if scenario.low is None:
            answers.append(_without(scenario, question))
            continue
        lost = cash_lost(scenario.low)
        cash = _exact(lost.cash)
        answers.append(
            Answer(
                dict(scenario.dimensions),
                scenario.period,
                question.measures[0],
                cash,
                numerator=cash,
                denominator=_exact(lost.incomplete),
                remark=(
                    f"of the incomplete orders, {scenario.low.back_ordered_share:.1%} back-ordered at "
                    f"{scenario.low.back_order_cost + scenario.low.invoice_deduction:,.2f} assumed, "
                    f"{scenario.low.waited_share:.1%} waited at no cost, the rest lost at "
                    f"{scenario.low.order_profit:,.2f} assumed"
                ),
                provisional=scenario.provisional,
            )
        )
    return answers


def _gain(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """Return fill_gain of each answer: numerator the gain, denominator the orders that become complete."""
    answers = []
    for scenario in observed(connection, question, ask):
        if scenario.low is None or scenario.high is None:
            answers.append(_without(scenario, question))
            continue
        comparison = compare(scenario.low, scenario.high)
        gain = _exact(comparison.gain)
        answers.append(
            Answer(
                dict(scenario.dimensions),
                scenario.period,
                question.measures[0],
                gain,
                numerator=gain,
                denominator=_exact(comparison.low.incomplete - comparison.high.incomplete),
                remark=_reached(scenario.low, scenario.high),
                provisional=scenario.provisional,
            )
        )
    return answers


def _payback(connection: Connection, question: Question, ask: Ask) -> list[Answer]:
    """Return fill_payback of each answer: the investment / the annualised gain."""
    days = days_in_view(connection, question)
    answers = []
    for scenario in observed(connection, question, ask):
        if scenario.low is None or scenario.high is None or days is None:
            answers.append(_without(scenario, question))
            continue
        yearly = _exact(compare(scenario.low, scenario.high).gain * DAYS_A_YEAR / days)
        value = divide(scenario.investment, yearly)
        answers.append(
            Answer(
                dict(scenario.dimensions),
                scenario.period,
                question.measures[0],
                value,
                numerator=scenario.investment,
                denominator=yearly,
                no_data="no data: no gain, because the fill has reached its target" if value is None else None,
                remark=(
                    f"{_reached(scenario.low, scenario.high)}; the gain of {days} days is annualised; "
                    f"one year's gain covers an investment of {yearly:,.2f}"
                ),
                provisional=scenario.provisional,
            )
        )
    return answers


def _exact(amount: Decimal) -> Decimal:
    """Round to four decimals, as all money: the assumed shares have endless fractions."""
    return amount.quantize(Decimal("0.0001"))


def _reached(low: Scenario, high: Scenario) -> str:
    return f"order fill from {low.fill:.2%} observed to {high.fill:.2%} assumed"


def _without(scenario: Observed, question: Question) -> Answer:
    return Answer(
        dict(scenario.dimensions), scenario.period, question.measures[0], None, no_data=scenario.why or NO_ROWS
    )


def days_in_view(connection: Connection, question: Question) -> int | None:
    """Return the days of the question, both ends included. Open ends: first and last due day of judged orders."""
    o = order_facts_table.c
    first, last = connection.execute(select(func.min(o.due_day), func.max(o.due_day)).where(o.state == "judged")).one()
    start, end = question.start or first, question.end or last
    return None if start is None or end is None or end < start else (end - start).days + 1


MEASURES = (
    Measure(
        name="fill_cash_lost",
        title="Cash flow lost to incomplete orders",
        short="Fill cash lost",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="due_day",
        formula=Study(_cash_lost, SHARED_DIMENSIONS, periods=True),
        definition=(
            "Incomplete orders × [b × (back-order cost + invoice deduction) + (1 - b - w) × profit per order]. Of the "
            "incomplete orders, b got a further delivery and w came later in one delivery. Orders, first-pass fill, b "
            "and w are observed, provisionally while an order is inside the loss window. Costs are assumed "
            "(assumptions fill_*)."
        ),
        numerator="Σ cash flow lost",
        denominator="incomplete orders",
        exclusions=PENDING,
        source="Coyle; docs/rules.md, stockouts",
        feeds=(*CORE_FEEDS, "assumptions"),
        assumptions=(*STOCKOUT_ASSUMPTIONS, *FILL_ASSUMPTIONS),
        needs=NEEDS_FIRST_PASS,
        estimate=ESTIMATE,
        product_rows=(3,),
    ),
    Measure(
        name="fill_gain",
        title="Gain from a higher fill",
        short="Fill gain",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=order_facts_table,
        date="due_day",
        formula=Study(_gain, SHARED_DIMENSIONS, periods=True),
        definition=(
            "Cash flow lost at the observed fill, less that at the target fill (assumption fill_target), for the same "
            "orders. Orders and first-pass fill are observed; costs are assumed (assumptions fill_*)."
        ),
        numerator="cash flow lost now, less that at the target fill",
        denominator="orders that become complete",
        exclusions=PENDING,
        source="Coyle; docs/rules.md, stockouts",
        feeds=(*CORE_FEEDS, "assumptions"),
        assumptions=(*STOCKOUT_ASSUMPTIONS, *FILL_ASSUMPTIONS),
        needs=NEEDS_FIRST_PASS,
        estimate=ESTIMATE,
        product_rows=(3,),
    ),
    Measure(
        name="fill_payback",
        title="Payback of a higher fill",
        short="Fill payback",
        unit=Unit.YEARS,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="due_day",
        formula=Study(_payback, SHARED_DIMENSIONS),
        definition=(
            "Assumed investment (fill_investment) / gain of one year; the gain of the selected days is annualised to "
            "365 days. The break-even investment is the gain of one year. Orders and first-pass fill are observed; "
            "costs are assumed (assumptions fill_*)."
        ),
        numerator="investment",
        denominator="gain of one year",
        exclusions=PENDING,
        source="Coyle; docs/rules.md, stockouts",
        feeds=(*CORE_FEEDS, "assumptions"),
        assumptions=(*STOCKOUT_ASSUMPTIONS, *FILL_ASSUMPTIONS),
        needs=NEEDS_FIRST_PASS,
        estimate=ESTIMATE,
        product_rows=(3,),
    ),
)
