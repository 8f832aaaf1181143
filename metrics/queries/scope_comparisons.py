"""Facts that compare orders with each other, built from the visible rows of a scope.

A median of a segment, a customer's next order and the step at which a promise was missed depend on other orders. Their
stored rows count orders outside the scope, so a scope builds these tables again, as a run does.
"""

import json

from sqlalchemy import Connection, exists, select, true

from metrics.facts import order_intervals, recoveries, step_slack, stockouts
from metrics.facts.fact_table import BuildContext, FactTable
from metrics.facts.fill import insert_rows
from metrics.facts.orders import facts_state
from metrics.queries.scope_conditions import Stored, scope_customers, scope_orders
from metrics.sql.dialects import Rows, typed_null
from metrics.sql.temporary_tables import temporary_table

OF_ALL_ORDERS: tuple[FactTable, ...] = (
    *order_intervals.FACT_TABLES,
    *step_slack.FACT_TABLES,
    *stockouts.FACT_TABLES,
)
"""Fact tables that compare an order with those of other customers, each after those that it reads."""
OF_CUSTOMERS: tuple[FactTable, ...] = recoveries.FACT_TABLES
"""Fact tables that compare an order with other orders of its customer."""


def build_comparisons(connection: Connection, place: str) -> None:
    """Replace the view of each of these fact tables. The views of the scope exist.

    An embedded warehouse keeps the rows with the open generation. A session of a server ends with its page, which may
    never read them, so a server has views. place: the schema of the stored tables, as SQL.
    """
    state = connection.execute(select(facts_state)).one_or_none()
    if state is None:
        return
    context = BuildContext(state.as_of, frozenset(json.loads(state.mapped)))
    for fact_table in (*OF_ALL_ORDERS, *(OF_CUSTOMERS if _partly_visible(connection, place) else ())):
        connection.exec_driver_sql(f"DROP VIEW {fact_table.table.name}")
        rows = tuple(fact_table.select_rows(connection, context))
        if connection.dialect.name != "duckdb":
            _create_view(connection, fact_table, rows)
            continue
        columns = fact_table.table.columns
        own = temporary_table(fact_table.table.name, {column.name: column.type for column in columns})
        own.create(connection)
        for part in rows:
            insert_rows(connection, own, part)


def _partly_visible(connection: Connection, place: str) -> bool:
    """Return True if a visible customer has an order outside the scope."""
    o = Stored(place, {}, ()).table("order_facts").c
    visible = exists().where(scope_orders.c.order_id == o.order_id)
    theirs = o.customer_id.in_(select(scope_customers.c.customer_id))
    found = select(o.order_id).where(theirs, ~visible).limit(1)
    return connection.execute(found).first() is not None


def _create_view(connection: Connection, fact_table: FactTable, rows: tuple[Rows, ...]) -> None:
    columns = fact_table.table.columns
    found = rows[0] if rows else select(*[typed_null(column.type) for column in columns]).where(~true())
    named = ", ".join(map(connection.dialect.identifier_preparer.quote_identifier, columns.keys()))
    text = found.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    connection.exec_driver_sql(f"CREATE TEMPORARY VIEW {fact_table.table.name} ({named}) AS {text}")
