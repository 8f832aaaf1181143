"""Fill a fact table: the whole of it, or only its stale rows."""

from dataclasses import replace

from sqlalchemy import Connection, Table, delete, insert, select

from metrics.facts.fact_table import BuildContext, Changes, FactTable
from metrics.sql.dialects import Rows, analyze
from metrics.sql.temporary_tables import temporary_table


def fill(connection: Connection, fact_table: FactTable, context: BuildContext, changed: Changes | None = None) -> None:
    """Fill a fact_table anew, or where it has a key and the changes are known only the rows that may be others now."""
    if changed is None or fact_table.key is None:
        connection.execute(delete(fact_table.table))
        _fill_rows(connection, fact_table, context)
        return
    if fact_table.stale_keys is None:
        _fill_stale(connection, fact_table, replace(context, only=changed.orders))
        return
    again = temporary_table(f"{fact_table.table.name}_stale", {fact_table.key: fact_table.table.c[fact_table.key].type})
    again.create(connection)
    connection.execute(insert(again).from_select([fact_table.key], fact_table.stale_keys(changed, context)))
    analyze(connection, again)
    _fill_stale(connection, fact_table, replace(context, only=again))
    again.drop(connection)


def _fill_stale(connection: Connection, fact_table: FactTable, context: BuildContext) -> None:
    assert context.only is not None
    assert fact_table.key is not None
    connection.execute(
        delete(fact_table.table).where(fact_table.table.c[fact_table.key].in_(select(context.only.c[fact_table.key])))
    )
    _fill_rows(connection, fact_table, context)


def _fill_rows(connection: Connection, fact_table: FactTable, context: BuildContext) -> None:
    for rows in fact_table.select_rows(connection, context):
        _fill(connection, fact_table.table, rows)


def _fill(connection: Connection, target: Table, rows: Rows, parameters: dict[str, str] | None = None) -> None:
    connection.execute(insert(target).from_select([c.name for c in target.columns], rows), parameters or {})
    analyze(connection, target)
