"""Conditions of visible rows under a row scope: by their order, by their own dimensions, and by their customer.

A row with an order is visible with its order. A row without an order is visible if the scope limits customers only, and
allows the customer's dimensions on the day on which the row counts. A scope of a dimension of orders hides it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    FromClause,
    MetaData,
    String,
    Table,
    and_,
    column,
    exists,
    false,
    func,
    or_,
    quoted_name,
    select,
    union,
)
from sqlalchemy import table as named_table

from metrics.facts.orders import NONE
from metrics.model.access_scope import ACCOUNT_MANAGER, OF_CUSTOMER, SCOPE_COLUMNS
from metrics.queries.outdated import DECLARED
from metrics.sql.dialects import Expression, Rows
from metrics.sql.temporary_tables import temporary_table

scope_values = temporary_table("scope_values", {"dimension": String(), "value": String()})
"""The allowed values of each dimension of the scope."""
scope_orders = named_table("scope_orders", column("order_id", String))
"""The visible orders."""
scope_customers = named_table("scope_customers", column("customer_id", String))
"""The customers with a visible order, or with a record that the scope allows, and `(none)` of orders without one."""
scope_managed = named_table("scope_managed", column("customer_id", String))
"""The customers of the allowed account managers."""


@dataclass(frozen=True)
class Stored:
    """The stored tables: their schema as SQL, their columns by name, and the dimensions of the scope."""

    place: str
    columns: Mapping[str, frozenset[str]]
    dimensions: tuple[str, ...]

    def table(self, name: str) -> Table:
        """Return a stored table. A view of the same name does not hide it."""
        return DECLARED[name].to_metadata(MetaData(), schema=quoted_name(self.place, quote=False))

    def has(self, name: str, *columns: str) -> bool:
        """Return True if a table is stored with these columns."""
        return {*columns} <= self.columns.get(name, frozenset())

    @property
    def limits_customers_only(self) -> bool:
        """Return True if the scope has no dimension of orders."""
        return {*self.dimensions} <= {*OF_CUSTOMER}


Rule = Callable[[Stored, Table], Expression]
"""Returns the condition of the visible rows of a stored table."""


def by_order(_stored: Stored, rows: Table | FromClause) -> Expression:
    """Return the condition of rows whose order is visible."""
    return rows.c.order_id.in_(select(scope_orders.c.order_id))


def by_own_dimensions(stored: Stored, rows: Table) -> Expression:
    """Return the condition of rows whose own dimensions are allowed."""
    columns = {name: SCOPE_COLUMNS[name] for name in stored.dimensions}
    if not stored.has(rows.name, *columns.values()) or not {*columns.values()} <= {*rows.c.keys()}:
        return false()
    return and_(*[_allowed(name, rows.c[by]) for name, by in columns.items()])


def without_order(stored: Stored, facts: Table) -> Expression:
    """Return the condition of visible facts that have no order."""
    return by_own_dimensions(stored, facts) if stored.limits_customers_only else false()


def by_order_or_customer(stored: Stored, facts: Table) -> Expression:
    """Return the condition of facts of visible orders, and of visible facts without an order."""
    if not stored.limits_customers_only:
        return by_order(stored, facts)
    return or_(by_order(stored, facts), and_(facts.c.order_id.is_(None), without_order(stored, facts)))


def keys_without_order(stored: Stored, facts: str, key: str, *conditions: Callable[[Table], Expression]) -> Rows:
    """Return the keys of the visible facts without an order. The records of these facts are visible too."""
    counted = stored.table(facts)
    return select(counted.c[key]).where(without_order(stored, counted), *[one(counted) for one in conditions])


def by_customer(_stored: Stored, rows: Table) -> Expression:
    """Return the condition of rows whose customer is visible."""
    return rows.c.customer_id.in_(select(scope_customers.c.customer_id))


def by_latest_record(stored: Stored, rows: Table) -> Expression:
    """Return the condition of rows without a day of their own: the latest record of their customer is allowed."""
    if not stored.limits_customers_only:
        return false()
    return rows.c.customer_id.in_(_latest_customers(stored, lambda customers: _matches(stored, customers)))


# --------------------------------------------------------------------------------------- visible orders and customers
def managed_customers(stored: Stored) -> Rows:
    """Return the rows of `scope_managed`."""
    customers = stored.table("customers")
    if ACCOUNT_MANAGER not in stored.dimensions or not stored.has("customers", ACCOUNT_MANAGER):
        return select(customers.c.customer_id).where(false())
    return _latest_customers(stored, lambda customers: customers.c.account_manager.in_(_values(ACCOUNT_MANAGER)))


def visible_orders(stored: Stored) -> Rows:
    """Return the rows of `scope_orders`."""
    facts = stored.table("order_facts")
    return select(facts.c.order_id).where(by_own_dimensions(stored, facts))


def visible_customers(stored: Stored) -> Rows:
    """Return the rows of `scope_customers`."""
    facts, customers = stored.table("order_facts"), stored.table("customers")
    ordering = select(facts.c.customer_id).where(by_own_dimensions(stored, facts))
    if not stored.limits_customers_only:
        return ordering.distinct()
    matching = select(customers.c.customer_id).where(~customers.c.deleted, _matches(stored, customers))
    both = union(ordering, matching).subquery("visible_customers")
    return select(both.c.customer_id)


def _latest_customers(stored: Stored, condition: Callable[[Table], Expression]) -> Rows:
    """Return the customers whose latest record meets a condition."""
    customers = stored.table("customers")
    c, later = customers.c, customers.alias("later").c
    newer = exists().where(later.customer_id == c.customer_id, later.valid_from > c.valid_from, ~later.deleted)
    return select(c.customer_id).where(~c.deleted, ~newer, condition(customers))


def _matches(stored: Stored, customers: Table) -> Expression:
    """Return the condition of records of customers that the scope allows. The account manager is the latest."""
    own = {name: customers.c[OF_CUSTOMER[name]] for name in stored.dimensions if name != ACCOUNT_MANAGER}
    managed = [_allowed(ACCOUNT_MANAGER, customers.c.customer_id)] if ACCOUNT_MANAGER in stored.dimensions else []
    return and_(*[_allowed(name, func.coalesce(value, NONE)) for name, value in own.items()], *managed)


def _allowed(dimension: str, value: Expression) -> Expression:
    if dimension == ACCOUNT_MANAGER:
        return value.in_(select(scope_managed.c.customer_id))
    return value.in_(_values(dimension))


def _values(dimension: str) -> Rows:
    return select(scope_values.c.value).where(scope_values.c.dimension == dimension)
