"""Profitability: net sales, product cost, cost to serve and customer profit.

Source: R24 (net sales), R25 (currencies); docs/rules.md, profitability and ordering behaviour.
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, and_, func, select

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table
from metrics.measures.needs import (
    BILLING_FEEDS,
    COST_FEEDS,
    NEEDS_BILLED_QTY,
    NEEDS_BILLS,
    NEEDS_COSTS,
    NEEDS_UNIT_COST,
    NO_RATE,
    known_by_order,
)
from metrics.model.measure import Derived, Direction, Measure, Need, Part, Result, Study, Total, Unit
from metrics.model.question import NO_RATES, Answer, Ask, Question
from metrics.model.statistics import divide
from metrics.sql.dialects import Expression, count_if, sum_if

m = money_facts_table.c

net_sales = and_(m.kind == "net_sales", m.amount.is_not(None))
is_cost_to_serve = and_(m.kind == "cost_to_serve", m.amount.is_not(None))
is_product_cost = and_(m.kind == "product_cost", m.amount.is_not(None))
without_unit_cost = and_(net_sales, m.cost_known.is_(False))
without_rate = and_(m.kind.in_(("net_sales", "cost_to_serve")), m.amount.is_(None))


def amounts_of(movements: Expression) -> Total:
    """Return the sum of these movements. Those without an exchange rate lower its coverage (R25)."""
    return Total(
        Part(and_(movements, m.amount.is_not(None)), m.amount),
        judged=Part(movements),
        unknown=Part(and_(movements, m.amount.is_(None))),
    )


DIMENSIONS = {
    "currency": "currency",
    "customer": "customer_id",
    "segment": "segment",
    "region": "region",
    "channel": "channel",
}
"""The dimensions that `amount_without_rate` can be broken down by, and the column of each."""

NEEDS_DOCUMENTS = Need((*NEEDS_BILLS.any_of, *NEEDS_COSTS.any_of), "bills or costs")
NEEDS_RATES = Need(("fx_rates.rate",))


def _unanswered(inputs: Mapping[str, Answer]) -> str | None:
    """Return the reason why an input has no value. Without a feed of rates, no document can lack one."""
    return next(
        (
            answer.no_data
            for name, answer in inputs.items()
            if answer.value is None and name != "documents_without_rate"
        ),
        None,
    )


def _exact(answer: Answer) -> Decimal:
    return Decimal(answer.value if answer.value is not None else 0)


def _per_order(inputs: Mapping[str, Answer]) -> Result:
    cost, orders = inputs["cost_to_serve"], inputs["orders"]
    if why := _unanswered(inputs):
        return Result(None, no_data=why)
    return Result(divide(cost.value, orders.value), cost.value, orders.value, remark=cost.remark)


PROFIT_PARTS = (
    "net_sales_value",
    "sales_without_unit_cost",
    "lines_without_unit_cost",
    "product_cost",
    "cost_to_serve",
    "documents_without_rate",
)
"""Compute customer profit from its inputs, and list the amounts left out."""


def _profit(inputs: Mapping[str, Answer]) -> Result:
    known = {name: found for name, found in inputs.items() if found.no_data != NO_RATES}  # the remark counts the others
    if why := _unanswered(known):
        return Result(None, no_data=why)
    sales, unknown, made, serving = (
        _exact(inputs[name]) for name in ("net_sales_value", "sales_without_unit_cost", "product_cost", "cost_to_serve")
    )
    lines, documents = (int(_exact(inputs[name])) for name in ("lines_without_unit_cost", "documents_without_rate"))
    left_out = [f"net sales of {unknown:,.2f} on {_counted(lines, 'billed line')} without a unit cost"] if lines else []
    left_out += [f"{_counted(documents, 'document')} without a rate"] if documents else []
    return Result(sales - unknown - made - serving, remark=f"left out: {' and '.join(left_out)}" if left_out else None)


def unconverted_amounts(connection: Connection, question: Question, _ask: Ask) -> list[Answer]:
    """Return the amounts without an exchange rate, each in its own currency.

    One number never adds several currencies. Source: R25 (currencies).
    """
    keys = [m[DIMENSIONS[name]].label(name) for name in question.by]
    conditions: list[Expression] = [m[DIMENSIONS[name]].in_(values) for name, values in question.where]
    if question.start is not None:
        conditions.append(m.day >= question.start)
    if question.end is not None:
        conditions.append(m.day <= question.end)
    totals = connection.execute(
        select(
            *keys,
            m.currency.label("own_currency"),
            sum_if(without_rate, m.original_amount).label("amount"),
            count_if(and_(without_rate, m.stands_for_document)).label("documents"),
            count_if(without_rate).label("movements"),
            func.count().label("rows_found"),
        )
        .where(m.kind != "product_cost", *conditions)
        .group_by(*[key.element for key in keys], m.currency)
    ).mappings()

    def key(row: Any) -> tuple[str, ...]:
        return tuple(row[name] for name in question.by)

    answers = []
    for values, group in groupby(sorted(totals, key=lambda row: (key(row), row["own_currency"])), key=key):
        members = [row for row in group if row["movements"]]
        remark = "; ".join(
            f"{row['amount']:,.2f} {row['own_currency']} in {_counted(row['documents'], 'document')}" for row in members
        )
        blank = Answer(
            dict(zip(question.by, values, strict=True)), None, question.measures[0], None, remark=remark or None
        )
        if len(members) > 1:
            answers.append(
                replace(blank, no_data="no data: more than one currency without a rate; break down by currency")
            )
        else:
            amount = members[0]["amount"] if members else Decimal(0)
            answers.append(replace(blank, value=amount, numerator=amount))
    return answers


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


MEASURES: tuple[Measure, ...] = (
    Measure(
        name="net_sales_value",
        title="Net sales value",
        short="Net sales value",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=money_facts_table,
        date="day",
        formula=amounts_of(m.kind == "net_sales"),
        definition=(
            "Invoices less credits and reversals of goods and service lines, without tax and charges, at the exchange "
            "rate of each document's day."
        ),
        numerator="Σ line_amount of invoices - credits - reversals, × rate",
        denominator="–",
        exclusions=NO_RATE,
        source="docs/rules.md, profitability and ordering behaviour",
        feeds=(*BILLING_FEEDS, "fx_rates"),
        needs=(NEEDS_BILLS,),
        product_rows=(8, 9),
    ),
    Measure(
        name="net_sales_cohort",
        title="Net sales value of orders placed",
        short="Net sales of orders placed",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=money_facts_table,
        date="cohort_day",
        formula=Total(Part(net_sales, m.amount)),
        definition=(
            "Net sales value by the day of the order: all sales from the orders of a period, whenever they were billed "
            "or credited."
        ),
        numerator="Σ net sales of the orders",
        denominator="–",
        exclusions=NO_RATE,
        source="docs/rules.md, profitability and ordering behaviour",
        feeds=(*BILLING_FEEDS, "fx_rates"),
        needs=(NEEDS_BILLS,),
        product_rows=(8,),
    ),
    Measure(
        name="product_cost",
        title="Product cost",
        short="Product cost",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="day",
        formula=Total(Part(is_product_cost, m.amount)),
        definition="Net billed quantity times the unit cost on the day of the order.",
        numerator="Σ net billed_qty × unit_cost",
        denominator="–",
        exclusions=f"Lines without a unit cost. {NO_RATE}",
        source="own definition",
        feeds=(*BILLING_FEEDS, "products"),
        needs=(NEEDS_BILLS, NEEDS_BILLED_QTY, NEEDS_UNIT_COST),
        product_rows=(8,),
    ),
    Measure(
        name="sales_without_unit_cost",
        title="Net sales without a unit cost",
        short="Net sales without a unit cost",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=money_facts_table,
        date="day",
        formula=Total(Part(without_unit_cost, m.amount)),
        definition="Net sales of billed lines whose product cost is unknown. Customer profit leaves them out.",
        numerator="Σ net sales of those lines",
        denominator="–",
        exclusions=NO_RATE,
        source="own definition",
        feeds=(*BILLING_FEEDS, "products"),
        needs=(NEEDS_BILLS,),
        product_rows=(8,),
    ),
    Measure(
        name="lines_without_unit_cost",
        title="Billed lines without a unit cost",
        short="Billed lines without a unit cost",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=money_facts_table,
        date="day",
        formula=Total(Part(and_(m.kind == "net_sales", m.cost_known.is_(False)))),
        definition="Billed and credited lines whose product cost is unknown.",
        numerator="count of those lines",
        denominator="–",
        exclusions="None.",
        source="own definition",
        feeds=(*BILLING_FEEDS, "products"),
        needs=(NEEDS_BILLS,),
        product_rows=(8,),
    ),
    Measure(
        name="cost_to_serve",
        title="Cost to serve",
        short="Cost to serve",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=money_facts_table,
        date="day",
        formula=amounts_of(m.kind == "cost_to_serve"),
        definition=(
            "Service costs, freight of consignments and costs of cases. Freight and cases count only for orders "
            "without a service cost that includes them. Freight of a consignment with several orders is shared by the "
            "quantity shipped for each."
        ),
        numerator="Σ amounts of service costs, freight and cases",
        denominator="–",
        exclusions=NO_RATE,
        source="docs/rules.md, profitability and ordering behaviour",
        feeds=(*COST_FEEDS, "fx_rates"),
        needs=(NEEDS_COSTS,),
        refused=known_by_order("cost")[1:],
        product_rows=(8, 9, 10),
    ),
    Measure(
        name="cost_to_serve_order",
        title="Cost to serve per order",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="ordered_day",
        formula=Derived(("cost_to_serve", "orders"), _per_order),
        definition="Cost to serve by the day it was incurred, per sales order placed in the same period.",
        numerator="cost to serve",
        denominator="sales orders placed",
        exclusions=NO_RATE,
        source="own definition",
        feeds=(*COST_FEEDS, "orders"),
        product_rows=(8, 10),
        needs=(NEEDS_COSTS,),
        refused=known_by_order("cost")[1:],
        short="Cost per order",
    ),
    Measure(
        name="customer_profit",
        title="Customer profit",
        unit=Unit.MONEY,
        direction=Direction.HIGHER,
        facts=money_facts_table,
        date="day",
        formula=Derived(PROFIT_PARTS, _profit),
        definition="Net sales value less product cost less cost to serve. Below 0, the customer makes a loss.",
        numerator="net sales value of lines with a known product cost, less that cost, less cost to serve",
        denominator="–",
        exclusions=(
            "Net sales of lines without a unit cost, and documents without a rate (both shown next to the value)."
        ),
        source="own definition",
        feeds=(*BILLING_FEEDS, "products", *COST_FEEDS, "fx_rates"),
        product_rows=(8, 9),
        needs=(NEEDS_BILLS, NEEDS_BILLED_QTY, NEEDS_UNIT_COST, NEEDS_COSTS),
        refused=known_by_order("cost"),
        short="Profit",
    ),
    Measure(
        name="documents_without_rate",
        title="Documents without a rate",
        short="Documents without a rate",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=money_facts_table,
        date="day",
        formula=Total(Part(and_(without_rate, m.stands_for_document))),
        refused=known_by_order("a document"),
        definition=(
            "Invoices, credits, reversals, consignments, cases and service costs whose currency has no exchange rate "
            "on their day or in the seven days before."
        ),
        numerator="count of those documents",
        denominator="–",
        exclusions="None.",
        source="own definition",
        feeds=(*BILLING_FEEDS, *COST_FEEDS, "fx_rates"),
        needs=(NEEDS_DOCUMENTS, NEEDS_RATES),
        product_rows=(8,),
    ),
    Measure(
        name="amount_without_rate",
        title="Amounts without a rate",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=money_facts_table,
        date="day",
        formula=Study(unconverted_amounts, tuple(DIMENSIONS)),
        definition=(
            "Amounts that net sales and cost to serve leave out because an exchange rate is missing, in their own "
            "currency. Several currencies are never added."
        ),
        numerator="amounts of documents without a rate",
        denominator="–",
        exclusions="None.",
        source="own definition",
        feeds=(*BILLING_FEEDS, *COST_FEEDS, "fx_rates"),
        needs=(NEEDS_DOCUMENTS, NEEDS_RATES),
        product_rows=(8,),
        short="Without a rate",
    ),
)
