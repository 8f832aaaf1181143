"""A whole fact table as Arrow batches, for files of a million rows: the engine hands them over by column, nothing is
made row by row.

DuckDB's own COPY would be the other way; a reading connection may not touch files (`embedded.SEALED`), and this is as
fast (docs/speed.md, S12).
"""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import BigInteger, Boolean, Column, Connection, Date, DateTime, Integer, Numeric, Table, select

from metrics.errors import UnknownName
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.registry import FACT_TABLES
from metrics.sql.dialects import Rows

TABLES: dict[str, Table] = {
    table.name: table
    for table in (order_facts_table, order_line_facts_table, *(ledger.table for ledger in FACT_TABLES))
}
"""The tables every number is made of, by name."""
BATCH = 100_000


def find(name: str) -> Table:
    """The table of that name. Raises UnknownName with the nearest."""
    if name not in TABLES:
        raise UnknownName("table", name, tuple(TABLES))
    return TABLES[name]


def batches(connection: Connection, table: Table) -> Iterator[pa.RecordBatch]:
    """All rows of a table, every batch with the same columns; at least one batch, which may be empty."""
    schema = pa.schema([(column.name, _arrow_type(column)) for column in table.columns])
    yield pa.RecordBatch.from_pylist([], schema=schema)
    if connection.dialect.name == "duckdb":
        # Any: SQLAlchemy does not know the batches that the DuckDB driver returns here.
        result: Any = connection.execution_options(duckdb_arrow=True).execute(select(table))
        with result.batches(BATCH) as read:
            yield from (batch.cast(schema) for batch in read)
    else:
        yield from _from_rows(connection, select(table), schema)


def _from_rows(connection: Connection, statement: Rows, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """From an engine whose driver gives rows."""
    for rows in connection.execution_options(yield_per=BATCH).execute(statement).partitions():
        columns = zip(*rows, strict=True)
        yield pa.RecordBatch.from_arrays(
            [pa.array(values, one.type) for values, one in zip(columns, schema, strict=True)], schema=schema
        )


def _arrow_type(column: Column[Any]) -> pa.DataType:  # Any: a column of any type
    kind = column.type
    if isinstance(kind, Numeric):
        return pa.decimal128(kind.precision or 38, kind.scale or 0)
    plain: tuple[tuple[type, pa.DataType], ...] = (
        (Boolean, pa.bool_()),
        (BigInteger, pa.int64()),
        (Integer, pa.int32()),
        (DateTime, pa.timestamp("us")),
        (Date, pa.date32()),
    )
    return next((arrow for sql, arrow in plain if isinstance(kind, sql)), pa.string())
