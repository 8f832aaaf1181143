"""Profitability: net sales, cost to serve and what is left of them per customer. Source: the brief; rules R24, R25,
section 4 (e).
"""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, and_, func, select

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table
from metrics.measures.needs import BILLING_FEEDS, NEEDS_BILLS
from metrics.model.measure import Derived, Direction, Measure, Need, Part, Result, Study, Total, Unit
from metrics.model.question import Answer, Ask, Question
from metrics.model.statistics import divide
from metrics.sql.dialects import Expression, count_if, sum_if

m = money_facts_table.c
NEEDS_COSTS = Need(
    ("service_costs.amount", "shipments.freight_amount", "service_cases.cost_amount"),
    "no feed: service_costs (or map shipments.freight_amount or service_cases.cost_amount)",
)
NEEDS_UNIT_COST = Need(("products.unit_cost_amount",), "no data: unit_cost_amount (map products.unit_cost_amount)")
COSTS = ("service_costs", "shipments", "service_cases")

net_sales = and_(m.kind == "net_sales", m.amount.is_not(None))
is_cost_to_serve = and_(m.kind == "cost_to_serve", m.amount.is_not(None))
is_product_cost = and_(m.kind == "product_cost", m.amount.is_not(None))
without_unit_cost = and_(net_sales, m.cost_known.is_(False))
without_rate = and_(m.kind.in_(("net_sales", "cost_to_serve")), m.amount.is_(None))
DIMENSIONS = {
    "currency": "currency",
    "customer": "customer_id",
    "segment": "segment",
    "region": "region",
    "channel": "channel",
}
"""What `amount_without_rate` can be broken down by, and the column that holds it."""
NO_RATE = (
    "Documents whose currency has no rate of their day or of the seven days before: counted in documents_without_rate."
)


def _total(
    name: str, title: str, part: Part, definition: str, *, date: str = "day", unit: Unit = Unit.MONEY, **more: Any
) -> Measure:
    told: dict[str, Any] = {
        "direction": Direction.HIGHER,
        "numerator": definition[0].lower() + definition[1:].rstrip("."),
        "exclusions": NO_RATE,
        "source": "brief",
        "feeds": (*BILLING_FEEDS, "fx_rates"),
        "product_rows": (8, 9),
        "needs": (NEEDS_BILLS,),
        "short": title,
    }
    return Measure(
        name=name,
        title=title,
        unit=unit,
        facts=money_facts_table,
        date=date,
        formula=Total(part),
        definition=definition,
        denominator="–",
        **(told | more),
    )


def _unanswered(inputs: Mapping[str, Answer]) -> str | None:
    """Why an input has no value."""
    return next((one.no_data for one in inputs.values() if one.value is None), None)


def _exact(one: Answer) -> Decimal:
    return Decimal(one.value if one.value is not None else 0)


def _per_order(inputs: Mapping[str, Answer]) -> Result:
    cost, orders = inputs["cost_to_serve"], inputs["orders"]
    if why := _unanswered(inputs):
        return Result(None, no_data=why)
    return Result(divide(cost.value, orders.value), cost.value, orders.value)


PROFIT_PARTS = (
    "net_sales_value", "sales_without_unit_cost", "lines_without_unit_cost", "product_cost", "cost_to_serve", "documents_without_rate",
)  # fmt: skip
"""What customer profit is made of, and what it leaves out."""


def _profit(inputs: Mapping[str, Answer]) -> Result:
    if why := _unanswered(inputs):
        return Result(None, no_data=why)
    sales, unknown, made, serving = (
        _exact(inputs[name]) for name in ("net_sales_value", "sales_without_unit_cost", "product_cost", "cost_to_serve")
    )
    lines, documents = (int(_exact(inputs[name])) for name in ("lines_without_unit_cost", "documents_without_rate"))
    told = [f"net sales of {unknown:,.2f} on {_counted(lines, 'billed line')} without a unit cost"] if lines else []
    told += [f"{_counted(documents, 'document')} without a rate"] if documents else []
    return Result(sales - unknown - made - serving, remark=f"left out: {' and '.join(told)}" if told else None)


def unconverted_amounts(connection: Connection, question: Question, _ask: Ask) -> list[Answer]:
    """What is left out for want of a rate, in its own currency; several currencies never in one number. Source: rules
    R25.
    """
    keys = [m[DIMENSIONS[name]].label(name) for name in question.by]
    conditions: list[Expression] = [m[DIMENSIONS[name]].in_(values) for name, values in question.where]
    if question.start is not None:
        conditions.append(m.day >= question.start)
    if question.end is not None:
        conditions.append(m.day <= question.end)
    found = connection.execute(
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
    for values, group in groupby(sorted(found, key=lambda row: (key(row), row["own_currency"])), key=key):
        members = [row for row in group if row["movements"]]
        told = "; ".join(
            f"{row['amount']:,.2f} {row['own_currency']} in {_counted(row['documents'], 'document')}" for row in members
        )
        blank = Answer(
            dict(zip(question.by, values, strict=True)), None, question.measures[0], None, remark=told or None
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
    _total(
        "net_sales_value",
        "Net sales value",
        Part(net_sales, m.amount),
        "Invoices less credits less reversals of goods and service lines, without tax and charges, each at the rate of its document's day.",
    ),
    _total(
        "net_sales_cohort",
        "Net sales value of the orders placed",
        Part(net_sales, m.amount),
        date="cohort_day",
        definition="Net sales value by the day the order was placed: what the orders of a period brought, whenever it was billed or credited.",
        product_rows=(8,),
    ),
    _total(
        "product_cost",
        "Product cost",
        Part(is_product_cost, m.amount),
        "Net billed quantity times the unit cost of the day the order was placed.",
        direction=Direction.NEITHER,
        exclusions=f"Lines without a unit cost. {NO_RATE}",
        feeds=(*BILLING_FEEDS, "products"),
        product_rows=(8,),
        needs=(NEEDS_BILLS, NEEDS_UNIT_COST),
        source="own",
    ),
    _total(
        "sales_without_unit_cost",
        "Net sales without a unit cost",
        Part(without_unit_cost, m.amount),
        "Net sales of billed lines whose product cost is not known; they are left out of customer profit.",
        direction=Direction.LOWER,
        feeds=(*BILLING_FEEDS, "products"),
        product_rows=(8,),
        source="own",
    ),
    _total(
        "lines_without_unit_cost",
        "Billed lines without a unit cost",
        Part(and_(m.kind == "net_sales", m.cost_known.is_(False))),
        "Billed and credited lines whose product cost is not known.",
        direction=Direction.LOWER,
        unit=Unit.COUNT,
        exclusions="None.",
        feeds=(*BILLING_FEEDS, "products"),
        product_rows=(8,),
        source="own",
    ),
    _total(
        "cost_to_serve",
        "Cost to serve",
        Part(is_cost_to_serve, m.amount),
        "Service costs, freight of consignments and costs of cases; the last two only for orders that no service cost charges with it. "
        "Freight of a consignment that carries several orders is shared by the quantity shipped for each.",
        direction=Direction.LOWER,
        feeds=(*COSTS, "fx_rates"),
        product_rows=(8, 9, 10),
        needs=(NEEDS_COSTS,),
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
        source="own",
        feeds=(*COSTS, "orders"),
        product_rows=(8, 10),
        needs=(NEEDS_COSTS,),
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
        definition="Net sales value less product cost less cost to serve. Below 0 the customer loses money.",
        numerator="net sales value of lines with a known product cost, less that cost, less cost to serve",
        denominator="–",
        exclusions="Net sales of lines without a unit cost and documents without a rate (said beside the value).",
        source="own",
        feeds=(*BILLING_FEEDS, "products", *COSTS, "fx_rates"),
        product_rows=(8, 9),
        needs=(NEEDS_BILLS, NEEDS_UNIT_COST, NEEDS_COSTS),
        short="Profit",
    ),
    _total(
        "documents_without_rate",
        "Documents without a rate",
        Part(and_(without_rate, m.stands_for_document)),
        "Invoices, credits, reversals, consignments, cases and service costs whose currency has no rate of their day or of the seven days before.",
        direction=Direction.LOWER,
        unit=Unit.COUNT,
        exclusions="None.",
        feeds=(*BILLING_FEEDS, *COSTS, "fx_rates"),
        product_rows=(8,),
        needs=(),
        source="own",
    ),
    Measure(
        name="amount_without_rate",
        title="Money without a rate",
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=money_facts_table,
        date="day",
        formula=Study(unconverted_amounts, tuple(DIMENSIONS)),
        definition="What is left out of net sales and cost to serve for want of a rate, in its own currency. Several currencies are never added.",
        numerator="amounts of documents without a rate",
        denominator="–",
        exclusions="None.",
        source="own",
        feeds=(*BILLING_FEEDS, *COSTS, "fx_rates"),
        product_rows=(8,),
        short="Without a rate",
    ),
)
