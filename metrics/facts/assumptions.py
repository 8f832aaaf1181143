"""Assumptions: numbers that Buyerview cannot observe. Each has a default.

The feed `assumptions` overrides a default for everyone, for a segment or for a customer. Each override applies from a
day on. A measure that depends on an assumption says so in its definition and is shown next to the observed numbers.
Source: section 4 (d) (stockouts), (e) (profitability and ordering behaviour) and (l) (buyer's safety stock);
section 5 (policies).
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
from metrics.warehouse.query_cache import cached_per_generation

EVERYONE = "all"
"""The scope that applies if no narrower scope has a number."""


@dataclass(frozen=True)
class Assumption:
    """An assumed number and its default, which applies if the feed gives no number.

    source: where the default comes from; "illustrative" if it has no source.
    """

    default: Decimal
    unit: str
    title: str
    source: str


def _assume(default: str, unit: str, title: str, source: str) -> Assumption:
    return Assumption(Decimal(default), unit, title, source)


_PRESET = "illustrative: 0.70 × 75 + 0.20 × 400 + 0.10 × 20,000 = 2,132.50 (docs/rules.md, section 4 (d))"
_COYLE = "illustrative (Coyle, study problem 12)"

ASSUMPTIONS: dict[str, Assumption] = {
    "lost_k": _assume(
        "3",
        "median gaps",
        "Median gaps between orders after which a buyer without orders counts as lost",
        "docs/rules.md, section 5",
    ),
    "wait_cost": _assume(
        "0", "money an event", "Cost of a stockout if the buyer waits", "docs/rules.md, section 4 (d)"
    ),
    "customer_years": _assume("1", "years", "Years of margin lost with a buyer", "docs/rules.md, section 4 (d)"),
    "stockout_waited_share": _assume("0", "share", "Assumed share of stockouts in which the buyer waits", _PRESET),
    "stockout_back_ordered_share": _assume("0.70", "share", "Assumed share of stockouts back-ordered", _PRESET),
    "stockout_sale_lost_share": _assume(
        "0.20", "share", "Assumed share of stockouts in which the sale is lost", _PRESET
    ),
    "stockout_buyer_lost_share": _assume(
        "0.10", "share", "Assumed share of stockouts in which the buyer is lost", _PRESET
    ),
    "stockout_back_ordered_cost": _assume("75", "money an event", "Assumed cost of a back-order", _PRESET),
    "stockout_sale_lost_cost": _assume("400", "money an event", "Assumed cost of a lost sale", _PRESET),
    "stockout_buyer_lost_cost": _assume("20000", "money an event", "Assumed cost of a lost buyer", _PRESET),
    "fill_target": _assume(
        "0.98",
        "share",
        "Order fill that the investment reaches",
        "illustrative (package A of the default service packages)",
    ),
    "fill_back_order_cost": _assume("150", "money an order", "Cost of a back-order", _COYLE),
    "fill_invoice_deduction": _assume(
        "0", "money an order", "Deduction from the invoice of an incomplete order", _COYLE
    ),
    "fill_order_profit": _assume("12500", "money an order", "Profit lost with an order", _COYLE),
    "fill_investment": _assume("2000000", "money", "Investment that reaches the fill target", _COYLE),
    "fine_rate": _assume(
        "0",
        "share",
        "Fine as a share of the goods value that the buyer's book fails; 0: no fine agreed",
        "SupplyPike (Walmart: 0.03)",
    ),
    "carrying_rate": _assume(
        "0.20", "share a year", "Yearly cost of carrying stock, as a share of its value", "illustrative"
    ),
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
        "0", "1 or 0", "Measure cost to serve for the zones as a share of net sales, not in money", "own"
    ),
    "danger_moved_share": _assume(
        "0.50", "share", "Share of a Danger customer's other orders that would move to edi or web", "illustrative"
    ),
    "danger_charge_acceptance": _assume(
        "0.50", "share", "Share of the actual cost charged that a Danger customer would pay", "illustrative"
    ),
    "danger_channel_margin": _assume(
        "0.20", "share", "Share of net sales less product cost that an alternative channel keeps", "illustrative"
    ),
    "danger_channel_order_cost": _assume(
        "0", "money an order", "Our cost of an order through an alternative channel", "illustrative"
    ),
    "package_share": _assume(
        "0.95",
        "share",
        "Share of orders that must keep a package's lead time and delivery time",
        "docs/rules.md, section 5",
    ),
}
"""Every assumption by name. A row of the feed with another name has no effect."""


def assumed(connection: Connection, name: str, *, scope: str = EVERYONE, on: date | None = None) -> Decimal:
    """Return the number assumed for a scope on a day.

    scope: "all", "segment:A" or "customer:ID". A customer's number precedes that of their segment, which precedes the
    number for everyone. on: None for the day of the facts' `as_of`. Raises UnknownName, which lists the nearest names.
    """
    given = assumed_by_scope(connection, name, on=on)
    return value_for_scope(given, *_scopes_from_narrowest(connection, given, scope, on))


def assumed_by_scope(connection: Connection, name: str, *, on: date | None = None) -> dict[str, Decimal]:
    """Return the newest number valid on the day by scope. The scope "all" is always included.

    Raises UnknownName, which lists the nearest names.
    """
    given = _given_by_scope(connection, name, on)  # must run first: it raises for an unknown name
    return {EVERYONE: ASSUMPTIONS[name].default} | given


def stated(connection: Connection, name: str, *, scope: str = EVERYONE, on: date | None = None) -> Decimal | None:
    """Return the same number as `assumed`, or None if the feed gives none and the default applies.

    Raises UnknownName, which lists the nearest names.
    """
    given = _given_by_scope(connection, name, on)
    scopes = (*_scopes_from_narrowest(connection, given, scope, on), EVERYONE)
    return next((given[candidate] for candidate in scopes if candidate in given), None)


@cached_per_generation
def _given_by_scope(connection: Connection, name: str, on: date | None) -> dict[str, Decimal]:
    if name not in ASSUMPTIONS:
        raise UnknownName("assumption", name, ASSUMPTIONS)
    row = assumptions.c
    day = on or as_of_day(connection)
    valid = select(row.scope, row.assumed_value).where(row.assumption == name, ~row.deleted).order_by(row.valid_from)
    if day is not None:
        valid = valid.where(row.valid_from <= day)
    return {scope: Decimal(value) for scope, value in connection.execute(valid)}


def assumption_scope(dimensions: Mapping[str, str | None], where: Iterable[tuple[str, tuple[str, ...]]] = ()) -> str:
    """Return the scope whose assumptions apply to an answer.

    This is the customer or segment that the answer is limited to, otherwise everyone. where: as in a Question.
    """
    only = {name: values[0] for name, values in where if len(values) == 1} | dict(dimensions)
    return next((f"{kind}:{only[kind]}" for kind in ("customer", "segment") if only.get(kind) is not None), EVERYONE)


def value_for_scope(given: Mapping[str, Decimal], *scopes: str) -> Decimal:
    """Return the number of the first scope that has one, otherwise the number for everyone."""
    return next((given[scope] for scope in scopes if scope in given), given[EVERYONE])


def assumed_column(
    connection: Connection, name: str, *, customer_id: Expression, segment: Expression, on: date | None = None
) -> Expression:
    """Return a column with the number assumed for the customer and segment of each row."""
    given = assumed_by_scope(connection, name, on=on)
    number = _number(given[EVERYONE])
    for kind, column in (("segment", segment), ("customer", customer_id)):
        of_kind = {
            scope.partition(":")[2]: _number(value) for scope, value in given.items() if scope.startswith(f"{kind}:")
        }
        if of_kind:
            number = case(of_kind, value=column, else_=number)
    return number


def _number(value: Decimal) -> Expression:
    return cast(literal(value), assumptions.c.assumed_value.type)


@cached_per_generation
def as_of_day(connection: Connection) -> date | None:
    """Return the day of the facts' `as_of`, or None if no facts are built yet."""
    as_of = connection.execute(select(facts_state.c.as_of)).scalar_one_or_none()
    return None if as_of is None else as_of.date()


def _scopes_from_narrowest(
    connection: Connection, given: Mapping[str, Decimal], scope: str, on: date | None
) -> tuple[str, ...]:
    """Return the scope and, for a customer, also the scope of their segment on the day, if a segment has a number."""
    kind, _, customer_id = scope.partition(":")
    if kind != "customer" or not any(one.startswith("segment:") for one in given):
        return (scope,)
    segment = _segments(connection, on).get(customer_id)
    return (scope,) if segment is None else (scope, f"segment:{segment}")


@cached_per_generation
def _segments(connection: Connection, on: date | None) -> dict[str, str | None]:
    """Return the segment of every customer on the day."""
    c = customers.c
    versions = select(c.customer_id, c.service_segment).where(~c.deleted).order_by(c.valid_from)
    day = on or as_of_day(connection)
    found = connection.execute(versions if day is None else versions.where(c.valid_from <= day))
    return dict(map(tuple, found))  # the newest version is the last
