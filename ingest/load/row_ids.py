"""Records by their file_id and row_no, as sets, as temporary tables and as conditions."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    FromClause,
    Select,
    Table,
    and_,
    func,
    literal,
    select,
)

from ingest.load.result import RowId
from ingest.storage.bulk_insert import create_temporary, insert_rows


def row_ids(connection: Connection, table: FromClause) -> set[RowId]:
    """The records of a table."""
    return {(row.file_id, row.row_no) for row in connection.execute(select(table.c.file_id, table.c.row_no))}


def stored_row_ids(connection: Connection, name: str, held: Iterable[RowId]) -> Table:
    """A temporary table of these records."""
    table = create_temporary(connection, name, Column("file_id", BigInteger), Column("row_no", BigInteger))
    insert_rows(connection, table, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in held))
    return table


def matches(rows: FromClause, other: FromClause) -> Select[Any]:
    """For EXISTS: the same record is in both."""
    return select(literal(1)).where(rows.c.file_id == other.c.file_id, rows.c.row_no == other.c.row_no)


def same_row(left: FromClause, right: FromClause) -> ColumnElement[bool]:
    """The same record, as a condition."""
    return and_(left.c.file_id == right.c.file_id, left.c.row_no == right.c.row_no)


def count_per_file(connection: Connection, table: FromClause, *where: ColumnElement[bool]) -> list[tuple[int, int]]:
    """How many records of each file are in a table: file_id and number."""
    query = select(table.c.file_id, func.count()).where(*where).group_by(table.c.file_id)
    return [(file_id, n) for file_id, n in connection.execute(query)]
