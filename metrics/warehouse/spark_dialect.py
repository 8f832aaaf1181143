"""SQLAlchemy dialect of Apache Spark over Spark Connect, limited to what a build of facts uses.

Importing this module registers the dialect for URLs such as `spark://HOST:15002`. The folder of the tables is an
argument of the connection: `create_engine(url, connect_args={"folder": ...})`. The parameters of a URL are those of
Spark Connect, for example `?use_ssl=true`; the password is its token.
"""

from types import ModuleType
from typing import Any

from sqlalchemy import URL, Connection, Table
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler
from sqlalchemy.engine.cursor import FullyBufferedCursorFetchStrategy
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.schema import CreateTable, DropTable
from sqlalchemy.sql.compiler import GenericTypeCompiler, SQLCompiler
from sqlalchemy.sql.functions import Function
from sqlalchemy.types import TypeEngine

from metrics.schema import first_day
from metrics.warehouse import spark_session
from metrics.warehouse.lake import CONNECT_PORT
from metrics.warehouse.spark_session import STEP, Columns, Session

TYPES = {"VARCHAR": "STRING", "TEXT": "STRING", "DATETIME": "TIMESTAMP_NTZ", "FLOAT": "DOUBLE"}
"""Spark's names of types that differ from SQLAlchemy's."""


class _Types(GenericTypeCompiler):
    def process(self, type_: TypeEngine[Any], **options: Any) -> str:
        name = super().process(type_, **options)
        return TYPES.get(name, name)


class _Compiler(SQLCompiler):
    def _render_cte_clause(self, nesting_level: int | None = None, *_: Any, **__: Any) -> str:
        if not self.ctes or (nesting_level or 0) > 1:
            return ""
        return "".join(f"{STEP}{text}" for text in (*self.ctes.values(), ""))

    visit_empty_set_expr = PGCompiler.visit_empty_set_expr

    def render_literal_value(self, value: Any, _type: object) -> str:
        return spark_session.literal_text(value).replace("%", "%%")

    def visit_ltrim_func(self, trim: Function[str], **options: Any) -> str:
        text, *characters = [self.process(argument, **options) for argument in trim.clauses]
        return f"trim(LEADING {' '.join(characters)} FROM {text})"

    def visit_generate_series_func(self, series: Function[int], **options: Any) -> str:
        return f"explode(sequence({', '.join(self.process(bound, **options) for bound in series.clauses)}))"


class SparkDialect(DefaultDialect):
    """The dialect `spark`."""

    name = "spark"
    driver = "connect"
    default_paramstyle = "pyformat"
    statement_compiler = _Compiler
    type_compiler_cls = _Types
    max_identifier_length = 63  # as on the other engines, so that long labels are equal
    cte_follows_insert = True
    div_is_floordiv = False
    supports_native_boolean = supports_native_decimal = supports_statement_cache = True
    supports_comments = inline_comments = False
    supports_sane_rowcount = supports_sane_multi_rowcount = False
    postfetch_lastrowid = False

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """Return the driver, which has the DBAPI's errors."""
        return spark_session

    def create_connect_args(self, url: URL) -> tuple[list[str], dict[str, object]]:
        """Return the address for Spark Connect."""
        options = {**url.query, **({"token": url.password} if url.password else {})}
        path = "".join(f";{name}={value}" for name, value in options.items())
        return [f"sc://{url.host}:{url.port or CONNECT_PORT}/{path}"], {}

    def do_execute(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement once."""
        self.do_executemany(cursor, statement, [parameters], context)

    def do_executemany(self, cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        """Run a statement. Only an INSERT of values can have several sets of parameters."""
        session: Session = cursor.session
        what = context.compiled.statement
        with session.limited():
            if isinstance(what, CreateTable):
                session.attach(what.element.name, columns_of(what.element))
            elif isinstance(what, DropTable):
                session.drop(what.element.name)
            elif context.isinsert and what.select is None:
                session.append_rows(what.table.name, parameters)
            elif context.isinsert:
                head, _, select = statement.partition(")")
                names = head.partition("(")[2].replace('"', "").split(", ")
                session.append(what.table.name, session.select(select, *parameters), names)
            elif context.isdelete:
                session.delete(what.table.name, statement.partition(" WHERE ")[2] or None, *parameters)
            else:
                found = session.select(statement, *parameters).toArrow()
                rows = zip(*[column.to_pylist() for column in found.columns], strict=True)
                about = [(field.name, field.type, None, None, None, None, None) for field in found.schema]
                context.cursor_fetch_strategy = FullyBufferedCursorFetchStrategy(cursor, about, rows)

    def has_table(self, connection: Connection, table_name: str, *_: Any, **__: Any) -> bool:
        """Return whether the session knows a table."""
        return table_name in session_of(connection).tables


def session_of(connection: Connection) -> Session:
    """Return Spark's session of a connection."""
    session = connection.connection.dbapi_connection
    assert isinstance(session, Session)
    return session


def columns_of(table: Table) -> Columns:
    """Return the columns of a table as Spark stores them. The first day of a fact table divides it into months."""
    types = {column.name: column.type.compile(SparkDialect()) for column in table.columns}
    return Columns(types, first_day(table) if "grain" in table.info else None)


registry.register("spark", __name__, SparkDialect.__name__)
