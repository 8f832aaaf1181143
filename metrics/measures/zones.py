"""Measures of the four customer zones: customers, net sales, cost to serve, stability, and losses.

customer_zones.py computes the zones. Source: Coyle (the fourth zone); docs/rules.md, profitability and ordering
behaviour.
"""

from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection

from metrics.facts.money.table import money_facts_table
from metrics.measures.customer_zones import KEYS, Customer, Move, by_customers, describe_cuts, sensitivity, zones
from metrics.measures.needs import (
    BILLING_FEEDS,
    COST_FEEDS,
    NEEDS_BILLED_QTY,
    NEEDS_BILLS,
    NEEDS_COSTS,
    NEEDS_UNIT_COST,
    ZONE_ASSUMPTIONS,
)
from metrics.model.measure import Direction, Measure, Result, Study, Unit
from metrics.model.question import Answer, Ask, Question
from metrics.warehouse.query_cache import cached_per_generation


def study(amount: Callable[[Customer], int | Decimal]) -> Callable[[Connection, Question, Ask], list[Answer]]:
    """Return a study that adds up an amount over the customers with a zone."""

    def work(connection: Connection, question: Question, _ask: Ask) -> list[Answer]:
        customers, cuts = zones(connection, question.start, question.end)

        def finish(group: Sequence[Customer]) -> Result:
            value = sum(map(amount, group))
            return Result(value, numerator=value, remark=describe_cuts(cuts, customers))

        return by_customers(question, customers, finish)

    return work


@cached_per_generation
def _moves(connection: Connection, start: date | None, end: date | None) -> list[Move]:
    """Return the customers of a period that change zone if one cut changes."""
    return sensitivity(*zones(connection, start, end))


def _changing(
    value: Callable[[Sequence[Customer]], int | Decimal],
) -> Callable[[Connection, Question, Ask], list[Answer]]:
    def work(connection: Connection, question: Question, _ask: Ask) -> list[Answer]:
        customers, cuts = zones(connection, question.start, question.end)
        moves = _moves(connection, question.start, question.end)
        changing = {customer_id for move in moves for customer_id in move.customers}
        listed = "; ".join(
            f"{move.cut} cut {100 * move.by:+.0f}%: {len(move.customers)} customers, net sales {move.sales:,.2f}"
            for move in moves
        )

        def finish(group: Sequence[Customer]) -> Result:
            changed = value([customer for customer in group if customer.customer_id in changing])
            return Result(
                changed,
                numerator=changed,
                denominator=value(group),
                remark=f"{describe_cuts(cuts, customers)}; {listed}",
            )

        return by_customers(question, customers, finish)

    return work


def _loss_making(connection: Connection, question: Question, _ask: Ask) -> list[Answer]:
    customers, cuts = zones(connection, question.start, question.end)

    def finish(group: Sequence[Customer]) -> Result:
        known = [customer for customer in group if customer.profit is not None]
        losing = sum(customer.profit < 0 for customer in known if customer.profit is not None)
        unknown = len(group) - len(known)
        reasons = [
            f"{count} customers left out: {why} is missing"
            for count, why in ((unknown, "a unit cost"), (cuts.left_out, "an exchange rate"))
            if count
        ]
        remark = "; ".join(reasons) or None
        if not known:
            return Result(None, no_data="no data: no customer has all unit costs", remark=remark)
        return Result(losing, losing, len(known), remark=remark)

    return by_customers(question, customers, finish)


_WITHOUT_ZONE = (
    "Customers without any movement of money in the period. Customers with a document without an exchange rate (shown "
    "next to the value)."
)
_CUTS = "The cuts are the medians over all customers of the period, unless assumed otherwise."

MEASURES: tuple[Measure, ...] = (
    Measure(
        name="zone",
        title="Customers by zone",
        short="Customers by zone",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="day",
        formula=Study(study(lambda _: 1), tuple(KEYS)),
        definition=(
            "Customers by zone. With net sales at or above the cut, they are Protect if cost to serve is at most its "
            f"cut, else Cost engineer. With lower sales, they are Build or Danger. {_CUTS}"
        ),
        numerator="customers in the zone",
        denominator="–",
        exclusions=_WITHOUT_ZONE,
        source="Coyle",
        feeds=(*BILLING_FEEDS, *COST_FEEDS),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(8, 9),
    ),
    Measure(
        name="zone_sales",
        title="Net sales value by zone",
        short="Net sales by zone",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="day",
        formula=Study(study(lambda customer: customer.sales), tuple(KEYS)),
        definition=f"Net sales value of the customers of a zone. {_CUTS}",
        numerator="net sales value of the zone's customers",
        denominator="–",
        exclusions=_WITHOUT_ZONE,
        source="Coyle",
        feeds=(*BILLING_FEEDS, *COST_FEEDS),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(8, 9),
    ),
    Measure(
        name="zone_cost",
        title="Cost to serve by zone",
        short="Cost to serve by zone",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="day",
        formula=Study(study(lambda customer: customer.cost_to_serve), tuple(KEYS)),
        definition=f"Cost to serve of the customers of a zone. {_CUTS}",
        numerator="cost to serve of the zone's customers",
        denominator="–",
        exclusions=_WITHOUT_ZONE,
        source="Coyle",
        feeds=(*BILLING_FEEDS, *COST_FEEDS),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(8, 9),
    ),
    Measure(
        name="zone_sensitivity",
        title="Zone changes",
        short="Zone changes",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="day",
        formula=Study(_changing(len), tuple(KEYS)),
        definition="Customers that change zone if either cut changes by -20, -10, +10 or +20%.",
        numerator="count of those customers",
        denominator="customers with a zone",
        exclusions=_WITHOUT_ZONE,
        source="own definition",
        feeds=(*BILLING_FEEDS, *COST_FEEDS),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(8, 9),
    ),
    Measure(
        name="zone_sensitivity_sales",
        title="Net sales that change zone",
        short="Net sales that change zone",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="day",
        formula=Study(_changing(lambda group: sum((one.sales for one in group), Decimal(0))), tuple(KEYS)),
        definition="Net sales of customers that change zone if either cut changes by -20, -10, +10 or +20%.",
        numerator="Σ net sales of those customers",
        denominator="net sales of customers with a zone",
        exclusions=_WITHOUT_ZONE,
        source="own definition",
        feeds=(*BILLING_FEEDS, *COST_FEEDS),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(NEEDS_BILLS, NEEDS_COSTS),
        product_rows=(8, 9),
    ),
    Measure(
        name="loss_making_customers",
        title="Loss-making customers",
        short="Loss-making customers",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=money_facts_table,
        date="day",
        formula=Study(_loss_making, tuple(KEYS)),
        definition="Customers whose net sales do not cover product cost and cost to serve in the period.",
        numerator="count of those customers",
        denominator="customers whose profit is known",
        exclusions=(
            "Customers with a billed line without a unit cost, or a document without an exchange rate (shown next to "
            "the value)."
        ),
        source="own definition",
        feeds=(*BILLING_FEEDS, "products", *COST_FEEDS),
        assumptions=ZONE_ASSUMPTIONS,
        needs=(NEEDS_BILLS, NEEDS_COSTS, NEEDS_BILLED_QTY, NEEDS_UNIT_COST),
        product_rows=(8, 9),
    ),
)
