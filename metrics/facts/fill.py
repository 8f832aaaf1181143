"""Fill a fact table: all rows, or only its stale rows."""

from dataclasses import replace

from sqlalchemy import Connection, FromClause, Table, delete, insert, select

from metrics.facts.fact_table import BuildContext, Changes, FactTable
from metrics.schema import first_day
from metrics.sql.dialects import Rows, analyze
from metrics.sql.temporary_tables import temporary_table


def fill(connection: Connection, fact_table: FactTable, context: BuildContext, changed: Changes | None = None) -> None:
    """Rebuild the stale rows of a fact table. Rebuild all rows if it has no key or the changes are not known."""
    if changed is None or fact_table.key is None:
        connection.execute(delete(fact_table.table))
        _fill_rows(connection, fact_table, context)
        return
    if fact_table.stale_keys is None:
        _fill_stale(connection, fact_table, fact_table.key, context, changed.orders)
        return
    stale = temporary_table(f"{fact_table.table.name}_stale", {fact_table.key: fact_table.table.c[fact_table.key].type})
    stale.create(connection)
    connection.execute(insert(stale).from_select([fact_table.key], fact_table.stale_keys(changed, context)))
    analyze(connection, stale)
    _fill_stale(connection, fact_table, fact_table.key, context, stale)
    stale.drop(connection)


def _fill_stale(
    connection: Connection, fact_table: FactTable, key: str, context: BuildContext, stale: FromClause
) -> None:
    connection.execute(delete(fact_table.table).where(fact_table.table.c[key].in_(select(stale.c[key]))))
    _fill_rows(connection, fact_table, replace(context, only=stale))


def _fill_rows(connection: Connection, fact_table: FactTable, context: BuildContext) -> None:
    # DuckDB skips the blocks of other periods if a whole table is stored in the order of its days.
    is_sorted = connection.dialect.name == "duckdb" and context.only is None
    day = first_day(fact_table.table) if is_sorted else None
    for rows in fact_table.select_rows(connection, context):
        insert_rows(connection, fact_table.table, rows if day is None else rows.order_by(day))
    analyze(connection, fact_table.table)


def insert_rows(connection: Connection, target: Table, rows: Rows, parameters: dict[str, str] | None = None) -> None:
    """Insert the rows of a SELECT into a table. The columns must have the table's order."""
    connection.execute(insert(target).from_select([c.name for c in target.columns], rows), parameters or {})
