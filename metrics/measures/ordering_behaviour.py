"""How, how much, what and when customers order, and what serving them costs: association, never a cause.

Each way of ordering (`Trait`) parts the orders into bins. A bin tells the cost to serve per order of what was ordered
so (costs by their day, orders by theirs, as in `cost_to_serve_order`), and Spearman's rank correlation over customers:
of the share of their orders in the bin (or of their mean value, units, lines, notice) with their whole cost to serve
per order. Source: the brief; rules, section 4 (e).
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
"""An order of the last so many days of a month is a month-end order."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
QUARTERS = (Decimal("0.25"), Decimal("0.5"), Decimal("0.75"))
EXACT, SAFE = 2**53, 2**31
"""Whole numbers below the first are floats exactly; products of two below the second fit 64 bits."""
Ranks = np.ndarray[Any, np.dtype[np.int64]]
FEWEST_CUSTOMERS = 3
"""Over fewer customers there is no rank correlation."""
Where = Sequence[tuple[str, tuple[str, ...]]]


@dataclass(frozen=True)
class Trait:
    """A way of ordering. bin: the place of an order's bin, or its name; names: the names by place; value: the number
    correlated, if it is one.
    """

    title: str
    bin: Expression
    names: tuple[str, ...] = ()
    value: Expression | None = None


@dataclass(frozen=True)
class Bin:
    """Orders of one bin: placed in the period, by so many customers; cost to serve of the period that names such an
    order; their correlation.
    """

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
        """As a dimension value."""
        return f"{self.trait}: {self.name}"


def bins(
    connection: Connection, question: str, start: date | None = None, end: date | None = None, where: Where = ()
) -> list[Bin]:
    """The bins of one of the four questions (HOW, HOW_MUCH, WHAT, WHEN), trait by trait."""
    per_order = _cost_per_order(connection, start, end, where)
    traits = _traits(connection, question, start, end, where)
    counted = _counted(connection, traits, start, end, where)
    return [one for trait, of_trait in zip(traits, counted, strict=True) for one in _bins(trait, of_trait, per_order)]


def spearman(pairs: Iterable[tuple[Fraction, Fraction]]) -> float | None:
    """Spearman's rank correlation, equal values sharing the mean of their ranks; None over fewer than three pairs or
    where one side never varies.
    """
    listed = list(pairs)
    return _correlation(_ranks([x for x, _ in listed]), _ranks([y for _, y in listed]))


def _correlation(first: Ranks, second: Ranks) -> float | None:
    """The correlation of two rankings of the same things, each in twice the ranks."""
    n = len(first)
    if n < FEWEST_CUSTOMERS:
        return None
    product = n * int(first @ second) - int(first.sum()) * int(second.sum())
    spreads = [n * int(ranks @ ranks) - int(ranks.sum()) ** 2 for ranks in (first, second)]
    return product / math.sqrt(spreads[0] * spreads[1]) if all(spreads) else None


def _ranks(numbers: Sequence[Fraction]) -> Ranks:
    """Twice the rank of each number, so that shared ranks stay whole."""
    return _ranks_of([one.numerator for one in numbers], [one.denominator for one in numbers])


def _ranks_of(over: Sequence[int], under: Sequence[int]) -> Ranks:
    """The same of quotients of whole numbers, `under` above 0.

    While both fit a float exactly, the nearest floats of quotients never stand in another order than the quotients:
    where floats are equal, the products across say whether the quotients are.
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
    if (same != (nearest[order][1:] == nearest[order][:-1])).any():  # too near for floats to tell apart
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
    """The quartiles of a value over the orders placed."""
    asked = [
        percentile(literal(fraction, literal_execute=True), value).label(f"quarter_{place}")
        for place, fraction in enumerate(QUARTERS)
    ]
    found = connection.execute(select(*asked).where(placed, value.is_not(None))).one()
    return sorted({Decimal(one) for one in found if one is not None})


def _up_to(value: Expression, edges: Sequence[int | Decimal], words: str) -> tuple[Expression, tuple[str, ...]]:
    """The bin of a number: up to each edge, then above the last, then not known."""
    told = [words.format(edge.normalize() if isinstance(edge, Decimal) else edge) for edge in edges]
    above = f"over {told[-1]}" if told else "all"
    steps = [(value <= edge, literal(place, Integer)) for place, edge in enumerate(edges)]
    place_of = case(*steps, (value.is_not(None), literal(len(edges), Integer)), else_=literal(len(edges) + 1, Integer))
    return place_of, (*[f"up to {one}" for one in told], above, "not known")


def _filters(facts: Table, where: Where) -> list[Expression]:
    return [facts.c[DIMENSIONS[name]].in_(values) for name, values in where]


DIMENSIONS = {"segment": "segment", "region": "region"}
"""What the behaviours can be filtered and broken down by beside their bins, and the column that holds it."""


@cached_per_generation
def _cost_per_order(connection: Connection, start: date | None, end: date | None, where: Where) -> dict[str, Fraction]:
    """Each customer's whole cost to serve per order, also what names no order; customers without an order are not
    there.
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
    """What the orders of one trait come to, by customer: of each bin the orders placed and their cost, and of the value
    its sum and its orders.
    """

    of_bin: dict[str | int, dict[str, tuple[int, Decimal]]] = field(default_factory=lambda: defaultdict(dict))
    placed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    numbers: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    numbered: dict[str, int] = field(default_factory=lambda: defaultdict(int))


def _counted(
    connection: Connection, traits: Sequence[Trait], start: date | None, end: date | None, where: Where
) -> list[_Counted]:
    """The orders of every trait, in one pass over them."""
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
        place = row.index(0, many, 2 * many) - many  # the trait whose bins this row is of
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
    """Every combination of values that orders have; one empty combination where nothing is asked for."""
    if not names:
        return [()]
    rows = connection.execute(select(*[o[DIMENSIONS[name]] for name in names]).distinct())
    return sorted(tuple(str(value) for value in row) for row in rows)


def _answer(dimensions: Mapping[str, str | None], measure: str, found: Sequence[Bin]) -> Answer:
    """Cost per order over bins; several traits part the same orders, so the first trait's bins are the whole."""
    first = [one for one in found if one.trait == found[0].trait]
    cost, orders = sum((one.cost for one in first), Decimal(0)), sum(one.orders for one in first)
    told = ", ".join(f"{one.label} {one.correlation:+.2f}" for one in found if one.correlation is not None)
    remark = (
        f"rank correlation with cost per order over {found[0].correlated} customers: {told or 'none'}; an "
        "association, not a cause"
    )
    value = divide(cost, orders)
    no_data = None if value is not None else "no data: no order was placed in this period and selection"
    return Answer(
        dict(dimensions), None, measure, value, numerator=cost, denominator=orders, no_data=no_data, remark=remark
    )


def _behaviour(name: str, title: str, how: str) -> Measure:
    return Measure(
        name=name,
        title=title,
        unit=Unit.MONEY,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="ordered_day",
        formula=Study(_study(name), ("bin", *DIMENSIONS)),
        definition=f"Cost to serve per sales order by {how}, with Spearman's rank correlation over customers: an "
        "association, never a cause.",
        numerator="cost to serve, by its day, that names a sales order",
        denominator="sales orders placed",
        exclusions=f"Costs that name no order (they are in the correlation only). {NO_RATE}",
        source="brief",
        feeds=(*CORE_FEEDS, *COST_FEEDS, "products", "service_packages"),
        product_rows=(10,),
        needs=(NEEDS_COSTS,),
        short=title,
    )


MEASURES: tuple[Measure, ...] = (
    _behaviour(HOW, "How they order", "the channel it came by"),
    _behaviour(HOW_MUCH, "How much they order", "order value, units and lines"),
    _behaviour(WHAT, "What they order", "product category, fulfilment model and special requests"),
    _behaviour(
        WHEN,
        "When they order",
        "weekday, month end, days of notice and rush (less notice than the package's lead time)",
    ),
)
