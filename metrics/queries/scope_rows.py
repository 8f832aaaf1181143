"""The visible rows of every table under a row scope, as SELECTs over the stored tables. `scope.py` makes views of them.

A table without a rule here, or without the columns that its rule needs, is empty.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    FromClause,
    MetaData,
    String,
    Table,
    and_,
    cast,
    column,
    exists,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    quoted_name,
    select,
    table,
    true,
    union,
    union_all,
)

from metrics.facts.orders import DIMENSION_COLUMNS, NONE
from metrics.model.access_scope import ACCOUNT_MANAGER, OF_CUSTOMER, SCOPE_COLUMNS
from metrics.queries.outdated import DECLARED
from metrics.queries.rollups import rollup_metadata
from metrics.schema import FEEDS
from metrics.sql.dialects import Expression, Rows
from metrics.sql.temporary_tables import temporary_table

PUBLIC = (
    "products",
    "unit_factors",
    "service_packages",
    "fx_rates",
    "local_days",
    "mapped_columns",
    "facts_state",
    "runs",
)
"""Tables without records of customers: all rows are visible."""
OF_WAREHOUSE = ("generations",)
"""Tables of the server that have no rows of the data. They stay as they are."""

OF_ORDER = (
    "orders",
    "order_lines",
    "shipment_lines",
    "promises",
    "holds",
    "order_events",
    "returns",
    "restated_quantities",
    "orders_in_quarantine",
    "lines_in_quarantine",
    "quarantine_effects",
)
"""Tables whose rows name their order."""

scope_values = temporary_table("scope_values", {"dimension": String(), "value": String()})
"""The allowed values of each dimension of the scope."""
scope_orders = table("scope_orders", column("order_id", String))
"""View: the visible orders."""
scope_customers = table("scope_customers", column("customer_id", String))
"""View: the customers with a visible order, or visible by their latest record."""
scope_managed = table("scope_managed", column("customer_id", String))
"""View: the customers of the allowed account managers."""


ALL: Expression = literal_column("*")
Rule = Callable[["Stored", Table], Expression]
"""Returns the condition of the visible rows of a stored table."""


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


def views(stored: Stored) -> Iterator[tuple[str, Rows]]:
    """Yield the name and the rows of every view. A view comes after the views that it reads."""
    yield scope_managed.name, _managed(stored)
    yield scope_orders.name, _orders(stored)
    yield scope_customers.name, _customers(stored)
    for name in sorted({*stored.columns} - {*COUNTED, *OF_WAREHOUSE}):
        yield name, _visible(stored, name)
    for name, rows in COUNTED.items():
        if name in stored.columns:
            yield name, rows(stored)


def _visible(stored: Stored, name: str) -> Rows:
    declared = DECLARED.get(name)
    if declared is None:
        return select(ALL).select_from(table(name, schema=quoted_name(stored.place, quote=False))).where(false())
    whole, rule = stored.table(name), RULES.get(name)
    if rule is not None:
        visible = rule(stored, whole)
    elif name in rollup_metadata.tables or {*DIMENSION_COLUMNS} <= {*whole.c.keys()}:
        visible = _in_scope(stored, whole)
    else:
        visible = false()
    return select(ALL).select_from(whole).where(visible)


# ------------------------------------------------------------------------------------------------- orders and customers
def _in_scope(stored: Stored, facts: Table) -> Expression:
    """Return the condition of the facts, or the rows of a rollup, whose own dimensions are allowed."""
    columns = {name: SCOPE_COLUMNS[name] for name in stored.dimensions}
    if not stored.has(facts.name, *columns.values()) or not {*columns.values()} <= {*facts.c.keys()}:
        return false()
    allowed = and_(*[_allowed(name, facts.c[by]) for name, by in columns.items()])
    if "order_id" not in facts.c or facts.name in ("order_facts", "order_line_facts"):
        return allowed
    # A document may have another currency or customer than its order, and some orders have no customer.
    certain = [facts.c.order_id.is_(None), _by_order(stored, facts)]
    return and_(allowed, or_(*certain, *([_only_buyer_knows(stored, facts)] if facts.name == "book_facts" else [])))


def _only_buyer_knows(stored: Stored, rows: Table) -> Expression:
    return rows.c.order_id.not_in(select(stored.table("order_facts").c.order_id))


def _allowed(dimension: str, value: Expression) -> Expression:
    if dimension == ACCOUNT_MANAGER:
        return value.in_(select(scope_managed.c.customer_id))
    return value.in_(_values(dimension))


def _values(dimension: str) -> Rows:
    return select(scope_values.c.value).where(scope_values.c.dimension == dimension)


def _latest_customers(stored: Stored, *conditions: Callable[[Table], Expression]) -> Rows:
    """Return the customers whose latest record meets the conditions."""
    customers = stored.table("customers")
    c, later = customers.c, customers.alias("later").c
    newer = exists().where(later.customer_id == c.customer_id, later.valid_from > c.valid_from, ~later.deleted)
    return select(c.customer_id).where(~c.deleted, ~newer, *[condition(customers) for condition in conditions])


def _managed(stored: Stored) -> Rows:
    if ACCOUNT_MANAGER not in stored.dimensions or not stored.has("customers", ACCOUNT_MANAGER):
        return select(literal("", String).label("customer_id")).where(false())
    return _latest_customers(stored, lambda customers: customers.c.account_manager.in_(_values(ACCOUNT_MANAGER)))


def _orders(stored: Stored) -> Rows:
    facts = stored.table("order_facts")
    return select(facts.c.order_id).where(_in_scope(stored, facts))


def _customers(stored: Stored) -> Rows:
    facts = stored.table("order_facts")
    ordering = select(facts.c.customer_id).where(_in_scope(stored, facts), facts.c.customer_id != NONE)
    if not {*stored.dimensions} <= {*OF_CUSTOMER}:
        return ordering.distinct()

    def matches(customers: Table) -> Expression:
        own = {name: customers.c[OF_CUSTOMER[name]] for name in stored.dimensions}
        return and_(*[func.coalesce(value, NONE).in_(_values(name)) for name, value in own.items()])

    both = union(ordering, _latest_customers(stored, matches)).subquery("visible_customers")
    return select(both.c.customer_id)


# --------------------------------------------------------------------------------------------------- rules of the feeds
def _everything(_stored: Stored, _rows: Table) -> Expression:
    return true()


def _by_order(_stored: Stored, rows: Table | FromClause) -> Expression:
    return rows.c.order_id.in_(select(scope_orders.c.order_id))


def _by_customer(_stored: Stored, rows: Table) -> Expression:
    return rows.c.customer_id.in_(select(scope_customers.c.customer_id))


def _by_customer_alone(stored: Stored, rows: Table) -> Expression:
    """Return the condition of records without an order, which have the dimensions of their customer only."""
    return _by_customer(stored, rows) if {*stored.dimensions} <= {*OF_CUSTOMER} else false()


def _by_order_or_customer(stored: Stored, rows: Table) -> Expression:
    return or_(_by_order(stored, rows), and_(rows.c.order_id.is_(None), _by_customer_alone(stored, rows)))


def _billed(stored: Stored) -> Rows:
    """Return the documents that bill a visible order."""
    lines = stored.table("invoice_lines")
    return select(lines.c.invoice_id).where(_by_order(stored, lines))


def _named_in_quarantine(stored: Stored, feed: str) -> Rows:
    """Return the documents that quarantined lines of visible orders name. A document dates such a line."""
    records, values = stored.table("quarantine"), stored.table("quarantine_values")
    same = and_(values.c.file_id == records.c.file_id, values.c.row_no == records.c.row_no)
    named = and_(records.c.feed == feed, values.c.document_id.is_not(None), _by_order(stored, records))
    return select(values.c.document_id).select_from(records.join(values, same)).where(named)


def _shipments(stored: Stored, rows: Table) -> Expression:
    lines = stored.table("shipment_lines")
    loaded = select(lines.c.shipment_id).where(_by_order(stored, lines))
    return rows.c.shipment_id.in_(union_all(loaded, _named_in_quarantine(stored, "shipment_lines")))


def _invoices(stored: Stored, rows: Table) -> Expression:
    documents = union_all(_billed(stored), _named_in_quarantine(stored, "invoice_lines"))
    return or_(rows.c.invoice_id.in_(documents), rows.c.reverses_invoice_id.in_(_billed(stored)))


def _invoice_lines(stored: Stored, rows: Table) -> Expression:
    return or_(_by_order(stored, rows), and_(rows.c.order_id.is_(None), rows.c.invoice_id.in_(_billed(stored))))


def _payments(stored: Stored, rows: Table) -> Expression:
    return rows.c.invoice_id.in_(_billed(stored))


def _quote_options(stored: Stored, rows: Table) -> Expression:
    quotes = stored.table("quotes")
    return rows.c.quote_id.in_(select(quotes.c.quote_id).where(_by_order_or_customer(stored, quotes)))


def _buyer_scorecards(stored: Stored, rows: Table) -> Expression:
    """Return the condition of visible orders, and of orders that only the buyer knows."""
    return or_(_by_order(stored, rows), and_(_only_buyer_knows(stored, rows), _by_customer_alone(stored, rows)))


def _by_named_customer(_stored: Stored, rows: Table) -> Expression:
    """Return the condition of targets and assumptions for everyone, for a segment, and for a visible customer."""
    named = func.substr(rows.c.scope, len("customer:") + 1).in_(select(scope_customers.c.customer_id))
    return or_(func.substr(rows.c.scope, 1, len("customer:")) != "customer:", named)


def _policies(stored: Stored, rows: Table) -> Expression:
    customers = stored.table("customers")
    return rows.c.policy_id.in_(select(customers.c.policy_id).where(_by_customer(stored, customers)))


def _calendars(stored: Stored, rows: Table) -> Expression:
    orders = stored.table("orders")
    places = select(orders.c.ship_to).where(_by_order(stored, orders))
    return or_(rows.c.calendar_id.in_(("ship_from", "ship_to", "default")), rows.c.calendar_id.in_(places))


# ------------------------------------------------------------------------------------------------- rules of the run log
def _quarantine(stored: Stored, rows: Table) -> Expression:
    """Return the condition of records of visible orders, and of records without an order of visible customers."""
    values = stored.table("quarantine_values")
    of_customer = exists().where(
        values.c.file_id == rows.c.file_id, values.c.row_no == rows.c.row_no, _by_customer(stored, values)
    )
    return or_(_by_order(stored, rows), and_(rows.c.order_id.is_(None), of_customer))


def _quarantine_values(stored: Stored, rows: Table) -> Expression:
    records = stored.table("quarantine")
    return exists().where(
        records.c.file_id == rows.c.file_id, records.c.row_no == rows.c.row_no, _quarantine(stored, records)
    )


def _checks(stored: Stored) -> Rows:
    """Return the checks without their counts, which count all records."""
    counts = ("rows_checked", "rows_failed")
    rows = stored.table("checks")
    return select(*[cast(null(), c.type).label(c.name) if c.name in counts else c for c in rows.c])


def _run_files(stored: Stored) -> Rows:
    """Return the files with visible records, and the numbers of these. Records replaced since are not counted."""
    loaded = [
        select(feed.table.c.file_id, func.count().label("loaded"), literal(0).label("quarantined")).group_by(
            feed.table.c.file_id
        )
        for name, feed in FEEDS.items()
        if name in stored.columns
    ]
    q = DECLARED["quarantine"].c
    open_records = q.status.in_(("rejected", "waiting"))
    quarantined = select(q.file_id, literal(0), func.count()).where(open_records).group_by(q.file_id)
    each = union_all(*loaded, quarantined).subquery("counted")
    by_file = (
        select(
            each.c.file_id, func.sum(each.c.loaded).label("loaded"), func.sum(each.c.quarantined).label("quarantined")
        )
        .group_by(each.c.file_id)
        .subquery("by_file")
    )
    n, files = by_file.c, stored.table("run_files")
    counts = {
        "rows_staged": n.loaded + n.quarantined,
        "rows_in": n.loaded + n.quarantined,
        "rows_loaded": n.loaded,
        "rows_quarantined": n.quarantined,
        "rows_superseded": literal(0),
    }
    columns = [cast(counts[c.name], BigInteger).label(c.name) if c.name in counts else c for c in files.c]
    return select(*columns).join(by_file, n.file_id == files.c.file_id)


RULES: dict[str, Rule] = {
    **dict.fromkeys(PUBLIC, _everything),
    **dict.fromkeys(OF_ORDER, _by_order),
    "customers": _by_customer,
    "stockouts": _by_customer_alone,
    **dict.fromkeys(("quotes", "messages", "service_cases", "service_costs"), _by_order_or_customer),
    **dict.fromkeys(("targets", "assumptions"), _by_named_customer),
    "shipments": _shipments,
    "invoices": _invoices,
    "invoice_lines": _invoice_lines,
    "payments": _payments,
    "quote_options": _quote_options,
    "buyer_scorecards": _buyer_scorecards,
    "policies": _policies,
    "calendars": _calendars,
    "quarantine": _quarantine,
    "quarantine_values": _quarantine_values,
}
"""The rule of each table that does not follow its own dimensions."""
COUNTED: dict[str, Callable[[Stored], Rows]] = {"checks": _checks, "run_files": _run_files}
"""The tables whose columns count records: their views count visible records, or nothing."""
