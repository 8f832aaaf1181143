"""Records identified by file_id and row_no: sets, temporary tables and SQL conditions."""

from collections.abc import Iterable

from sqlalchemy import BigInteger, Column, ColumnElement, Connection, FromClause, Table, and_, func, literal, select

from ingest.storage.bulk_insert import create_temporary, insert_rows
from metrics.sql.dialects import Rows

RowId = tuple[int, int]
"""file_id and row_no. They identify a record for as long as the warehouse exists."""


def row_ids(connection: Connection, table: FromClause) -> set[RowId]:
    """Return the ids of all rows of a table."""
    return {(row.file_id, row.row_no) for row in connection.execute(select(table.c.file_id, table.c.row_no))}


def stored_row_ids(connection: Connection, name: str, ids: Iterable[RowId]) -> Table:
    """Create a temporary table of these ids."""
    table = create_temporary(connection, name, Column("file_id", BigInteger), Column("row_no", BigInteger))
    insert_rows(connection, table, ({"file_id": file_id, "row_no": row_no} for file_id, row_no in ids))
    return table


def matches(rows: FromClause, other: FromClause) -> Rows:
    """Return the SELECT for an EXISTS condition: both tables contain the same record."""
    return select(literal(1)).where(same_row(rows, other))


def same_row(left: FromClause, right: FromClause) -> ColumnElement[bool]:
    """Return the condition that two rows are the same record."""
    return and_(left.c.file_id == right.c.file_id, left.c.row_no == right.c.row_no)


def count_per_file(connection: Connection, table: FromClause, *where: ColumnElement[bool]) -> list[tuple[int, int]]:
    """Count the records of each file in a table. Returns pairs of file_id and count."""
    query = select(table.c.file_id, func.count()).where(*where).group_by(table.c.file_id)
    return [(file_id, count) for file_id, count in connection.execute(query)]
