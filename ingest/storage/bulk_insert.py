"""Insert many Python rows into a warehouse table, on either engine."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

import pyarrow
from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, DateTime, Integer, Numeric, Table, insert

from metrics.sql.temporary_tables import temporary_table

T = TypeVar("T")

BATCH_ROWS = 50_000


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Split values into lists of at most `size`."""
    remaining = iter(values)
    while batch := list(islice(remaining, size)):
        yield batch


def insert_rows(connection: Connection, table: Table, rows: Iterable[Mapping[str, object]]) -> int:
    """Insert rows given as column name to value. Missing columns become null. Returns the number of rows."""
    count = 0
    for batch in batches(rows, BATCH_ROWS):
        if connection.dialect.name == "duckdb":
            _insert_with_arrow(connection, table, batch)
        else:
            names = [column.name for column in table.columns]
            connection.execute(insert(table), [{name: row.get(name) for name in names} for row in batch])
        count += len(batch)
    return count


# Any: columns of any SQL type
def create_temporary(connection: Connection, name: str, *columns: Column[Any]) -> Table:
    """Create a temporary table.

    It exists until the connection closes (embedded) or the transaction ends (server).
    """
    options = {"postgresql_on_commit": "DROP"} if connection.dialect.name == "postgresql" else {}
    table = temporary_table(name, {column.name: column.type for column in columns}, **options)
    table.create(connection)
    return table


def _insert_with_arrow(connection: Connection, table: Table, rows: list[Mapping[str, object]]) -> None:
    # DuckDB inserts a few thousand single rows a second. From Arrow it inserts millions.
    arrays = [pyarrow.array([row.get(column.name) for row in rows], _arrow_type(column)) for column in table.columns]
    batch = pyarrow.Table.from_arrays(arrays, names=[column.name for column in table.columns])
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.register("batch", batch)
    try:
        connection.exec_driver_sql(f'INSERT INTO "{table.name}" BY NAME SELECT * FROM batch')
    finally:
        driver.unregister("batch")


# Any: columns of any SQL type; pyarrow ships no types
def _arrow_type(column: Column[Any]) -> Any:
    for sql_type, arrow_type in (
        (BigInteger, pyarrow.int64()),
        (Integer, pyarrow.int32()),
        (Boolean, pyarrow.bool_()),
        (DateTime, pyarrow.timestamp("us")),
        (Date, pyarrow.date32()),
    ):
        if isinstance(column.type, sql_type):
            return arrow_type
    if isinstance(column.type, Numeric):
        return pyarrow.decimal128(column.type.precision, column.type.scale)
    return pyarrow.string()
