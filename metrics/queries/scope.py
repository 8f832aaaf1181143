"""Row scope: a reading connection on which every table contains only the rows that a person may see.

Temporary views hide the stored tables: the name of a table then means its visible rows, in every statement, also in
statements that are written later. `scope_rows.py` has the rows of each view. The values of the scope are rows of a
temporary table, so they never become SQL text.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache, partial

from sqlalchemy import Connection, Dialect, func, insert, select
from sqlalchemy.dialects.postgresql.base import PGDialect

from metrics import warehouse
from metrics.access import EVERYTHING, Scope
from metrics.model.access_scope import SCOPE_COLUMNS, check_scope
from metrics.queries.outdated import refuse_outdated
from metrics.queries.scope_comparisons import build_comparisons
from metrics.queries.scope_conditions import Stored, scope_values
from metrics.queries.scope_rows import KEYS, views
from metrics.warehouse import Location, Views
from metrics.warehouse.duckdb_dialect import DuckDBDialect
from metrics.warehouse.missing_columns import stored_columns

PLACE = "{place}"
"""Stands for the schema of the stored tables in the statements of the views."""
DIALECTS: dict[str, type[Dialect]] = {"duckdb": DuckDBDialect, "postgresql": PGDialect}


def reading(
    location: Location, scope: Scope = EVERYTHING, generation: int | None = None
) -> AbstractContextManager[Connection]:
    """Open a connection as `warehouse.reading` does, on which only the rows of the scope exist.

    Raises UnknownName for a dimension that cannot limit rows, SettingRefused for one without a value, and
    GenerationOutdated if another version of Buyerview has published the generation.
    """
    check_scope(scope)
    return _reading(location, scope, generation)


@contextmanager
def _reading(location: Location, scope: Scope, generation: int | None) -> Iterator[Connection]:
    limit = Views(scope, partial(_limit, scope=scope, where=str(location))) if scope else None
    with warehouse.reading(location, generation, limit) as connection:
        if limit is None:
            refuse_outdated(connection, str(location))
        yield connection


def scope_of(connection: Connection) -> Scope:
    """Return the scope of a reading connection."""
    scope: Scope = connection.info.get("scope", EVERYTHING)
    return scope


def scope_columns(connection: Connection) -> frozenset[str]:
    """Return the columns of facts that the scope of a connection limits. A rollup needs them."""
    return frozenset(SCOPE_COLUMNS[name] for name, _ in scope_of(connection))


def _limit(connection: Connection, scope: Scope, where: str) -> None:
    """Create the temporary views of a scope."""
    refuse_outdated(connection, where)
    stored = {name: frozenset(columns) for name, columns in stored_columns(connection).items()}
    quote = connection.dialect.identifier_preparer.quote_identifier
    place = quote(connection.execute(select(func.current_schema())).scalar_one())
    if connection.dialect.name == "duckdb":
        place = f"{quote(connection.execute(select(func.current_database())).scalar_one())}.{place}"
    scope_values.create(connection)
    rows = [{"dimension": name, "value": value} for name, values in scope for value in values]
    connection.execute(insert(scope_values), rows)
    if connection.dialect.name == "postgresql":  # without statistics its planner expects few values and keys, and loops
        connection.exec_driver_sql(f"ANALYZE {scope_values.name}")
    names = tuple(sorted({name for name, _ in scope}))
    for statement in _statements(connection.dialect.name, names, frozenset(stored.items())):
        connection.exec_driver_sql(statement.replace(PLACE, place))
    build_comparisons(connection, place)
    connection.info["scope"] = scope


@lru_cache(maxsize=16)  # building the statements takes longer than running them
def _statements(engine: str, names: tuple[str, ...], stored: frozenset[tuple[str, frozenset[str]]]) -> tuple[str, ...]:
    """Return the statements that create the views of a scope with these dimensions. PLACE stands for the schema."""
    dialect = DIALECTS[engine]()
    quote = dialect.identifier_preparer.quote_identifier
    options = {"literal_binds": True}
    statements = []
    for name, rows in views(Stored(PLACE, dict(stored), names)):
        kind, text = "TABLE" if name in KEYS else "VIEW", rows.compile(dialect=dialect, compile_kwargs=options)
        statements.append(f"CREATE TEMPORARY {kind} {quote(name)} AS {text}")
        if kind == "TABLE" and engine == "postgresql":
            statements.append(f"ANALYZE {quote(name)}")
    return tuple(statements)
