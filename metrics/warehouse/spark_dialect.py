"""SQLAlchemy dialect of Apache Spark over Spark Connect, limited to what a build of facts uses.

Importing this module registers the dialect for URLs such as `spark://HOST:15002`. The folder of the tables is an
argument of the connection: `create_engine(url, connect_args={"folder": ...})`. The parameters of a URL are those of
Spark Connect, for example `?use_ssl=true`; the password is its token.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

from sqlalchemy import URL, Connection, Date, DateTime, Table, cast
from sqlalchemy.dialects import registry
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.default import DefaultDialect, DefaultExecutionContext
from sqlalchemy.engine.interfaces import ReflectedColumn
from sqlalchemy.schema import CreateTable, DropTable
from sqlalchemy.sql.compiler import DDLCompiler, GenericTypeCompiler, IdentifierPreparer, SQLCompiler
from sqlalchemy.sql.elements import BindParameter, ColumnElement
from sqlalchemy.sql.functions import Function
from sqlalchemy.types import NullType

from metrics.warehouse import spark_session
from metrics.warehouse.spark_session import STEP, Columns, Cursor, Parameters, Session

PORT = 15002


class _Preparer(IdentifierPreparer):
    def __init__(self, dialect: Dialect, *_: Any, **options: Any) -> None:  # Any: as in IdentifierPreparer
        super().__init__(dialect, initial_quote="`", escape_quote="`", **options)


def _always(text: str) -> Callable[..., str]:
    def visit(*_: object, **__: object) -> str:
        return text

    return visit


_Types: type[GenericTypeCompiler] = type(
    "_Types",
    (GenericTypeCompiler,),
    {
        "visit_VARCHAR": _always("STRING"),
        "visit_TEXT": _always("STRING"),
        "visit_DATETIME": _always("TIMESTAMP_NTZ"),
        "visit_FLOAT": _always("DOUBLE"),
    },
)
"""Spark's names of types that differ from the standard."""


class _Compiler(SQLCompiler):
    def _render_cte_clause(self, nesting_level: int | None = None, *_: Any, **__: Any) -> str:
        if not self.ctes or (nesting_level or 0) > 1:
            return ""
        return "".join(f"{STEP}{text}" for text in (*self.ctes.values(), ""))

    def visit_is_distinct_from_binary(self, binary: Any, _operator: object, **options: Any) -> str:
        return f"NOT ({self.process(binary.left, **options)} <=> {self.process(binary.right, **options)})"

    def visit_is_not_distinct_from_binary(self, binary: Any, _operator: object, **options: Any) -> str:
        return f"({self.process(binary.left, **options)} <=> {self.process(binary.right, **options)})"

    def visit_empty_set_expr(self, element_types: Iterable[Any], **_: object) -> str:
        kinds = [self.dialect.type_compiler_instance.process(kind) for kind in element_types]
        return f"SELECT {', '.join(f'CAST(NULL AS {kind})' for kind in kinds)} WHERE false"

    def render_literal_value(self, value: Any, _type: object) -> str:
        return spark_session.literal_text(value).replace("%", "%%")

    def visit_ltrim_func(self, trim: Function[str], **options: Any) -> str:
        text, *characters = [self.process(argument, **options) for argument in trim.clauses]
        return f"trim(LEADING {' '.join(characters)} FROM {text})"

    def visit_generate_series_func(self, series: Function[int], **options: Any) -> str:
        return f"explode(sequence({', '.join(self.process(bound, **options) for bound in series.clauses)}))"


class _Context(DefaultExecutionContext):
    def write(self, cursor: Cursor, statement: str, rows: Sequence[Parameters]) -> None:
        """Run a statement that changes a table."""
        session = cursor.session
        with cursor.limited():
            if isinstance(self.compiled, DDLCompiler):
                self._define(session, self.compiled.statement)
                return
            assert isinstance(self.compiled, SQLCompiler)
            changed: Any = self.compiled.statement
            name = changed.table.name
            if self.isinsert and changed.select is None:
                session.append_rows(name, rows)
            for parameters in rows:
                if self.isinsert and changed.select is not None:
                    head, _, select = statement.partition(")")
                    names = head.partition("(")[2].replace("`", "").split(", ")
                    session.append(name, session.select(select, parameters), names)
                elif self.isdelete:
                    session.delete(name, statement.partition(" WHERE ")[2] or None, parameters)

    def _define(self, session: Session, statement: object) -> None:
        if isinstance(statement, CreateTable):
            table: Table = statement.element
            session.attach(table.name, columns_of(table))
        elif isinstance(statement, DropTable):
            session.drop(statement.element.name)


class _DateTime(DateTime):
    cache_ok = True

    def bind_expression(self, bindvalue: BindParameter[Any]) -> ColumnElement[Any]:
        return cast(bindvalue, DateTime)


class SparkDialect(DefaultDialect):
    """The dialect `spark`."""

    name = "spark"
    driver = "connect"
    default_paramstyle = "pyformat"
    statement_compiler = _Compiler
    type_compiler_cls = _Types
    preparer = _Preparer
    execution_ctx_cls = _Context
    max_identifier_length = 63  # as on the other engines, so that long labels are equal
    cte_follows_insert = True
    div_is_floordiv = False
    supports_native_boolean = supports_native_decimal = supports_statement_cache = True
    supports_comments = inline_comments = False
    supports_sane_rowcount = supports_sane_multi_rowcount = False
    postfetch_lastrowid = False

    def __init__(self, **options: Any) -> None:  # Any: as in DefaultDialect
        super().__init__(**options)
        self.colspecs = {DateTime: _DateTime}

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """Return the driver, which has the DBAPI's errors."""
        return spark_session

    def create_connect_args(self, url: URL) -> tuple[list[str], dict[str, object]]:
        """Return the address for Spark Connect."""
        options = {**url.query, **({"token": url.password} if url.password else {})}
        path = "".join(f";{name}={value}" for name, value in options.items())
        return [f"sc://{url.host}:{url.port or PORT}/{path}"], {}

    def connect(self, *args: Any, **options: Any) -> Any:  # Any: as in DefaultDialect
        """Open a session."""
        return Session(*args, **options)

    def initialize(self, _connection: Connection) -> None:
        """Ask the server nothing."""

    def do_ping(self, dbapi_connection: Any) -> bool:  # Any: as in DefaultDialect
        """Return whether the server answers."""
        dbapi_connection.cursor().execute("SELECT 1")
        return True

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement once."""
        if context is not None and (context.isddl or context.is_crud):
            context.write(cursor, statement, [parameters])
        else:
            cursor.execute(statement, parameters)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement that changes a table, for each row."""
        context.write(cursor, statement, parameters)

    def has_table(self, connection: Connection, table_name: str, *_: Any, **__: Any) -> bool:
        """Return whether the session knows a table."""
        return table_name in tables_of(connection)

    def get_table_names(self, connection: Connection, *_: Any, **__: Any) -> list[str]:
        """Return the names of the tables."""
        return sorted(tables_of(connection))

    def get_columns(self, connection: Connection, table_name: str, *_: Any, **__: Any) -> list[ReflectedColumn]:
        """Return the columns of a table, without types."""
        names = tables_of(connection)[table_name].types
        return [{"name": name, "type": NullType(), "nullable": True, "default": None} for name in names]


def session_of(connection: Connection) -> Session:
    """Return Spark's session of a connection."""
    session = connection.connection.dbapi_connection
    assert isinstance(session, Session)
    return session


def tables_of(connection: Connection) -> Mapping[str, Columns]:
    """Return the tables that the session knows."""
    return session_of(connection).tables


def columns_of(table: Table) -> Columns:
    """Return the columns of a table as Spark stores them. The first day of a fact table divides it into months."""
    types = {column.name: column.type.compile(SparkDialect()) for column in table.columns}
    days = [column.name for column in table.columns if isinstance(column.type, Date)]
    return Columns(types, days[0] if days and "grain" in table.info else None)


registry.register("spark", __name__, SparkDialect.__name__)
