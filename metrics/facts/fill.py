"""Fill a fact table: all rows, or only its stale rows."""

from dataclasses import replace

from sqlalchemy import Connection, Date, FromClause, Table, delete, insert, select

from metrics.facts.fact_table import BuildContext, Changes, FactTable
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
    days = [column.name for column in fact_table.table.columns if isinstance(column.type, Date)]
    # A question about a period skips the blocks of other periods, if DuckDB stores a whole table in the order of days.
    by_day = connection.dialect.name == "duckdb" and context.only is None and bool(days)
    for rows in fact_table.select_rows(connection, context):
        insert_rows(connection, fact_table.table, rows.order_by(days[0]) if by_day else rows)
    analyze(connection, fact_table.table)


def insert_rows(connection: Connection, target: Table, rows: Rows, parameters: dict[str, str] | None = None) -> None:
    """Insert the rows of a SELECT into a table. The columns must have the table's order."""
    connection.execute(insert(target).from_select([c.name for c in target.columns], rows), parameters or {})
