"""DBAPI connection and cursor over a DuckDB connection, for `duckdb_dialect.py`."""

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:
    import pyarrow as pa

Row = tuple[Any, ...]  # Any: values of any SQL type
NO_TRANSACTION = "no transaction is active"
ON_DATA = {
    getattr(duckdb.StatementType, name)
    for name in ("SELECT", "CREATE", "INSERT", "UPDATE", "DELETE", "DROP", "TRANSACTION")
}
"""Kinds of statements that write no file. A table function of a SELECT can only read files."""


class Session:
    """A DuckDB connection whose cursors share one transaction.

    DuckDB keeps one open result per connection. When a cursor runs a statement, the session first reads the remaining
    rows of the previous cursor into memory. With `autocommit`, every statement commits itself. With `refuse_files`, a
    statement that could write a file is refused, because DuckDB has no folders that can only be read.
    """

    def __init__(
        self, driver: duckdb.DuckDBPyConnection, *, autocommit: bool = False, refuse_files: bool = False
    ) -> None:
        self.driver = driver
        self.autocommit = autocommit
        self.refuse_files = refuse_files
        self.reading: weakref.ref[Cursor] | None = None
        """The cursor with the open result. A deleted cursor needs no rows."""

    def cursor(self) -> "Cursor":
        """Return a new cursor."""
        return Cursor(self)

    def begin(self) -> None:
        """Begin a transaction."""
        if not self.autocommit:
            self.free()
            self.driver.begin()

    def commit(self) -> None:
        """Commit the transaction."""
        if not self.autocommit:
            self.free()
            self.driver.commit()

    def rollback(self) -> None:
        """Roll back the transaction, if any. Unread rows are lost."""
        if not self.autocommit:
            self.free(with_rows=False)
            try:
                self.driver.rollback()
            except duckdb.TransactionException as error:
                if NO_TRANSACTION not in str(error):
                    raise

    def record_batches(self, select: str, size: int) -> "pa.RecordBatchReader":
        """Return the rows of a SELECT as Arrow batches. Read them before the connection runs another statement."""
        self.free()
        return self.driver.sql(select).to_arrow_reader(size)

    def close(self) -> None:
        """Close the connection. Unread rows are lost."""
        self.free(with_rows=False)
        self.driver.close()

    def free(self, *, with_rows: bool = True) -> None:
        """End the open result, so that another statement can run."""
        cursor = self.reading() if self.reading is not None else None
        self.reading = None
        if cursor is not None:
            cursor.rows = self.driver.fetchall() if with_rows else []


class Cursor:
    """A DBAPI cursor."""

    arraysize = 1
    rowcount = -1
    description: list[Row] | None = None
    rows: list[Row] | None = None
    """Unread rows in memory; None if DuckDB still has them."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def execute(self, statement: str, parameters: Sequence[object] = ()) -> None:
        """Run a statement."""
        self._run(self.session.driver.execute, statement, parameters)

    def executemany(self, statement: str, parameters: Sequence[Sequence[object]]) -> None:
        """Run a statement once for each sequence of parameters."""
        self._run(self.session.driver.executemany, statement, parameters)

    def _run(self, run: Callable[..., object], statement: str, parameters: Sequence[object]) -> None:
        self.session.free()
        if self.session.refuse_files:
            for one in self.session.driver.extract_statements(statement):
                if one.type not in ON_DATA:
                    raise duckdb.PermissionException(f"{one.type.name} is disabled by configuration for readers")
        self.rows, self.rowcount, self.description = None, -1, None
        if parameters:
            run(statement, parameters)
        else:
            run(statement)
        self.session.reading = weakref.ref(self)
        # SQLAlchemy uses types as keys, and DuckDB's nested types have no hash.
        self.description = [(name, str(kind), *rest) for name, kind, *rest in self.session.driver.description]

    def end_write(self) -> None:
        """Take the number of changed rows, which DuckDB returns as a row."""
        for (count,) in self.fetchall():
            self.rowcount = count
        self.description = None

    def fetchone(self) -> Row | None:
        """Return the next row; None after the last."""
        return next(iter(self.fetchmany(1)), None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        """Return the next rows."""
        count = self.arraysize if size is None else size
        if self.rows is None:
            return self.session.driver.fetchmany(count)
        rows, self.rows = self.rows[:count], self.rows[count:]
        return rows

    def fetchall(self) -> list[Row]:
        """Return the remaining rows."""
        rows = self.session.driver.fetchall() if self.rows is None else self.rows
        self.close()
        return rows

    def close(self) -> None:
        """Discard the unread rows."""
        if self.session.reading is not None and self.session.reading() is self:
            self.session.reading = None
        self.rows = []
