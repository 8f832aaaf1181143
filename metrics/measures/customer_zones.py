"""Customers in the four zones: Protect, Build, Cost engineer and Danger, by net sales and cost to serve.

The cuts are the medians over all customers with a movement of money in the period, whatever the filter. The
assumptions `zone_sales_cut` and `zone_cost_cut` set other cuts. `zone_cost_as_share` measures cost as a share of net
sales instead of money. zones.py declares the measures. Source: Coyle (the fourth zone); docs/rules.md, profitability
and ordering behaviour.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from itertools import groupby

from sqlalchemy import Connection, func, or_, select

from metrics.facts.assumptions import assumed
from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import NONE, order_facts_table
from metrics.measures.profitability import is_cost_to_serve, is_product_cost, net_sales, without_rate
from metrics.model.measure import Result
from metrics.model.question import Answer, Question
from metrics.sql.dialects import Expression, count_if, sum_if
from metrics.warehouse.query_cache import cached_per_generation

m = money_facts_table.c

PROTECT, BUILD, COST_ENGINEER, DANGER = "Protect", "Build", "Cost engineer", "Danger"

ZONES = (PROTECT, BUILD, COST_ENGINEER, DANGER)

MOVES = (Decimal("-0.20"), Decimal("-0.10"), Decimal("0.10"), Decimal("0.20"))
"""The changes of each cut that test how stable the zones are."""


@dataclass(frozen=True)
class Cuts:
    """The zone thresholds: net sales in money; cost to serve in money, or with `as_share` as a share of net sales.

    left_out: customers of the period without a zone, because an exchange rate is missing.
    """

    sales: Decimal
    cost: Decimal
    as_share: bool = False
    left_out: int = 0


@dataclass(frozen=True)
class Customer:
    """One customer's period, in the reporting currency.

    segment: the customer's latest segment. profit: None if a part of it is unknown. has_rates: False if a document has
    no exchange rate, so that sales or cost to serve are not known either.
    """

    customer_id: str
    segment: str
    orders: int
    sales: Decimal
    product_cost: Decimal
    cost_to_serve: Decimal
    profit: Decimal | None
    zone: str = ""
    has_rates: bool = True


@dataclass(frozen=True)
class ZoneTotal:
    """The totals of a zone's customers, in the reporting currency.

    Profit and the loss-making count cover customers whose profit is known; `unknown` counts the others.
    """

    zone: str
    customers: int
    sales: Decimal
    cost_to_serve: Decimal
    profit: Decimal | None
    loss_making: int
    unknown: int


@dataclass(frozen=True)
class Move:
    """The effect of changing one cut: `cut` is sales or cost, `by` its relative change; the customers that change zone
    and their net sales.
    """

    cut: str
    by: Decimal
    customers: tuple[str, ...]
    sales: Decimal


def zone(sales: Decimal, cost: Decimal, cuts: Cuts) -> str:
    """Return the zone of a customer.

    Sales at the cut count as high; cost at the cut counts as low. Cost without any sales counts as a high share.
    """
    limit = cuts.cost * sales if cuts.as_share else cuts.cost
    cheap = cost <= limit if sales > 0 or not cuts.as_share else cost <= 0
    if sales >= cuts.sales:
        return PROTECT if cheap else COST_ENGINEER
    return BUILD if cheap else DANGER


def cost_limit(sales: Decimal, cuts: Cuts) -> Decimal:
    """Return the highest cost to serve that still counts as low for these sales."""
    return cuts.cost * max(sales, Decimal(0)) if cuts.as_share else cuts.cost


def median(numbers: Iterable[Decimal]) -> Decimal | None:
    """Return the middle number, or the mean of the two middle numbers."""
    ordered = sorted(numbers)
    if not ordered:
        return None
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def median_cuts(customers: Iterable[Customer], *, as_share: bool = False) -> Cuts:
    """Return the medians of net sales and of cost to serve. A median of shares covers the customers with sales."""
    listed = list(customers)
    costs = (
        [customer.cost_to_serve / customer.sales for customer in listed if customer.sales > 0]
        if as_share
        else [customer.cost_to_serve for customer in listed]
    )
    return Cuts(median(customer.sales for customer in listed) or Decimal(0), median(costs) or Decimal(0), as_share)


def cuts_for(connection: Connection, customers: Iterable[Customer]) -> Cuts:
    """Return the cuts of a period: the medians, or the assumptions that replace them (0: the median)."""
    cuts = median_cuts(customers, as_share=assumed(connection, "zone_cost_as_share") == 1)
    return replace(
        cuts,
        sales=assumed(connection, "zone_sales_cut") or cuts.sales,
        cost=assumed(connection, "zone_cost_cut") or cuts.cost,
    )


def zoned(customers: Iterable[Customer], cuts: Cuts) -> list[Customer]:
    """Return the same customers with their zones."""
    return [replace(customer, zone=zone(customer.sales, customer.cost_to_serve, cuts)) for customer in customers]


def sensitivity(customers: Sequence[Customer], cuts: Cuts, moves: Sequence[Decimal] = MOVES) -> list[Move]:
    """Return the customers that change zone if one cut changes and the other stays."""
    moves_made = []
    before = {customer.customer_id: zone(customer.sales, customer.cost_to_serve, cuts) for customer in customers}
    for cut in ("sales", "cost"):
        for by in moves:
            moved = replace(cuts, **{cut: getattr(cuts, cut) * (1 + by)})
            changed = [
                customer
                for customer in customers
                if zone(customer.sales, customer.cost_to_serve, moved) != before[customer.customer_id]
            ]
            moves_made.append(
                Move(
                    cut,
                    by,
                    tuple(customer.customer_id for customer in changed),
                    sum((customer.sales for customer in changed), Decimal(0)),
                )
            )
    return moves_made


def in_period(day: Expression, start: date | None, end: date | None) -> list[Expression]:
    """Return the conditions that a day lies in a period, both ends included."""
    return [day.is_not(None), *([day >= start] if start else []), *([day <= end] if end else [])]


def customers_of(connection: Connection, start: date | None, end: date | None) -> list[Customer]:
    """Return every customer with a movement of money in the period, without a zone."""
    unknown = or_(without_rate, m.cost_known.is_(False))
    found = connection.execute(
        select(
            m.customer_id,
            m.segment,
            func.max(m.day).label("last_day"),
            sum_if(net_sales, m.amount).label("sales"),
            sum_if(is_product_cost, m.amount).label("product_cost"),
            sum_if(is_cost_to_serve, m.amount).label("cost_to_serve"),
            count_if(unknown).label("unknown"),
            count_if(without_rate).label("without_rate"),
        )
        .where(m.customer_id != NONE, *in_period(m.day, start, end))
        .group_by(m.customer_id, m.segment)
    ).all()
    orders = _orders(connection, start, end)
    customers = []
    listed = sorted(found, key=lambda row: (row.customer_id, row.last_day, row.segment))
    for customer_id, group in groupby(listed, key=lambda row: str(row.customer_id)):
        rows = list(group)
        sales, made, serving = (sum((Decimal(row[place]) for row in rows), Decimal(0)) for place in (3, 4, 5))
        profit = None if any(row.unknown for row in rows) else sales - made - serving
        customers.append(
            Customer(
                customer_id,
                str(rows[-1].segment),
                orders.get(customer_id, 0),
                sales,
                made,
                serving,
                profit,
                has_rates=not any(row.without_rate for row in rows),
            )
        )
    return customers


def _orders(connection: Connection, start: date | None, end: date | None) -> dict[str, int]:
    o = order_facts_table.c
    counted = (
        select(o.customer_id, func.count())
        .where(o.order_type == "sale", *in_period(o.ordered_day, start, end))
        .group_by(o.customer_id)
    )
    return {customer_id: int(n) for customer_id, n in connection.execute(counted).all()}


@cached_per_generation
def zones(connection: Connection, start: date | None = None, end: date | None = None) -> tuple[list[Customer], Cuts]:
    """Return the customers of the period with their zones, and the cuts.

    Customers whose sales or cost to serve are not known have no zone, and do not move the cuts.
    """
    found = customers_of(connection, start, end)
    customers = [customer for customer in found if customer.has_rates]
    cuts = replace(cuts_for(connection, customers), left_out=len(found) - len(customers))
    return zoned(customers, cuts), cuts


def totals(customers: Iterable[Customer]) -> list[ZoneTotal]:
    """Return the totals of each zone, in the order of ZONES."""
    listed = list(customers)
    zone_totals = []
    for name in ZONES:
        inside = [customer for customer in listed if customer.zone == name]
        profits = [customer.profit for customer in inside if customer.profit is not None]
        zone_totals.append(
            ZoneTotal(
                name,
                customers=len(inside),
                sales=sum((customer.sales for customer in inside), Decimal(0)),
                cost_to_serve=sum((customer.cost_to_serve for customer in inside), Decimal(0)),
                profit=sum(profits, Decimal(0)) if profits else None,
                loss_making=sum(profit < 0 for profit in profits),
                unknown=len(inside) - len(profits),
            )
        )
    return zone_totals


def describe_cuts(cuts: Cuts, customers: Sequence[Customer]) -> str:
    """Describe the cuts and the number of customers, shown next to every number of the zones."""
    cost = f"{100 * cuts.cost:.2f}% of net sales" if cuts.as_share else f"{cuts.cost:,.2f}"
    left_out = f"; {cuts.left_out} customers left out: an exchange rate is missing" if cuts.left_out else ""
    return f"cuts: net sales {cuts.sales:,.2f}, cost to serve {cost}; {len(customers)} customers{left_out}"


KEYS: dict[str, Callable[[Customer], str]] = {
    "zone": lambda customer: customer.zone,
    "customer": lambda customer: customer.customer_id,
    "segment": lambda customer: customer.segment,
}
"""The dimensions that studies of customers can be broken down and filtered by."""


def by_customers(
    question: Question, customers: Sequence[Customer], finish: Callable[[Sequence[Customer]], Result]
) -> list[Answer]:
    """Return one answer per combination of the question's dimensions that has a customer."""
    selected = [
        customer for customer in customers if all(KEYS[name](customer) in values for name, values in question.where)
    ]
    keys = [KEYS[name] for name in question.by]
    groups: dict[tuple[str, ...], list[Customer]] = {}
    for customer in selected:
        groups.setdefault(tuple([key(customer) for key in keys]), []).append(customer)
    answers = []
    for values, group in sorted(groups.items()):
        result = finish(group)
        blank = Answer(dict(zip(question.by, values, strict=True)), None, question.measures[0], result.value)
        answers.append(
            replace(
                blank,
                numerator=result.numerator,
                denominator=result.denominator,
                no_data=result.no_data,
                remark=result.remark,
            )
        )
    return answers
