"""Options for customers in the Danger zone: change the interaction, charge the actual cost, or use another channel.

danger_zone.py declares the measures. Customer acceptance is not modelled. Source: Coyle; docs/rules.md, profitability
and ordering behaviour.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from sqlalchemy import Connection, func, select

from metrics.facts.assumptions import assumed
from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table
from metrics.measures.customer_zones import DANGER, Customer, Cuts, cost_limit, in_period, median, zone, zones
from metrics.measures.profitability import is_cost_to_serve
from metrics.sql.dialects import sum_if
from metrics.warehouse.query_cache import cached_per_generation

m = money_facts_table.c

ELECTRONIC = ("edi", "web")
"""The channels that orders are moved to."""

STEP = Decimal("0.0001")


@dataclass(frozen=True)
class ActivityCost:
    """One activity of one Danger customer, per order: its own cost and the median cost of customers outside Danger.

    The median is None if no other customer has the activity.
    """

    activity: str
    own: Decimal
    median: Decimal | None
    saving: Decimal


@dataclass(frozen=True)
class Interaction:
    """The result of changing the interaction with one Danger customer.

    saving: activities reduced to a lower median, over the period's orders. moved_saving: a share of the non-electronic
    orders moved to edi or web, at the cost of electronic orders. Zones are those after the saving.
    """

    customer: Customer
    activities: tuple[ActivityCost, ...]
    saving: Decimal
    new_zone: str
    orders_to_move: int
    own_order_cost: Decimal | None
    electronic_order_cost: Decimal | None
    moved_share: Decimal
    moved_saving: Decimal
    moved_zone: str


@dataclass(frozen=True)
class Charge:
    """The result of charging one Danger customer the cost to serve above the cut, with partial acceptance.

    profit is None if it is unknown.
    """

    customer: Customer
    charge: Decimal
    break_even: Decimal | None
    acceptance: Decimal
    gain: Decimal
    new_profit: Decimal | None


@dataclass(frozen=True)
class Channel:
    """The result of serving one Danger customer through another channel.

    The channel keeps a margin of the contribution and costs an amount per order.
    """

    customer: Customer
    margin: Decimal
    cost: Decimal
    channel_profit: Decimal | None
    gain: Decimal | None


@cached_per_generation
def interactions(
    connection: Connection, start: date | None = None, end: date | None = None, *, moved_share: Decimal | None = None
) -> list[Interaction]:
    """Return the changed interaction, one row per Danger customer of the period.

    moved_share: the share of the non-electronic orders that move (None: as assumed).
    """
    customers, cuts = zones(connection, start, end)
    share = assumed(connection, "danger_moved_share") if moved_share is None else moved_share
    costs = _activity_costs(connection, start, end)
    unit = {
        customer.customer_id: {
            activity: amount / customer.orders for activity, amount in costs[customer.customer_id].items()
        }
        for customer in customers
        if customer.orders
    }
    activities = sorted({activity for own in unit.values() for activity in own})
    others = [
        customer.customer_id for customer in customers if customer.zone != DANGER and customer.customer_id in unit
    ]
    medians = {
        activity: median(unit[other][activity] for other in others if activity in unit[other])
        for activity in activities
    }
    channels = _channels(connection, start, end)
    electronic = _order_cost([channels[customer.customer_id] for customer in customers], electronic=True)
    return [
        _interaction(
            customer,
            cuts,
            unit.get(customer.customer_id, {}),
            medians,
            channels[customer.customer_id],
            electronic,
            share,
        )
        for customer in customers
        if customer.zone == DANGER
    ]


@cached_per_generation
def charges(
    connection: Connection, start: date | None = None, end: date | None = None, *, acceptance: Decimal | None = None
) -> list[Charge]:
    """Return the charge of the actual cost, one row per Danger customer.

    acceptance: the share of the charge that is paid (None: as assumed).
    """
    customers, cuts = zones(connection, start, end)
    accepted = assumed(connection, "danger_charge_acceptance") if acceptance is None else acceptance
    return [charge(customer, cuts, accepted) for customer in customers if customer.zone == DANGER]


@cached_per_generation
def channels(
    connection: Connection,
    start: date | None = None,
    end: date | None = None,
    *,
    margin: Decimal | None = None,
    order_cost: Decimal | None = None,
) -> list[Channel]:
    """Return the alternative channel, one row per Danger customer.

    margin: the share that the channel keeps. order_cost: our cost of an order through the channel. None: as assumed.
    """
    customers, _ = zones(connection, start, end)
    share = assumed(connection, "danger_channel_margin") if margin is None else margin
    cost = assumed(connection, "danger_channel_order_cost") if order_cost is None else order_cost
    return [channel(customer, share, cost) for customer in customers if customer.zone == DANGER]


def charge(customer: Customer, cuts: Cuts, acceptance: Decimal) -> Charge:
    """Compute charge = cost to serve above the cut; break-even charge = max(0, -profit); new profit = profit + charge ×
    acceptance.
    """
    asked = max(Decimal(0), _exact(customer.cost_to_serve - cost_limit(customer.sales, cuts)))
    gain = _exact(asked * acceptance)
    break_even = None if customer.profit is None else max(Decimal(0), -customer.profit)
    return Charge(
        customer, asked, break_even, acceptance, gain, None if customer.profit is None else customer.profit + gain
    )


def channel(customer: Customer, margin: Decimal, order_cost: Decimal) -> Channel:
    """Compute (net sales - product cost) × (1 - channel margin) - channel cost, compared with the present profit."""
    cost = _exact(customer.orders * order_cost)
    if customer.profit is None:
        return Channel(customer, margin, cost, None, None)
    profit = _exact((customer.sales - customer.product_cost) * (1 - margin)) - cost
    return Channel(customer, margin, cost, profit, profit - customer.profit)


def _exact(amount: Decimal) -> Decimal:
    return amount.quantize(STEP, ROUND_HALF_UP)


_Costs = dict[str, tuple[Decimal, int]]


def _interaction(
    customer: Customer,
    cuts: Cuts,
    own: dict[str, Decimal],
    medians: dict[str, Decimal | None],
    by_channel: _Costs,
    electronic: Decimal | None,
    share: Decimal,
) -> Interaction:
    listed = []
    for activity, cost in sorted(own.items()):
        middle = medians[activity]
        lower = middle is not None and middle < cost
        listed.append(
            ActivityCost(
                activity,
                cost,
                middle,
                _exact((cost - middle) * customer.orders) if lower and middle is not None else Decimal(0),
            )
        )
    saving = sum((each.saving for each in listed), Decimal(0))
    to_move = sum(orders for name, (_, orders) in by_channel.items() if name not in ELECTRONIC)
    own_cost = _order_cost([by_channel], electronic=False)
    cheaper = own_cost is not None and electronic is not None and electronic < own_cost
    moved = (
        _exact((own_cost - electronic) * to_move * share)
        if cheaper and own_cost is not None and electronic is not None
        else Decimal(0)
    )
    return Interaction(
        customer,
        tuple(listed),
        saving,
        zone(customer.sales, customer.cost_to_serve - saving, cuts),
        to_move,
        own_cost,
        electronic,
        share,
        moved,
        zone(customer.sales, customer.cost_to_serve - moved, cuts),
    )


def _order_cost(by_channel: Sequence[_Costs], *, electronic: bool) -> Decimal | None:
    """Return cost to serve per order over the electronic channels, and over all others. None without orders."""
    chosen = [both for costs in by_channel for name, both in costs.items() if (name in ELECTRONIC) is electronic]
    orders = sum(n for _, n in chosen)
    return sum((cost for cost, _ in chosen), Decimal(0)) / orders if orders else None


def _activity_costs(connection: Connection, start: date | None, end: date | None) -> dict[str, dict[str, Decimal]]:
    """Return cost to serve per customer and activity."""
    rows = (
        select(m.customer_id, m.activity, sum_if(is_cost_to_serve, m.amount))
        .where(is_cost_to_serve, *in_period(m.day, start, end))
        .group_by(m.customer_id, m.activity)
    )
    costs: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for customer_id, activity, amount in connection.execute(rows).all():
        costs[customer_id][activity] = Decimal(amount)
    return costs


def _channels(connection: Connection, start: date | None, end: date | None) -> dict[str, _Costs]:
    """Return cost to serve of orders, and the orders placed, per customer and channel."""
    o = order_facts_table.c
    linked = (
        select(m.customer_id, m.channel, sum_if(is_cost_to_serve, m.amount))
        .where(is_cost_to_serve, m.order_id.is_not(None), *in_period(m.day, start, end))
        .group_by(m.customer_id, m.channel)
    )
    placed = (
        select(o.customer_id, o.channel, func.count())
        .where(o.order_type == "sale", *in_period(o.ordered_day, start, end))
        .group_by(o.customer_id, o.channel)
    )
    cost = {(customer_id, name): Decimal(amount) for customer_id, name, amount in connection.execute(linked).all()}
    found: dict[str, _Costs] = defaultdict(dict)
    for customer_id, name, orders in connection.execute(placed).all():
        found[customer_id][name] = (cost.get((customer_id, name), Decimal(0)), int(orders))
    return found
