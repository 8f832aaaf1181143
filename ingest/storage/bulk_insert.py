"""Rows made in Python into a table of the warehouse, many at a time, on either engine."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

import pyarrow
from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, DateTime, Integer, Numeric, Table, insert

from metrics.sql.temporary_tables import temporary_table

PIECE = 50_000


def insert_rows(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> int:
    """Insert rows given as column name to value; columns left out are null. Returns how many."""
    count = 0
    remaining = iter(rows)
    while piece := list(islice(remaining, PIECE)):
        if connection.dialect.name == "duckdb":
            _through_arrow(connection, table, piece)
        else:
            names = [column.name for column in table.columns]
            connection.execute(insert(table), [{one: row.get(one) for one in names} for row in piece])
        count += len(piece)
    return count


def create_temporary(connection: Connection, name: str, *columns: Column[Any]) -> Table:
    """A new temporary table, gone with the connection (embedded) or the transaction (server)."""
    # The DuckDB dialect reads options named postgresql_… too, and DuckDB does not know this one.
    options: dict[str, Any] = {"postgresql_on_commit": "DROP"} if connection.dialect.name == "postgresql" else {}
    table = temporary_table(name, {column.name: column.type for column in columns}, **options)
    table.create(connection)
    return table


def _through_arrow(connection: Connection, table: Table, rows: list[Mapping[str, Any]]) -> None:
    # One row at a time DuckDB inserts a few thousand a second; from Arrow, millions.
    arrays = [pyarrow.array([row.get(column.name) for row in rows], _arrow_type(column)) for column in table.columns]
    piece = pyarrow.Table.from_arrays(arrays, names=[column.name for column in table.columns])
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.register("piece", piece)
    try:
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" SELECT * FROM piece')
    finally:
        driver.unregister("piece")


def _arrow_type(column: Column[Any]) -> Any:
    for kind, arrow in (
        (BigInteger, pyarrow.int64()),
        (Integer, pyarrow.int32()),
        (Boolean, pyarrow.bool_()),
        (DateTime, pyarrow.timestamp("us")),
        (Date, pyarrow.date32()),
    ):
        if isinstance(column.type, kind):
            return arrow
    if isinstance(column.type, Numeric):
        return pyarrow.decimal128(column.type.precision, column.type.scale)
    return pyarrow.string()
