"""Numbers that are assumed rather than observed: a default each, which the feed `assumptions` overrides for everyone, a
segment or a customer.

A measure that stands on one says so in its definition, and what was observed stands beside it. Source: rules, section 4
(d), (e), (l), section 5.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, case, cast, literal, select

from metrics.errors import UnknownName
from metrics.facts.orders import facts_state
from metrics.schema import assumptions, customers
from metrics.sql.dialects import Expression

EVERYONE = "all"
"""The scope that holds where no narrower one has a number."""


@dataclass(frozen=True)
class Assumption:
    """One assumed number: what is taken while the feed gives none. `source`: who says so; "illustrative" where nobody
    does.
    """

    default: Decimal
    unit: str
    title: str
    source: str


def _assume(default: str, unit: str, title: str, source: str) -> Assumption:
    return Assumption(Decimal(default), unit, title, source)


_PRESET = "illustrative (rules, section 4 (d): 0.70 × 75 + 0.20 × 400 + 0.10 × 20,000 = 2,132.50)"
_COYLE = "illustrative (Coyle, study problem 12)"

ASSUMPTIONS: dict[str, Assumption] = {
    "lost_k": _assume(
        "3", "median gaps", "Median gaps between orders after which a silent buyer counts as lost", "rules, section 5"
    ),
    "wait_cost": _assume(
        "0", "money an event", "What a stockout costs where the buyer simply waits", "rules, section 4 (d)"
    ),
    "customer_years": _assume("1", "years", "Years of margin lost with a buyer", "rules, section 4 (d)"),
    "stockout_waited_share": _assume("0", "share", "Assumed share of stockouts where the buyer waits", _PRESET),
    "stockout_back_ordered_share": _assume("0.70", "share", "Assumed share of stockouts back-ordered", _PRESET),
    "stockout_sale_lost_share": _assume("0.20", "share", "Assumed share of stockouts where the sale is lost", _PRESET),
    "stockout_buyer_lost_share": _assume(
        "0.10", "share", "Assumed share of stockouts where the buyer is lost", _PRESET
    ),
    "stockout_back_ordered_cost": _assume("75", "money an event", "Assumed cost of a back-order", _PRESET),
    "stockout_sale_lost_cost": _assume("400", "money an event", "Assumed cost of a lost sale", _PRESET),
    "stockout_buyer_lost_cost": _assume("20000", "money an event", "Assumed cost of a lost buyer", _PRESET),
    "fill_target": _assume(
        "0.98", "share", "Order fill to be reached by investing", "illustrative (the brief's Table 8-1, package A)"
    ),
    "fill_back_order_cost": _assume("150", "money an order", "Cost of a back-order", _COYLE),
    "fill_invoice_deduction": _assume(
        "0", "money an order", "What is deducted from the invoice of an incomplete order", _COYLE
    ),
    "fill_order_profit": _assume("12500", "money an order", "Profit of an order, lost with it", _COYLE),
    "fill_investment": _assume("2000000", "money", "Investment that reaches the fill target", _COYLE),
    "fine_rate": _assume(
        "0",
        "share",
        "Share of goods value fined that the buyer's book fails; 0: no fine agreed",
        "SupplyPike (Walmart: 0.03)",
    ),
    "carrying_rate": _assume("0.20", "share a year", "Yearly cost of carrying stock, of its value", "illustrative"),
    "z": _assume(
        "1.645",
        "standard deviations",
        "Safety factor of the buyer's stock (1.645: in stock in 95 % of cycles)",
        "Coyle; standard inventory formula",
    ),
    "zone_sales_cut": _assume(
        "0",
        "money",
        "Net sales from which a customer is Protect or Cost engineer; 0: the median of all customers",
        "own",
    ),
    "zone_cost_cut": _assume(
        "0",
        "money, or share of net sales",
        "Cost to serve up to which a customer is Protect or Build; 0: the median",
        "own",
    ),
    "zone_cost_as_share": _assume(
        "0", "1 or 0", "Whether zones take cost to serve as a share of net sales (1) or in money (0)", "own"
    ),
    "danger_moved_share": _assume(
        "0.50", "share", "Share of a Danger customer's other orders that would move to edi or web", "illustrative"
    ),
    "danger_charge_acceptance": _assume(
        "0.50", "share", "Share of the actual cost charged that a Danger customer would pay", "illustrative"
    ),
    "danger_channel_margin": _assume(
        "0.20", "share", "What an alternative channel keeps of net sales less product cost", "illustrative"
    ),
    "danger_channel_order_cost": _assume(
        "0", "money an order", "What an order through an alternative channel costs us", "illustrative"
    ),
    "package_share": _assume(
        "0.95", "share", "Share of orders that must keep a package's lead time and delivery time", "rules, section 5"
    ),
}
"""Every assumption by name. A row of the feed with another name is of no effect."""


def assumed(connection: Connection, name: str, *, scope: str = EVERYONE, on: date | None = None) -> Decimal:
    """The number assumed for a scope ("all", "segment:A" or "customer:ID") on a day; without a day, on that of the
    facts' `as_of`.

    A customer's own number comes before that of their segment, and that before everyone's. Raises UnknownName with the
    nearest.
    """
    given = assumed_by_scope(connection, name, on=on)
    return narrowest(given, *_wider(connection, scope, on))


def assumed_by_scope(connection: Connection, name: str, *, on: date | None = None) -> dict[str, Decimal]:
    """By scope, the newest number valid on the day, from one SELECT for all of them; "all" is always there. Raises
    UnknownName with the nearest.
    """
    given = _given_by_scope(connection, name, on)  # first: it refuses a name there is not
    return {EVERYONE: ASSUMPTIONS[name].default} | given


def stated(connection: Connection, name: str, *, scope: str = EVERYONE, on: date | None = None) -> Decimal | None:
    """The same number as `assumed`, but only where the feed gives one for the scope; None where the default stands.
    Raises UnknownName.
    """
    given = _given_by_scope(connection, name, on)
    return next((given[one] for one in (*_wider(connection, scope, on), EVERYONE) if one in given), None)


def _given_by_scope(connection: Connection, name: str, on: date | None) -> dict[str, Decimal]:
    if name not in ASSUMPTIONS:
        raise UnknownName("assumption", name, ASSUMPTIONS)
    row = assumptions.c
    day = on or as_of_day(connection)
    valid = select(row.scope, row.assumed_value).where(row.assumption == name, ~row.deleted).order_by(row.valid_from)
    if day is not None:
        valid = valid.where(row.valid_from <= day)
    return {scope: Decimal(value) for scope, value in connection.execute(valid)}


def scope_assumed(dimensions: Mapping[str, str | None], where: Iterable[tuple[str, tuple[str, ...]]] = ()) -> str:
    """Whose assumptions an answer stands on: those of the one customer or segment it is for, else everyone's. where: as
    in a Question.
    """
    only = {name: values[0] for name, values in where if len(values) == 1} | dict(dimensions)
    return next((f"{kind}:{only[kind]}" for kind in ("customer", "segment") if only.get(kind) is not None), EVERYONE)


def narrowest(given: Mapping[str, Decimal], *scopes: str) -> Decimal:
    """The number of the first of the scopes that has one, else everyone's."""
    return next((given[scope] for scope in scopes if scope in given), given[EVERYONE])


def assumed_column(
    connection: Connection, name: str, *, customer_id: Expression, segment: Expression, on: date | None = None
) -> Expression:
    """The number assumed for the customer and segment of each row, as a column."""
    given = assumed_by_scope(connection, name, on=on)
    found = _number(given[EVERYONE])
    for kind, column in (("segment", segment), ("customer", customer_id)):
        of_kind = {
            scope.partition(":")[2]: _number(value) for scope, value in given.items() if scope.startswith(f"{kind}:")
        }
        if of_kind:
            found = case(of_kind, value=column, else_=found)
    return found


def _number(value: Decimal) -> Expression:
    return cast(literal(value), assumptions.c.assumed_value.type)


def as_of_day(connection: Connection) -> date | None:
    """The day of the facts' `as_of`; None while there are none."""
    as_of = connection.execute(select(facts_state.c.as_of)).scalar_one_or_none()
    return None if as_of is None else as_of.date()


def _wider(connection: Connection, scope: str, on: date | None) -> tuple[str, ...]:
    """The scope, and for a customer the segment they are in on the day."""
    kind, _, customer_id = scope.partition(":")
    if kind != "customer":
        return (scope,)
    c = customers.c
    versions = (
        select(c.service_segment).where(c.customer_id == customer_id, ~c.deleted).order_by(c.valid_from.desc()).limit(1)
    )
    day = on or as_of_day(connection)
    segment = connection.execute(versions if day is None else versions.where(c.valid_from <= day)).scalar_one_or_none()
    return (scope,) if segment is None else (scope, f"segment:{segment}")
