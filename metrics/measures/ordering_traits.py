"""Ways of ordering (traits) and their bins: how, how much, what and when customers order.

Source: docs/rules.md, profitability and ordering behaviour.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, Integer, String, Table, and_, case, cast, func, literal, literal_column, null, select

from metrics.facts.orders import order_facts_table
from metrics.measures.customer_zones import in_period
from metrics.measures.package_terms import package_number, packages
from metrics.sql.dialects import Expression, days_between, percentile, period_start, plus_days, times

o = order_facts_table.c

HOW, HOW_MUCH, WHAT, WHEN = "behaviour_how", "behaviour_how_much", "behaviour_what", "behaviour_when"

MONTH_END_DAYS = 3
"""The number of last days of a month whose orders count as month-end orders."""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

QUARTERS = (Decimal("0.25"), Decimal("0.5"), Decimal("0.75"))

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


def traits_of(connection: Connection, question: str, start: date | None, end: date | None, where: Where) -> list[Trait]:
    """Return the traits of one of the four questions (HOW, HOW_MUCH, WHAT, WHEN)."""
    if question == HOW:
        return [Trait("Channel", o.channel)]
    if question == HOW_MUCH:
        amount = times(o.ordered_amount, o.rate)
        placed = and_(
            o.order_type == "sale", *in_period(o.ordered_day, start, end), *filter_conditions(order_facts_table, where)
        )
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
        place: literal(package.lead_time_days_max, Integer)
        for place, package in enumerate(listed)
        if package.lead_time_days_max is not None
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
    quartiles = connection.execute(select(*asked).where(placed, value.is_not(None))).one()
    return sorted({Decimal(edge) for edge in quartiles if edge is not None})


def _up_to(value: Expression, edges: Sequence[int | Decimal], words: str) -> tuple[Expression, tuple[str, ...]]:
    """Return the bin of a number: up to each edge, above the last edge, or unknown."""
    labels = [words.format(edge.normalize() if isinstance(edge, Decimal) else edge) for edge in edges]
    above = f"over {labels[-1]}" if labels else "all"
    steps = [(value <= edge, literal(place, Integer)) for place, edge in enumerate(edges)]
    place_of = case(*steps, (value.is_not(None), literal(len(edges), Integer)), else_=literal(len(edges) + 1, Integer))
    return place_of, (*[f"up to {label}" for label in labels], above, "not known")


def filter_conditions(facts: Table, where: Where) -> list[Expression]:
    """Return the conditions of the filters as columns of a fact table."""
    return [facts.c[DIMENSIONS[name]].in_(values) for name, values in where]


DIMENSIONS = {"segment": "segment", "region": "region"}
"""The dimensions other than bins that the behaviours can be filtered and broken down by, and the column of each."""
