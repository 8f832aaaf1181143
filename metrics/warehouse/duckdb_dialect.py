"""SQLAlchemy dialect of DuckDB, limited to what Buyerview uses. DuckDB follows the SQL of PostgreSQL.

Importing this module registers the dialect for URLs such as `duckdb:///FILE?read_only=true`. The other parameters of a
URL are DuckDB's settings. Tables have no generated keys, and reflected columns have no types.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from types import ModuleType
from typing import Any

import duckdb
from sqlalchemy import URL, Connection, Float, Numeric
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGIdentifierPreparer, PGTypeCompiler
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.default import DefaultDialect, DefaultExecutionContext
from sqlalchemy.engine.interfaces import DBAPIConnection, PoolProxiedConnection, ReflectedColumn
from sqlalchemy.exc import NoSuchTableError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NullType

from metrics.warehouse.duckdb_session import Session

KEYWORDS = {
    *("anti", "asof", "at", "by", "collation", "columns", "concurrently", "describe", "generated", "glob", "lambda"),
    *("lateral", "map", "pivot", "pivot_longer", "pivot_wider", "positional", "qualify", "semi", "show", "struct"),
    *("summarize", "tablesample", "try_cast", "tuple", "unpack", "unpivot"),
}
"""Words that DuckDB accepts as a name only in quotes, in addition to PostgreSQL's."""

VISIBLE = "table_schema = $1 AND table_catalog IN (current_database(), 'temp')"
"""Condition of the tables and views that need no database in front of their name."""


class _Context(DefaultExecutionContext):
    def post_exec(self) -> None:
        returning = isinstance(self.compiled, SQLCompiler) and self.compiled.effective_returning
        if self.isddl or (self.is_crud and not returning):
            self.cursor.end_write()


class _Preparer(PGIdentifierPreparer):
    reserved_words = PGIdentifierPreparer.reserved_words | KEYWORDS


class _Numeric(Numeric[Decimal]):
    """Decimals. DuckDB reads and returns them exactly, but calculates some expressions as floats or integers."""

    def bind_processor(self, _dialect: Dialect) -> Callable[[object], object]:
        return _without_exponent

    def result_processor(self, _dialect: Dialect, _type: object) -> Callable[[Any], Any]:  # Any: as in Numeric
        if not self.asdecimal:
            return lambda value: None if value is None else float(value)
        form = f"%.{self._effective_decimal_return_scale}f"

        def as_decimal(value: object) -> object:
            if isinstance(value, float):
                return Decimal(form % value)
            return Decimal(value) if isinstance(value, int) else value

        return as_decimal


def _without_exponent(value: object) -> object:
    """Write a decimal out, because DuckDB 1.5 reads Decimal("1E+5") as 1."""
    return Decimal(f"{value:f}") if isinstance(value, Decimal) and value.is_finite() else value


class DuckDBDialect(DefaultDialect):
    """The dialect `duckdb`."""

    name = "duckdb"
    driver = "duckdb"
    default_paramstyle = "numeric_dollar"
    statement_compiler = PGCompiler
    type_compiler_cls = PGTypeCompiler
    preparer = _Preparer
    execution_ctx_cls = _Context
    max_identifier_length = 63  # as in PostgreSQL, so that long labels are equal
    cte_follows_insert = True  # otherwise SQLAlchemy searches the text of every INSERT for its WITH
    use_insertmanyvalues = use_insertmanyvalues_wo_returning = True  # executemany takes a millisecond per row
    insert_returning = update_returning = delete_returning = True
    supports_multivalues_insert = supports_default_values = True
    supports_native_boolean = supports_native_decimal = supports_native_uuid = True
    supports_statement_cache = True
    supports_sane_multi_rowcount = False
    postfetch_lastrowid = False
    _backslash_escapes = False

    def __init__(self, **options: Any) -> None:  # Any: as in DefaultDialect
        # DuckDB's own style is `?`. It would take an expression that is both selected and grouped for two.
        super().__init__(**{**options, "paramstyle": self.default_paramstyle})
        self.colspecs = {Numeric: _Numeric, Float: Float}

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """Return the driver, which has the DBAPI's errors."""
        return duckdb

    def create_connect_args(self, url: URL) -> tuple[list[str], dict[str, object]]:
        """Return the file, and the settings in the URL."""
        settings = dict(url.query)
        read_only = settings.pop("read_only", "false") == "true"
        return [url.database or ":memory:"], {"read_only": read_only, "config": settings}

    def connect(self, *args: Any, **options: Any) -> Any:  # Any: as in DefaultDialect
        """Open a connection."""
        return Session(duckdb.connect(*args, **options))

    def get_driver_connection(self, connection: DBAPIConnection) -> object:
        """Return DuckDB's own connection."""
        return connection.driver

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """Begin a transaction."""
        dbapi_connection.begin()

    def _get_default_schema_name(self, _connection: Connection) -> str:
        return "main"

    def has_table(self, connection: Connection, table_name: str, schema: str | None = None, **_: object) -> bool:
        """Return whether a table or view exists."""
        return table_name in _names(connection, schema, "")

    def has_multi_table(
        self, connection: Connection, table_names: Sequence[str], schema: str | None = None, **_: object
    ) -> list[tuple[tuple[str | None, str], bool]]:
        """Return whether each table or view exists, with one query."""
        existing = set(_names(connection, schema, ""))
        return [((schema, name), name in existing) for name in table_names]

    def get_table_names(self, connection: Connection, schema: str | None = None, **_: object) -> list[str]:
        """Return the names of the tables."""
        return _names(connection, schema, "AND table_type <> 'VIEW'")

    def get_view_names(self, connection: Connection, schema: str | None = None, **_: object) -> list[str]:
        """Return the names of the views."""
        return _names(connection, schema, "AND table_type = 'VIEW'")

    def get_columns(
        self, connection: Connection, table_name: str, schema: str | None = None, **_: object
    ) -> list[ReflectedColumn]:
        """Return the columns of a table or view. Raises NoSuchTableError."""
        statement = (
            f"SELECT column_name, is_nullable FROM information_schema.columns WHERE {VISIBLE} AND table_name = $2 "
            "ORDER BY ordinal_position"
        )
        rows = connection.exec_driver_sql(statement, (schema or "main", table_name)).all()
        if not rows:
            raise NoSuchTableError(table_name)
        return [{"name": name, "type": NullType(), "nullable": null == "YES", "default": None} for name, null in rows]


def _names(connection: Connection, schema: str | None, kind: str) -> list[str]:
    statement = f"SELECT table_name FROM information_schema.tables WHERE {VISIBLE} {kind} ORDER BY table_name"
    return list(connection.exec_driver_sql(statement, (schema or "main",)).scalars())


registry.register("duckdb", __name__, DuckDBDialect.__name__)
