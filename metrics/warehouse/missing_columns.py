"""Create the tables of a schema, and add the columns that a warehouse of an earlier version lacks."""

from sqlalchemy import Connection, MetaData, String, func, select, table
from sqlalchemy import column as sql_column

COLUMNS = table(
    "columns",
    *[sql_column(name, String) for name in ("table_schema", "table_name", "column_name")],
    schema="information_schema",
)
"""All columns of the database. DuckDB and PostgreSQL list them here."""


def create_tables(connection: Connection, metadata: MetaData) -> None:
    """Create every missing table, and add every missing column. A column that is added is null in the stored rows."""
    metadata.create_all(connection)
    stored = stored_columns(connection)
    quote = connection.dialect.identifier_preparer.quote
    for declared in metadata.tables.values():
        for column in declared.columns:
            if column.name not in stored[declared.name]:
                kind = column.type.compile(connection.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {quote(declared.name)} ADD COLUMN {quote(column.name)} {kind}")


def stored_columns(connection: Connection) -> dict[str, set[str]]:
    """Return the columns of every table in the current schema; none on Spark."""
    if connection.dialect.name == "spark":  # it has no information_schema, and `lake_facts.py` checks the columns
        return {}
    c = COLUMNS.c
    stored: dict[str, set[str]] = {}
    listed = select(c.table_name, c.column_name).where(c.table_schema == func.current_schema())
    for name, column in connection.execute(listed):
        stored.setdefault(name, set()).add(column)
    return stored
