"""Ordering behaviour and its cost to serve: how, how much, what and when customers order. Associations, never causes.

ordering_traits.py sorts the orders into bins. A bin has the cost to serve per order (costs by their day, orders by
theirs, as in `cost_to_serve_order`). It also has Spearman's rank correlation over customers. The correlation compares
the share of a customer's orders in the bin (or their mean value, units, lines or notice) with the customer's whole cost
to serve per order. Source: docs/rules.md, profitability and ordering behaviour.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import (
    Connection,
    Integer,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    tuple_,
)

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import NONE, order_facts_table
from metrics.measures.customer_zones import in_period
from metrics.measures.needs import CORE_FEEDS, COST_FEEDS, NEEDS_COSTS, NO_RATE
from metrics.measures.ordering_traits import (
    DIMENSIONS,
    HOW,
    HOW_MUCH,
    WHAT,
    WHEN,
    Trait,
    Where,
    filter_conditions,
    traits_of,
)
from metrics.measures.profitability import is_cost_to_serve
from metrics.measures.rank_correlation import correlation_of_ranks, ranks_of_quotients
from metrics.model.measure import Direction, Measure, Study, Unit
from metrics.model.question import Answer, Ask, Question
from metrics.model.statistics import divide
from metrics.schema import EXACT_AMOUNT
from metrics.sql.dialects import Expression, count_if, sum_if
from metrics.warehouse.query_cache import cached_per_generation

if TYPE_CHECKING:
    from metrics.measures.rank_correlation import Ranks

o = order_facts_table.c
m = money_facts_table.c

QUESTIONS = (HOW, HOW_MUCH, WHAT, WHEN)


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
    return _bins_of_all(connection, start, end, tuple(where))[question]


@cached_per_generation
def _bins_of_all(connection: Connection, start: date | None, end: date | None, where: Where) -> dict[str, list[Bin]]:
    """Return the bins of every question. All traits are counted in one pass over the orders."""
    traits = {question: traits_of(connection, question, start, end, where) for question in QUESTIONS}
    listed = [trait for of_question in traits.values() for trait in of_question]
    totals = _totals(connection, listed, start, end, where)
    placed = _by_customer(connection, listed, totals, start, end, where)
    costs = _CostRanks(placed.customers, _costs(connection, start, end, where), placed.orders)
    made = iter(
        [
            _bins(trait, of_trait, by_customer, costs)
            for trait, of_trait, by_customer in zip(listed, totals, placed.traits, strict=True)
        ]
    )
    return {question: [bin_ for _ in of_question for bin_ in next(made)] for question, of_question in traits.items()}


def _costs(connection: Connection, start: date | None, end: date | None, where: Where) -> dict[str, Decimal]:
    """Return each customer's whole cost to serve, including costs without an order."""
    costs = (
        select(m.customer_id, sum_if(is_cost_to_serve, m.amount))
        .where(is_cost_to_serve, *in_period(m.day, start, end), *filter_conditions(money_facts_table, where))
        .group_by(m.customer_id)
    )
    return {customer_id: Decimal(amount) for customer_id, amount in connection.execute(costs).all()}


BinKey = str | int
"""The name of a bin, or its place among the names of its trait."""


@dataclass(frozen=True)
class _Total:
    """The orders of a bin that were placed in the period, and the cost of its orders in the period."""

    orders: int
    cost: Decimal


def _binned(traits: Sequence[Trait], start: date | None, end: date | None, where: Where) -> Subquery:
    """Return the orders placed in the period or with a cost in it: customer, bins, numbers and cost."""
    linked = (
        select(m.order_id, sum_if(is_cost_to_serve, m.amount).label("cost"))
        .where(is_cost_to_serve, m.order_id.is_not(None), *in_period(m.day, start, end))
        .group_by(m.order_id)
        .subquery("linked")
    )
    placed = and_(*in_period(o.ordered_day, start, end))
    return (
        select(
            o.customer_id,
            *[trait.bin.label(f"bin_{place}") for place, trait in enumerate(traits)],
            *[trait.value.label(f"number_{place}") for place, trait in enumerate(traits) if trait.value is not None],
            case((placed, literal(1, Integer)), else_=literal(0, Integer)).label("placed"),
            func.coalesce(linked.c.cost, cast(literal(0, Integer), EXACT_AMOUNT)).label("cost"),
        )
        .select_from(order_facts_table.outerjoin(linked, linked.c.order_id == o.order_id))
        .where(
            o.order_type == "sale",
            or_(placed, linked.c.order_id.is_not(None)),
            *filter_conditions(order_facts_table, where),
        )
        .subquery("binned")
    )


def _totals(
    connection: Connection, traits: Sequence[Trait], start: date | None, end: date | None, where: Where
) -> list[dict[BinKey, _Total]]:
    """Return the total of each bin, by trait."""
    b = _binned(traits, start, end, where).c
    many = len(traits)
    names = [b[f"bin_{place}"] for place in range(many)]
    asked = select(
        *names, *[func.grouping(name) for name in names], count_if(b.placed == 1), sum_if(b.cost.is_not(None), b.cost)
    )
    found: list[dict[BinKey, _Total]] = [{} for _ in traits]
    for row in connection.execute(asked.group_by(func.grouping_sets(*[tuple_(name) for name in names]))):
        place = row.index(0, many, 2 * many) - many  # the trait whose bin this row is
        found[place][row[place]] = _Total(row[-2], Decimal(row[-1]))
    return found


@dataclass(frozen=True)
class _OfTrait:
    """The orders of each customer in each bin. For a trait with numbers, their sum and the number of orders with one.

    Lists are in the order of the customers.
    """

    in_bin: dict[BinKey, tuple[int, ...]]
    numbers: tuple[Decimal, ...] = ()
    numbered: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Placed:
    """Customers with orders in the period, the number of their orders, and their orders by trait."""

    customers: tuple[str, ...]
    orders: tuple[int, ...]
    traits: list[_OfTrait]


def _by_customer(
    connection: Connection,
    traits: Sequence[Trait],
    totals: Sequence[Mapping[BinKey, _Total]],
    start: date | None,
    end: date | None,
    where: Where,
) -> _Placed:
    """Return the orders that each customer placed in the period: one row per customer, one column per bin."""
    b = _binned(traits, start, end, where).c
    columns: list[Expression] = []
    for place, (trait, of_trait) in enumerate(zip(traits, totals, strict=True)):
        columns += [count_if(b[f"bin_{place}"] == name) for name in of_trait]
        if trait.value is not None:
            number = b[f"number_{place}"]
            columns += [sum_if(number.is_not(None), number), count_if(number.is_not(None))]
    labelled = [column.label(f"sum_{place}") for place, column in enumerate(columns)]
    asked = (
        select(b.customer_id, func.count(), *labelled)
        .where(b.placed == 1, b.customer_id != NONE)
        .group_by(b.customer_id)
    )
    rows = connection.execute(asked).all()
    by_column = iter(list(zip(*rows, strict=True)) if rows else [()] * (2 + len(columns)))
    customers, orders = next(by_column), next(by_column)
    placed = []
    for trait, of_trait in zip(traits, totals, strict=True):
        in_bin = {name: next(by_column) for name in of_trait}
        numbers = () if trait.value is None else (next(by_column), next(by_column))
        placed.append(_OfTrait(in_bin, *numbers))
    return _Placed(customers, orders, placed)


class _CostRanks:
    """Ranks of the cost to serve per order, over all customers or some of them."""

    def __init__(self, customers: Sequence[str], costs: Mapping[str, Decimal], orders: Sequence[int]) -> None:
        self.orders = orders
        self._costs = [costs.get(customer_id, Decimal(0)).as_integer_ratio() for customer_id in customers]
        self._ranks: dict[tuple[int, ...], Ranks] = {}

    def among(self, places: tuple[int, ...]) -> "Ranks":
        """Return the ranks of the customers at these places."""
        if places not in self._ranks:
            over = [self._costs[place][0] for place in places]
            self._ranks[places] = ranks_of_quotients(
                over, [self._costs[place][1] * self.orders[place] for place in places]
            )
        return self._ranks[places]


def _bins(trait: Trait, totals: Mapping[BinKey, _Total], of_trait: _OfTrait, costs: _CostRanks) -> list[Bin]:
    has_number = trait.value is not None
    among = tuple(place for place, n in enumerate(of_trait.numbered if has_number else costs.orders) if n)
    whole = None
    if has_number:
        sums = [Decimal(of_trait.numbers[place]).as_integer_ratio() for place in among]
        under = [of_trait.numbered[place] * sums[at][1] for at, place in enumerate(among)]
        whole = correlation_of_ranks(ranks_of_quotients([top for top, _ in sums], under), costs.among(among))
    made = []
    for name in sorted(totals):
        inside, total = of_trait.in_bin[name], totals[name]
        correlation = whole
        if not has_number:
            shares = ranks_of_quotients(inside, costs.orders)
            correlation = correlation_of_ranks(shares, costs.among(among))
        title = trait.names[name] if isinstance(name, int) else name
        placing = len(inside) - inside.count(0)
        cost_per_order = divide(total.cost, total.orders)
        made.append(Bin(trait.title, title, total.orders, placing, total.cost, cost_per_order, correlation, len(among)))
    return made


def _study(question: str) -> Callable[[Connection, Question, Ask], list[Answer]]:
    def work(connection: Connection, asked: Question, _ask: Ask) -> list[Answer]:
        groups = [name for name in asked.by if name != "bin"]
        wanted = dict(asked.where).get("bin")
        where = tuple(pair for pair in asked.where if pair[0] != "bin")
        answers = []
        for values in _groups(connection, groups):
            within_group = (*where, *[(name, (value,)) for name, value in zip(groups, values, strict=True)])
            found_bins = [
                bin_
                for bin_ in bins(connection, question, asked.start, asked.end, within_group)
                if wanted is None or bin_.label in wanted
            ]
            keys = dict(zip(groups, values, strict=True))
            if "bin" in asked.by:
                answers += [
                    _answer(
                        {name: keys.get(name, found_bin.label) for name in asked.by}, asked.measures[0], [found_bin]
                    )
                    for found_bin in found_bins
                ]
            elif found_bins:
                answers.append(_answer(keys, asked.measures[0], found_bins))
        return answers

    return work


def _groups(connection: Connection, names: Sequence[str]) -> list[tuple[str, ...]]:
    """Return every combination of values that orders have, or one empty combination without dimensions."""
    if not names:
        return [()]
    rows = connection.execute(select(*[o[DIMENSIONS[name]] for name in names]).distinct())
    return sorted(tuple(str(value) for value in row) for row in rows)


def _answer(dimensions: Mapping[str, str | None], measure: str, shown: Sequence[Bin]) -> Answer:
    """Return cost per order over bins.

    Every trait sorts the same orders, so the bins of the first trait add up to the total.
    """
    first = [one for one in shown if one.trait == shown[0].trait]
    cost, orders = sum((one.cost for one in first), Decimal(0)), sum(one.orders for one in first)
    correlations = ", ".join(f"{one.label} {one.correlation:+.2f}" for one in shown if one.correlation is not None)
    remark = (
        f"rank correlation with cost per order over {shown[0].correlated} customers: {correlations or 'none'}; an "
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
        estimate="every order is in one bin of each trait, so bins add up within a trait",
        estimate_by="bin",
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
