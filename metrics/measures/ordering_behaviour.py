"""Ordering behaviour and its cost to serve: how, how much, what and when customers order. Associations, never causes.

ordering_traits.py sorts the orders into bins. A bin has the cost to serve per order (costs by their day, orders by
theirs, as in `cost_to_serve_order`). It also has Spearman's rank correlation over customers. The correlation compares
the share of a customer's orders in the bin (or their mean value, units, lines or notice) with the customer's whole cost
to serve per order. Source: docs/rules.md, profitability and ordering behaviour.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import (
    Connection,
    Integer,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
)

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table
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
from metrics.measures.rank_correlation import correlation_of_ranks, ranks, ranks_of_quotients
from metrics.model.measure import Direction, Measure, Study, Unit
from metrics.model.question import Answer, Ask, Question
from metrics.model.statistics import divide
from metrics.schema import EXACT_AMOUNT
from metrics.sql.dialects import count_if, sum_if
from metrics.warehouse.query_cache import cached_per_generation

o = order_facts_table.c
m = money_facts_table.c


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
    traits = traits_of(connection, question, start, end, where)
    counted = _counted(connection, traits, start, end, where)
    return [bin_ for trait, of_trait in zip(traits, counted, strict=True) for bin_ in _bins(trait, of_trait, per_order)]


@cached_per_generation
def _cost_per_order(connection: Connection, start: date | None, end: date | None, where: Where) -> dict[str, Fraction]:
    """Return each customer's whole cost to serve per order, including costs without an order.

    Customers without an order are left out.
    """
    costs = (
        select(m.customer_id, sum_if(is_cost_to_serve, m.amount))
        .where(is_cost_to_serve, *in_period(m.day, start, end), *filter_conditions(money_facts_table, where))
        .group_by(m.customer_id)
    )
    placed = (
        select(o.customer_id, func.count())
        .where(
            o.order_type == "sale", *in_period(o.ordered_day, start, end), *filter_conditions(order_facts_table, where)
        )
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
        .where(is_cost_to_serve, m.order_id.is_not(None), *in_period(m.day, start, end))
        .group_by(m.order_id)
        .subquery("linked")
    )
    placed = and_(*in_period(o.ordered_day, start, end))
    orders = (
        select(
            o.customer_id,
            *[trait.bin.label(f"bin_{place}") for place, trait in enumerate(traits)],
            *[
                (cast(null(), EXACT_AMOUNT) if trait.value is None else trait.value).label(f"number_{place}")
                for place, trait in enumerate(traits)
            ],
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
    b = orders.c
    names, values = ([b[f"{kind}_{place}"] for place in range(len(traits))] for kind in ("bin", "number"))
    sums = [count_if(b.placed == 1), sum_if(b.cost.is_not(None), b.cost)]
    for value in values:
        numbered = and_(b.placed == 1, value.is_not(None))
        sums += [count_if(numbered), sum_if(numbered, value)]
    asked = select(b.customer_id, *names, *[func.grouping(name) for name in names], *sums)
    rows = connection.execute(asked.group_by(func.grouping_sets(*[tuple_(b.customer_id, name) for name in names])))
    counted = [_Counted() for _ in traits]
    many = len(traits)
    for customer_id, *row in rows:
        place = row.index(0, many, 2 * many) - many  # the trait whose bins this row belongs to
        count, cost, *numbers = row[2 * many :]
        of_trait = counted[place]
        of_trait.of_bin[row[place]][customer_id] = (count, Decimal(cost))
        of_trait.placed[customer_id] += count
        if numbers[2 * place]:
            of_trait.numbered[customer_id] += numbers[2 * place]
            of_trait.numbers[customer_id] += Decimal(numbers[2 * place + 1])
    return counted


def _bins(trait: Trait, counted: _Counted, per_order: Mapping[str, Fraction]) -> list[Bin]:
    among = [
        customer_id for customer_id, n in (counted.placed if trait.value is None else counted.numbered).items() if n
    ]
    costs = ranks([per_order[customer_id] for customer_id in among])
    whole = (
        None
        if trait.value is None
        else correlation_of_ranks(
            ranks([Fraction(counted.numbers[customer_id]) / counted.numbered[customer_id] for customer_id in among]),
            costs,
        )
    )
    placed = [counted.placed[customer_id] for customer_id in among]
    made = []
    for name in sorted(counted.of_bin):
        here_too = counted.of_bin[name]
        correlation = whole
        if trait.value is None:
            correlation = correlation_of_ranks(
                ranks_of_quotients(
                    [here_too[customer_id][0] if customer_id in here_too else 0 for customer_id in among], placed
                ),
                costs,
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
