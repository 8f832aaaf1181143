"""Facts that compare orders with each other, built from the visible rows of a scope.

A median of a segment, a customer's next order and the step at which a promise was missed depend on other orders. Their
stored rows count orders outside the scope, so a scope builds these tables again, as a run does.
"""

import json

from sqlalchemy import Connection, select, true

from metrics.facts import order_intervals, recoveries, step_slack, stockouts
from metrics.facts.fact_table import BuildContext, FactTable
from metrics.facts.fill import insert_rows
from metrics.facts.orders import facts_state
from metrics.sql.dialects import Rows, typed_null
from metrics.sql.temporary_tables import temporary_table

COMPARING: tuple[FactTable, ...] = (
    *order_intervals.FACT_TABLES,
    *step_slack.FACT_TABLES,
    *stockouts.FACT_TABLES,
    *recoveries.FACT_TABLES,
)
"""The fact tables, each after those that it reads."""
NAMES = frozenset(one.table.name for one in COMPARING)


def build_comparisons(connection: Connection) -> None:
    """Hide each of these fact tables with its visible rows. The views of the other tables exist.

    An embedded warehouse keeps the rows with the open generation. A session of a server ends with its page, which may
    never read them, so a server has views.
    """
    state = connection.execute(select(facts_state)).one_or_none()
    context = None if state is None else BuildContext(state.as_of, frozenset(json.loads(state.mapped)))
    for fact_table in COMPARING:
        rows = tuple(fact_table.select_rows(connection, context)) if context else ()
        if connection.dialect.name == "duckdb":
            columns = fact_table.table.columns
            own = temporary_table(fact_table.table.name, {column.name: column.type for column in columns})
            own.create(connection)
            for part in rows:
                insert_rows(connection, own, part)
        else:
            _create_view(connection, fact_table, rows)


def _create_view(connection: Connection, fact_table: FactTable, rows: tuple[Rows, ...]) -> None:
    columns = fact_table.table.columns
    found = rows[0] if rows else select(*[typed_null(column.type) for column in columns]).where(~true())
    named = ", ".join(map(connection.dialect.identifier_preparer.quote_identifier, columns.keys()))
    text = found.compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    connection.exec_driver_sql(f"CREATE TEMPORARY VIEW {fact_table.table.name} ({named}) AS {text}")
