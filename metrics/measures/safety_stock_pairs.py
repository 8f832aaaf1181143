"""Safety stock per pair of customer and product. safety_stock.py declares the measures.

The lead time comes from the days of the pair's own orders, from order to arrival of the product: mean L and
spread s_L. Daily demand comes from the quantity on each calendar day since the first order, days without an order
included: mean d and spread s_d. Source: Coyle; docs/rules.md, buyer's safety stock.
"""

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, Subquery, and_, cast, func, select

from metrics.facts.assumptions import as_of_day, assumed_by_scope, value_for_scope
from metrics.facts.orders import order_line_facts_table
from metrics.model.question import Question
from metrics.schema import EXACT_AMOUNT, QTY, mapped_columns
from metrics.sql.dialects import Expression, days_between, sum_if, times
from metrics.warehouse.query_cache import cached_per_generation

line = order_line_facts_table.c

MIN_N = 20
"""The fewest arrivals for which the spread of a pair is meaningful (docs/rules.md, policies, min_n)."""

COLUMNS = {
    "segment": "segment",
    "region": "region",
    "customer": "customer_id",
    "product_category": "product_category",
    "currency": "currency",
    "base_unit": "base_unit",
}
"""The dimensions that pairs can be broken down and filtered by, and the column of each."""


def safety_stock(*, z: float, lead_days: float, lead_spread: float, demand: float, demand_spread: float) -> float:
    """Return the safety stock of a buyer in units: z·√(L·s_d² + d²·s_L²). lead_*: days. demand*: units per day.

    Source: Coyle; standard inventory formula.
    """
    return z * math.sqrt(lead_days * demand_spread**2 + demand**2 * lead_spread**2)


@dataclass(frozen=True)
class Pair:
    """One customer and product: lead time (days), daily demand, safety stock (units) and unit price.

    units: safety stock; steady_units: safety stock if every order took equally long; unit_price: in the reporting
    currency, None if no line has a price; currencies: the currencies of the prices if no rates are available;
    base_units: the base units of the quantities.
    """

    dimensions: dict[str, str | None]
    customer_id: str
    product_id: str
    arrivals: int
    lead_days: float
    lead_spread: float
    demand: float
    demand_spread: float
    units: float
    steady_units: float
    unit_price: float | None
    carrying_rate: float
    currencies: frozenset[str]
    base_units: frozenset[str]


def pairs(connection: Connection, question: Question) -> list[Pair]:
    """Return every pair of customer and product with at least MIN_N arrivals in the selection, by its `dimensions`.

    A pair has one value of each dimension, so questions with other dimensions have the same pairs.
    """
    every = _pairs(connection, replace(question, measures=(), by=tuple(COLUMNS)))
    return [replace(pair, dimensions={name: pair.dimensions[name] for name in question.by}) for pair in every]


@cached_per_generation
def _pairs(connection: Connection, question: Question) -> list[Pair]:
    by = [COLUMNS[name] for name in question.by]
    today = question.end or as_of_day(connection)
    if today is None:
        return []
    arrived = arrivals(question, by).subquery("arrived")
    rates_fed = connection.execute(select(func.count()).where(mapped_columns.c.feed == "fx_rates")).scalar_one() > 0
    z, rates = (assumed_by_scope(connection, name, on=today) for name in ("z", "carrying_rate"))
    complete = []
    for row in connection.execute(_with_demand(question, arrived)).mappings():
        days = (today - max(row["first_day"], question.start or row["first_day"])).days + 1
        if days < 2:
            continue
        scopes = (f"customer:{row['customer_id']}", f"segment:{row['segment_last']}")
        lead_days, lead_spread = _mean_and_spread(row["arrivals"], row["days"], row["days_squared"])
        demand, demand_spread = _mean_and_spread(days, row["quantity"], row["quantity_squared"])
        factor = float(value_for_scope(z, *scopes))
        complete.append(
            Pair(
                {name: row[column] for name, column in zip(question.by, by, strict=True)},
                row["customer_id"],
                row["product_id"],
                row["arrivals"],
                lead_days,
                lead_spread,
                demand,
                demand_spread,
                safety_stock(
                    z=factor, lead_days=lead_days, lead_spread=lead_spread, demand=demand, demand_spread=demand_spread
                ),
                safety_stock(z=factor, lead_days=lead_days, lead_spread=0, demand=demand, demand_spread=demand_spread),
                float(row["priced_amount"] / row["priced_quantity"]) if row["priced_quantity"] else None,
                float(value_for_scope(rates, *scopes)),
                frozenset() if rates_fed else frozenset({row["currency_first"], row["currency_last"]}),
                frozenset({row["base_unit_first"], row["base_unit_last"]}),
            )
        )
    return complete


def _lines(question: Question, day: Expression) -> list[Expression]:
    """Return the conditions of goods lines of sales with a day in the period.

    Excused lines and services are not demand (their state is excluded).
    """
    conditions = [line.state != "excluded", line.product_id.is_not(None), day.is_not(None)]
    if question.start is not None:
        conditions.append(day >= question.start)
    if question.end is not None:
        conditions.append(day <= question.end)
    return conditions


def arrivals(question: Question, by: list[str], *, few: bool = False) -> Select[Any]:
    """Return the pairs with at least MIN_N arrivals, a row each: dimensions, arrivals, Σ days, Σ days².

    An order counts once, however many of its lines are for the product: it has arrived with the last of them. A pair is
    never split: it belongs to the segment, region, category and currency of its latest order, so that parts add up.
    few: the pairs with fewer than MIN_N arrivals instead.
    """
    pair = (line.customer_id, line.product_id)
    inside = _lines(question, line.settled_day)
    took = days_between(func.min(line.ordered_day), func.max(line.settled_day)).label("took")
    orders = select(*pair, took).where(*inside).group_by(*pair, line.order_id).subquery("orders_arrived")
    o = orders.c
    summed = (
        select(
            o.customer_id,
            o.product_id,
            cast(func.count(), BigInteger).label("arrivals"),
            cast(func.sum(o.took), BigInteger).label("days"),
            cast(func.sum(cast(o.took, BigInteger) * o.took), BigInteger).label("days_squared"),
        )
        .group_by(o.customer_id, o.product_id)
        .having(func.count() < MIN_N if few else func.count() >= MIN_N)
        .subquery("pairs_arrived")
    )
    newest = (line.ordered_day.desc(), line.order_id.desc(), line.line_no.desc())
    place = func.row_number().over(partition_by=pair, order_by=newest).label("place")
    own = [line[name] for name in COLUMNS.values() if name != "customer_id"]
    latest = select(*pair, *own, place).where(*inside).subquery("latest_lines")
    found, labels = summed.c, latest.c
    same = and_(labels.customer_id == found.customer_id, labels.product_id == found.product_id, labels.place == 1)
    return (
        select(
            *[labels[name] for name in by if name != "customer_id"],
            *summed.c,
            labels.segment.label("segment_last"),
        )
        .select_from(summed.join(latest, same))
        .where(*[labels[COLUMNS[name]].in_(values) for name, values in question.where])
    )


def _with_demand(question: Question, arrived: Subquery) -> Select[Any]:
    """Return arrivals joined with the quantity ordered.

    The quantity of each day is summed before it is squared. Rows are ordered, so that sums of doubles repeat exactly.
    """
    keys = [line.customer_id, line.product_id]
    names = [key.name for key in keys]
    priced = and_(line.ordered_amount.is_not(None), line.rate.is_not(None), line.ordered_qty > 0)
    daily = (
        select(
            *keys,
            line.ordered_day,
            sum_if(line.ordered_qty.is_not(None), line.ordered_qty).label("quantity"),
            sum_if(priced, times(line.ordered_amount, line.rate)).label("priced_amount"),
            sum_if(priced, line.ordered_qty).label("priced_quantity"),
            *[
                bound(line[name]).label(f"{name}_{end}")
                for name in ("currency", "base_unit")
                for bound, end in ((func.min, "first"), (func.max, "last"))
            ],
        )
        .join(arrived, and_(*[arrived.c[name] == line[name] for name in names]))
        .where(*_lines(question, line.ordered_day))
        .group_by(*keys, line.ordered_day)
        .subquery("daily")
    )
    day = daily.c
    demand = (
        select(
            *[day[name] for name in names],
            func.min(day.ordered_day).label("first_day"),
            cast(func.sum(day.quantity), QTY).label("quantity"),
            func.sum(times(day.quantity, day.quantity)).label("quantity_squared"),
            cast(func.sum(day.priced_amount), EXACT_AMOUNT).label("priced_amount"),
            cast(func.sum(day.priced_quantity), QTY).label("priced_quantity"),
            *[func.min(day[f"{name}_first"]).label(f"{name}_first") for name in ("currency", "base_unit")],
            *[func.max(day[f"{name}_last"]).label(f"{name}_last") for name in ("currency", "base_unit")],
        )
        .group_by(*[day[name] for name in names])
        .subquery("demand")
    )
    together = arrived.join(demand, and_(*[demand.c[name] == arrived.c[name] for name in names]))
    wanted = (
        "first_day",
        "quantity",
        "quantity_squared",
        "priced_amount",
        "priced_quantity",
        "currency_first",
        "currency_last",
        "base_unit_first",
        "base_unit_last",
    )
    order = [arrived.c[name] for name in names]
    return select(*arrived.c, *[demand.c[name] for name in wanted]).select_from(together).order_by(*order)


def _mean_and_spread(count: int, total: Any, squares: Any) -> tuple[float, float]:
    """Return mean and sample standard deviation (n - 1) of two or more numbers, from exact sums.

    Source: R30 (spread and percentiles).
    """
    total, squares = Fraction(total), Fraction(squares)
    variance = (count * squares - total * total) / (count * (count - 1))
    return float(total / count), math.sqrt(variance)
