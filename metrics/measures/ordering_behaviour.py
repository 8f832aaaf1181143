"""Ordering behaviour and its cost to serve: how, how much, what and when customers order. Associations, never causes.

Each way of ordering (`Trait`) sorts the orders into bins. A bin has the cost to serve per order (costs by their day,
orders by theirs, as in `cost_to_serve_order`). It also has Spearman's rank correlation over customers. The correlation
compares the share of a customer's orders in the bin (or their mean value, units, lines or notice) with the customer's
whole cost to serve per order. Source: docs/rules.md, profitability and ordering behaviour.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from sqlalchemy import (
    Connection,
    Integer,
    String,
    Table,
    and_,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    tuple_,
)

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table
from metrics.measures.needs import CORE_FEEDS, COST_FEEDS, NEEDS_COSTS, NO_RATE
from metrics.measures.package_evidence import package_number, packages
from metrics.measures.profitability import is_cost_to_serve
from metrics.measures.zones import in_zone
from metrics.model.measure import Direction, Measure, Study, Unit
from metrics.model.question import Answer, Ask, Question
from metrics.model.statistics import divide
from metrics.schema import AMOUNT
from metrics.sql.dialects import Expression, count_if, days_between, percentile, period_start, plus_days, sum_if, times
from metrics.warehouse.query_cache import cached_per_generation

o = order_facts_table.c
m = money_facts_table.c
HOW, HOW_MUCH, WHAT, WHEN = "behaviour_how", "behaviour_how_much", "behaviour_what", "behaviour_when"
MONTH_END_DAYS = 3
"""The number of last days of a month whose orders count as month-end orders."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
QUARTERS = (Decimal("0.25"), Decimal("0.5"), Decimal("0.75"))
EXACT, SAFE = 2**53, 2**31
"""Limits of exact arithmetic: floats represent whole numbers below the first exactly; products of two numbers below the
second fit 64 bits.
"""
Ranks = np.ndarray[Any, np.dtype[np.int64]]
FEWEST_CUSTOMERS = 3
"""The fewest customers for a rank correlation."""
Where = Sequence[tuple[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Trait:
    """A way of ordering.

    bin: the place of an order's bin, or its name. names: the names by place. value: the number that is correlated, if
    the trait has a number.
    """

    title: str
    bin: Expression
    names: tuple[str, ...] = ()
    value: Expression | None = None


@dataclass(frozen=True)
class Bin:
    """The orders of one bin: orders and customers of the period, their cost to serve, and their correlation."""

    trait: str
    name: str
    orders: int
    customers: int
    cost: Decimal
    cost_per_order: float | None
    correlation: float | None
    correlated: int

    @property
    def label(self) -> str:
        """Return the dimension value of the bin."""
        return f"{self.trait}: {self.name}"


def bins(
    connection: Connection, question: str, start: date | None = None, end: date | None = None, where: Where = ()
) -> list[Bin]:
    """Return the bins of one of the four questions (HOW, HOW_MUCH, WHAT, WHEN), by trait."""
    per_order = _cost_per_order(connection, start, end, where)
    traits = _traits(connection, question, start, end, where)
    counted = _counted(connection, traits, start, end, where)
    return [one for trait, of_trait in zip(traits, counted, strict=True) for one in _bins(trait, of_trait, per_order)]


def spearman(pairs: Iterable[tuple[Fraction, Fraction]]) -> float | None:
    """Return Spearman's rank correlation. Equal values share the mean of their ranks.

    None for fewer than three pairs, or if one side never varies.
    """
    listed = list(pairs)
    return _correlation(_ranks([x for x, _ in listed]), _ranks([y for _, y in listed]))


def _correlation(first: Ranks, second: Ranks) -> float | None:
    """Return the correlation of two rankings of the same items, both in twice the ranks."""
    n = len(first)
    if n < FEWEST_CUSTOMERS:
        return None
    product = n * int(first @ second) - int(first.sum()) * int(second.sum())
    spreads = [n * int(ranks @ ranks) - int(ranks.sum()) ** 2 for ranks in (first, second)]
    return product / math.sqrt(spreads[0] * spreads[1]) if all(spreads) else None


def _ranks(numbers: Sequence[Fraction]) -> Ranks:
    """Return twice the rank of each number, so that shared ranks are whole numbers."""
    return _ranks_of([one.numerator for one in numbers], [one.denominator for one in numbers])


def _ranks_of(over: Sequence[int], under: Sequence[int]) -> Ranks:
    """Return twice the rank of each quotient of whole numbers; `under` is above 0.

    Floats of quotients sort like the quotients while both numbers fit a float exactly. Where two floats are equal, the
    cross products show if the quotients are equal too.
    """
    largest = max((max(map(abs, over)), max(under))) if len(over) else 0
    kind = np.int64 if largest < SAFE else object
    tops, bottoms = np.array(over, dtype=kind), np.array(under, dtype=kind)
    nearest = (
        tops / bottoms
        if largest < EXACT
        else np.array([Fraction(x, y) for x, y in zip(over, under, strict=True)], dtype=object)
    )
    order = np.argsort(nearest, kind="stable")
    tops, bottoms = tops[order], bottoms[order]
    same = tops[1:] * bottoms[:-1] == tops[:-1] * bottoms[1:]
    if (same != (nearest[order][1:] == nearest[order][:-1])).any():  # floats too close to compare
        exact = np.array([Fraction(x, y) for x, y in zip(over, under, strict=True)], dtype=object)
        order = np.argsort(exact, kind="stable")
        same = exact[order][1:] == exact[order][:-1]
    starts = np.flatnonzero(np.append([True] if len(order) else [], ~same.astype(bool)))
    sizes = np.diff(np.append(starts, len(order)))
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.repeat(2 * starts + 1 + sizes, sizes)
    return ranks


def _traits(connection: Connection, question: str, start: date | None, end: date | None, where: Where) -> list[Trait]:
    if question == HOW:
        return [Trait("Channel", o.channel)]
    if question == HOW_MUCH:
        amount = cast(times(o.ordered_amount, o.rate), AMOUNT)
        placed = and_(o.order_type == "sale", *in_zone(o.ordered_day, start, end), *_filters(order_facts_table, where))
        value, units = (_quarters(connection, what, placed) for what in (amount, o.ordered_qty))
        return [
            Trait("Order value", *_up_to(amount, value, "{:,.2f}"), amount),
            Trait("Units", *_up_to(o.ordered_qty, units, "{:,f}"), o.ordered_qty),
            Trait("Lines", *_up_to(o.line_count, (1, 2, 5), "{}"), o.line_count),
        ]
    if question == WHAT:
        special = case((func.coalesce(o.special_request, "") != "", literal(1, Integer)), else_=literal(0, Integer))
        return [
            Trait("Product category", o.product_category),
            Trait("Fulfilment model", o.fulfilment_model),
            Trait("Special request", special, ("without", "with")),
        ]
    return _when(connection)


def _when(connection: Connection) -> list[Trait]:
    week, month = literal_column("'week'", String), literal_column("'month'", String)
    weekday = days_between(period_start(week, o.ordered_day), o.ordered_day)
    later = plus_days(o.ordered_day, literal(MONTH_END_DAYS, Integer))
    at_end = case(
        (period_start(month, later) > period_start(month, o.ordered_day), literal(1, Integer)),
        else_=literal(0, Integer),
    )
    notice = days_between(o.ordered_day, o.requested_day)
    listed = packages(connection)
    leads = {
        place: literal(one.lead_time_days_max, Integer)
        for place, one in enumerate(listed)
        if one.lead_time_days_max is not None
    }
    lead = case(leads, value=package_number(listed, o.segment, o.ordered_day), else_=cast(null(), Integer))
    rush = case((notice < lead, literal(0, Integer)), (notice >= lead, literal(1, Integer)), else_=literal(2, Integer))
    return [
        Trait("Weekday", weekday, DAYS),
        Trait("Month end", at_end, ("earlier in the month", "last three days of the month")),
        Trait("Days of notice", *_up_to(notice, (1, 3, 7, 14), "{}"), notice),
        Trait("Rush", rush, ("less notice than the package's lead time", "enough notice", "not known")),
    ]


def _quarters(connection: Connection, value: Expression, placed: Expression) -> list[Decimal]:
    """Return the quartiles of a value over the orders placed."""
    asked = [
        percentile(literal(fraction, literal_execute=True), value).label(f"quarter_{place}")
        for place, fraction in enumerate(QUARTERS)
    ]
    found = connection.execute(select(*asked).where(placed, value.is_not(None))).one()
    return sorted({Decimal(one) for one in found if one is not None})


def _up_to(value: Expression, edges: Sequence[int | Decimal], words: str) -> tuple[Expression, tuple[str, ...]]:
    """Return the bin of a number: up to each edge, above the last edge, or unknown."""
    told = [words.format(edge.normalize() if isinstance(edge, Decimal) else edge) for edge in edges]
    above = f"over {told[-1]}" if told else "all"
    steps = [(value <= edge, literal(place, Integer)) for place, edge in enumerate(edges)]
    place_of = case(*steps, (value.is_not(None), literal(len(edges), Integer)), else_=literal(len(edges) + 1, Integer))
    return place_of, (*[f"up to {one}" for one in told], above, "not known")


def _filters(facts: Table, where: Where) -> list[Expression]:
    return [facts.c[DIMENSIONS[name]].in_(values) for name, values in where]


DIMENSIONS = {"segment": "segment", "region": "region"}
"""The dimensions other than bins that the behaviours can be filtered and broken down by, and the column of each."""


@cached_per_generation
def _cost_per_order(connection: Connection, start: date | None, end: date | None, where: Where) -> dict[str, Fraction]:
    """Return each customer's whole cost to serve per order, including costs without an order.

    Customers without an order are left out.
    """
    costs = (
        select(m.customer_id, sum_if(is_cost_to_serve, m.amount))
        .where(is_cost_to_serve, *in_zone(m.day, start, end), *_filters(money_facts_table, where))
        .group_by(m.customer_id)
    )
    placed = (
        select(o.customer_id, func.count())
        .where(o.order_type == "sale", *in_zone(o.ordered_day, start, end), *_filters(order_facts_table, where))
        .group_by(o.customer_id)
    )
    cost = {customer_id: Fraction(Decimal(amount)) for customer_id, amount in connection.execute(costs)}
    return {
        customer_id: cost.get(customer_id, Fraction(0)) / orders for customer_id, orders in connection.execute(placed)
    }


@dataclass
class _Counted:
    """The totals of one trait's orders by customer: orders and cost per bin, and the sum and orders of the value."""

    of_bin: dict[str | int, dict[str, tuple[int, Decimal]]] = field(default_factory=lambda: defaultdict(dict))
    placed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    numbers: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    numbered: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def _counted(
    connection: Connection, traits: Sequence[Trait], start: date | None, end: date | None, where: Where
) -> list[_Counted]:
    """Read the orders of every trait in one pass."""
    linked = (
        select(m.order_id, sum_if(is_cost_to_serve, m.amount).label("cost"))
        .where(is_cost_to_serve, m.order_id.is_not(None), *in_zone(m.day, start, end))
        .group_by(m.order_id)
        .subquery("linked")
    )
    placed = and_(*in_zone(o.ordered_day, start, end))
    orders = (
        select(
            o.customer_id,
            *[trait.bin.label(f"bin_{place}") for place, trait in enumerate(traits)],
            *[
                (cast(null(), AMOUNT) if trait.value is None else trait.value).label(f"number_{place}")
                for place, trait in enumerate(traits)
            ],
            case((placed, literal(1, Integer)), else_=literal(0, Integer)).label("placed"),
            func.coalesce(linked.c.cost, cast(literal(0, Integer), AMOUNT)).label("cost"),
        )
        .select_from(order_facts_table.outerjoin(linked, linked.c.order_id == o.order_id))
        .where(o.order_type == "sale", or_(placed, linked.c.order_id.is_not(None)), *_filters(order_facts_table, where))
        .subquery("binned")
    )
    b = orders.c
    names, values = ([b[f"{kind}_{place}"] for place in range(len(traits))] for kind in ("bin", "number"))
    sums = [count_if(b.placed == 1), sum_if(b.cost.is_not(None), b.cost)]
    for value in values:
        numbered = and_(b.placed == 1, value.is_not(None))
        sums += [count_if(numbered), sum_if(numbered, value)]
    asked = select(b.customer_id, *names, *[func.grouping(name) for name in names], *sums)
    rows = connection.execute(asked.group_by(func.grouping_sets(*[tuple_(b.customer_id, name) for name in names])))
    found = [_Counted() for _ in traits]
    many = len(traits)
    for customer_id, *row in rows:
        place = row.index(0, many, 2 * many) - many  # the trait whose bins this row belongs to
        count, cost, *numbers = row[2 * many :]
        one = found[place]
        one.of_bin[row[place]][customer_id] = (count, Decimal(cost))
        one.placed[customer_id] += count
        if numbers[2 * place]:
            one.numbered[customer_id] += numbers[2 * place]
            one.numbers[customer_id] += Decimal(numbers[2 * place + 1])
    return found


def _bins(trait: Trait, counted: _Counted, per_order: Mapping[str, Fraction]) -> list[Bin]:
    among = [one for one, n in (counted.placed if trait.value is None else counted.numbered).items() if n]
    costs = _ranks([per_order[one] for one in among])
    whole = (
        None
        if trait.value is None
        else _correlation(_ranks([Fraction(counted.numbers[one]) / counted.numbered[one] for one in among]), costs)
    )
    placed = [counted.placed[one] for one in among]
    made = []
    for name in sorted(counted.of_bin):
        here_too = counted.of_bin[name]
        correlation = whole
        if trait.value is None:
            correlation = _correlation(
                _ranks_of([here_too[one][0] if one in here_too else 0 for one in among], placed), costs
            )
        count = sum(n for n, _ in here_too.values())
        cost = sum((amount for _, amount in here_too.values()), Decimal(0))
        title = trait.names[name] if isinstance(name, int) else name
        placing = sum(n > 0 for n, _ in here_too.values())
        made.append(Bin(trait.title, title, count, placing, cost, divide(cost, count), correlation, len(among)))
    return made


def _study(question: str) -> Callable[[Connection, Question, Ask], list[Answer]]:
    def work(connection: Connection, asked: Question, _ask: Ask) -> list[Answer]:
        groups = [name for name in asked.by if name != "bin"]
        wanted = dict(asked.where).get("bin")
        where = tuple(pair for pair in asked.where if pair[0] != "bin")
        answers = []
        for values in _groups(connection, groups):
            within_group = (*where, *[(name, (value,)) for name, value in zip(groups, values, strict=True)])
            found = [
                one
                for one in bins(connection, question, asked.start, asked.end, within_group)
                if wanted is None or one.label in wanted
            ]
            keys = dict(zip(groups, values, strict=True))
            if "bin" in asked.by:
                answers += [
                    _answer({name: keys.get(name, one.label) for name in asked.by}, asked.measures[0], [one])
                    for one in found
                ]
            elif found:
                answers.append(_answer(keys, asked.measures[0], found))
        return answers

    return work


def _groups(connection: Connection, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return every combination of values that orders have, or one empty combination without dimensions."""
    if not names:
        return [()]
    rows = connection.execute(select(*[o[DIMENSIONS[name]] for name in names]).distinct())
    return sorted(tuple(str(value) for value in row) for row in rows)


def _answer(dimensions: Mapping[str, str | None], measure: str, found: Sequence[Bin]) -> Answer:
    """Return cost per order over bins.

    Every trait sorts the same orders, so the bins of the first trait add up to the total.
    """
    first = [one for one in found if one.trait == found[0].trait]
    cost, orders = sum((one.cost for one in first), Decimal(0)), sum(one.orders for one in first)
    told = ", ".join(f"{one.label} {one.correlation:+.2f}" for one in found if one.correlation is not None)
    remark = (
        f"rank correlation with cost per order over {found[0].correlated} customers: {told or 'none'}; an "
        "association, not a cause"
    )
    value = divide(cost, orders)
    no_data = None if value is not None else "no data: no orders in this period and selection"
    return Answer(
        dict(dimensions), None, measure, value, numerator=cost, denominator=orders, no_data=no_data, remark=remark
    )


def _behaviour(*, name: str, title: str, how: str) -> Measure:
    return Measure(
        name=name,
        title=title,
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="ordered_day",
        formula=Study(_study(name), ("bin", *DIMENSIONS)),
        definition=(
            f"Cost to serve per sales order by {how}, with Spearman's rank correlation over customers. A correlation "
            "is an association, never a cause."
        ),
        numerator="cost to serve, by its day, of sales orders",
        denominator="sales orders placed",
        exclusions=f"Costs without an order (they count in the correlation only). {NO_RATE}",
        source="docs/rules.md, profitability and ordering behaviour",
        feeds=(*CORE_FEEDS, *COST_FEEDS, "products", "service_packages"),
        product_rows=(10,),
        needs=(NEEDS_COSTS,),
        short=title,
    )


MEASURES: tuple[Measure, ...] = (
    _behaviour(name=HOW, title="How they order", how="the order's channel"),
    _behaviour(name=HOW_MUCH, title="How much they order", how="order value, units and lines"),
    _behaviour(name=WHAT, title="What they order", how="product category, fulfilment model and special requests"),
    _behaviour(
        name=WHEN,
        title="When they order",
        how="weekday, month end, days of notice and rush (less notice than the package's lead time)",
    ),
)
