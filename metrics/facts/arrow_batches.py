"""Read a whole fact table as Arrow batches, for export files with millions of rows.

DuckDB returns Arrow batches directly, without a Python object per row. Its own COPY is no alternative, because reading
connections have no access to files. Both are equally fast (docs/speed.md, S12).
"""

from collections.abc import Iterator

import pyarrow as pa
from sqlalchemy import BigInteger, Boolean, Connection, Date, DateTime, Integer, Numeric, Table, select

from metrics.errors import UnknownName
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.registry import FACT_TABLES
from metrics.schema import AnyColumn
from metrics.sql.dialects import Rows

TABLES: dict[str, Table] = {
    table.name: table
    for table in (order_facts_table, order_line_facts_table, *(fact_table.table for fact_table in FACT_TABLES))
}
"""All fact tables by name, including judged orders and order lines."""
BATCH_ROWS = 100_000


def find(name: str) -> Table:
    """Return the fact table with this name.

    Raises UnknownName, which lists the nearest names.
    """
    if name not in TABLES:
        raise UnknownName("table", name, tuple(TABLES))
    return TABLES[name]


def batches(connection: Connection, table: Table) -> Iterator[pa.RecordBatch]:
    """Yield all rows of a table in batches with the same schema. The first batch is empty."""
    schema = pa.schema([(column.name, _arrow_type(column)) for column in table.columns])
    yield pa.RecordBatch.from_pylist([], schema=schema)
    if connection.dialect.name == "duckdb":
        session = connection.connection.dbapi_connection
        assert session is not None
        with session.record_batches(str(select(table).compile(connection)), BATCH_ROWS) as arrow_batches:
            yield from (batch.cast(schema) for batch in arrow_batches)
    else:
        yield from _from_rows(connection, select(table), schema)


def _from_rows(connection: Connection, statement: Rows, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a driver that has no Arrow support."""
    for rows in connection.execution_options(yield_per=BATCH_ROWS).execute(statement).partitions():
        columns = zip(*rows, strict=True)
        yield pa.RecordBatch.from_arrays(
            [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
        )


def _arrow_type(column: AnyColumn) -> pa.DataType:
    sql_type = column.type
    if isinstance(sql_type, Numeric):
        return pa.decimal128(sql_type.precision or 38, sql_type.scale or 0)
    arrow_types: tuple[tuple[type, pa.DataType], ...] = (
        (Boolean, pa.bool_()),
        (BigInteger, pa.int64()),
        (Integer, pa.int32()),
        (DateTime, pa.timestamp("us")),
        (Date, pa.date32()),
    )
    return next((arrow for sql, arrow in arrow_types if isinstance(sql_type, sql)), pa.string())
