"""Tables found in a database: the columns of each, and the counts of the values of its first records."""

import os
from collections.abc import Callable, Sequence

from sqlalchemy import Engine, Inspector, column, create_engine, inspect, select, table, text
from sqlalchemy.exc import SQLAlchemyError

from ingest.errors import SourceRefused
from ingest.inference import names
from ingest.inference.evidence import profile
from ingest.inference.tables import Found, Search
from ingest.mapping.mapping_file import FeedMap
from ingest.read.database import URL_ERRORS, Pull, from_database
from metrics.errors import SettingRefused, driver_text

MOST_RECORDS = 200_000
"""Records of a table that are looked at."""
MOST_TABLES = 60
"""Tables of a database that are all looked at. In a larger database, only those with a known name are."""
VARIABLE = "SOURCE_URL"
"""Environment variable that the mapping names if the URL itself was given."""
WITH_SCHEMAS = ("postgresql", "mssql")
"""Systems whose database has schemas of its own. In others, a schema is another database or user."""
OF_THE_SYSTEM = ("information_schema", "pg_", "mysql", "performance_schema", "sys", "db_", "guest", "system.", "temp.")
"""Starts of the names of schemas without records of people."""


def connection_of(text: str) -> tuple[str, str]:
    """Return the `connection` of the mapping, and the URL. The mapping never contains the URL, which has a secret.

    Raises SettingRefused if env:NAME is not set.
    """
    if not text.startswith("env:"):
        return f"env:{VARIABLE}", text
    url = os.environ.get(text.removeprefix("env:"))
    if not url:
        raise SettingRefused(text, "this environment variable is not set; set it to the URL of the database")
    return text, url


def name_url(text: str) -> None:
    """Set the environment variable that the mapping names, for runs of this process."""
    if "://" in text:
        os.environ[VARIABLE] = text


def find_database_tables(search: Search, place: str, known: Callable[[str], bool] = lambda _: False) -> None:
    """Add the tables and views of a database to those found. Raises SourceRefused if it cannot be read.

    known: True for a table of a known system. In a large database only those are read, and those named like a feed.
    """
    origin, url = connection_of(place)
    try:
        engine = create_engine(url)
        try:
            columns = _duckdb_columns(engine) if engine.dialect.name == "duckdb" else {}
            listed = list(columns) or _tables(inspect(engine))
            if len(listed) > MOST_TABLES:
                feeds = names.vocabulary().feeds
                like_feeds = [entry for entry in listed if any(names.table_score(entry[1], feed) for feed in feeds)]
                listed = [entry for entry in listed if known(entry[1])] or like_feeds
            for schema, entry in listed[:MOST_TABLES]:
                name = f"{schema}.{entry}" if schema else entry
                try:
                    named = columns.get((schema, entry)) or _columns(inspect(engine), schema, entry)
                    _add(search, engine, (schema, entry), named, origin, url)
                except (SourceRefused, SQLAlchemyError) as error:  # a table that this user may not read
                    search.unusable[name] = f"it cannot be read ({driver_text(error)})"
        finally:
            engine.dispose()
    except ImportError as error:
        do = "Install the driver, or name another one in the URL."
        raise SourceRefused(origin, "", f"a driver of the database is missing ({driver_text(error)})", do) from None
    except (SQLAlchemyError, *URL_ERRORS) as error:
        do = "Check the URL and the server."
        raise SourceRefused(origin, "", f"the database cannot be read ({driver_text(error)})", do) from None


def _tables(inspector: Inspector) -> list[tuple[str | None, str]]:
    """Return the schema and the name of all tables and views: those of the default schema first, without a schema."""
    default = inspector.default_schema_name
    all_schemas = inspector.get_schema_names() if inspector.dialect.name in WITH_SCHEMAS else []
    others = [
        schema
        for schema in sorted(all_schemas)
        if schema.rpartition(".")[2] != default and not schema.casefold().startswith(OF_THE_SYSTEM)
    ]
    listed: list[tuple[str | None, str]] = []
    for schema in (None, *others):
        found = {*inspector.get_table_names(schema), *inspector.get_view_names(schema)}
        listed += [(schema, name) for name in sorted(found)]
    return listed


def _columns(inspector: Inspector, schema: str | None, table_name: str) -> list[str]:
    return [str(one["name"]) for one in inspector.get_columns(table_name, schema)]


def _duckdb_columns(engine: Engine) -> dict[tuple[str | None, str], list[str]]:
    """Return the columns of each table by schema and name. Our dialect of DuckDB has no inspector."""
    query = "SELECT schema_name, table_name, list(column_name ORDER BY column_index) FROM duckdb_columns() "
    query += "WHERE NOT internal AND database_name = current_database() GROUP BY schema_name, table_name "
    query += "ORDER BY schema_name <> 'main', schema_name, table_name"
    with engine.connect() as connection:
        rows = connection.execute(text(query)).fetchall()
    return {(None if schema == "main" else schema, name): list(columns) for schema, name, columns in rows}


def _add(
    search: Search, engine: Engine, entry: tuple[str | None, str], columns: Sequence[str], connection: str, url: str
) -> None:
    schema, plain = entry
    name = f"{schema}.{plain}" if schema else plain
    listed = table(plain, *map(column, columns), schema=schema)
    query = select(listed).limit(MOST_RECORDS).compile(engine, compile_kwargs={"literal_binds": True})
    origin = FeedMap.model_validate(
        {
            "connection": connection,
            "query": str(query).replace(":", "\\:"),
            "columns": {one: {"from": one} for one in columns},
        }
    )
    relation = f"database {len(search.tables)} {name}"
    read = from_database(search.connection, relation, url, Pull(origin, name))
    if not read.rows:
        search.unusable[name] = "no records"
        return
    quote = engine.dialect.identifier_preparer.quote
    profiles = {one: profile(search.connection, relation, one, marked=one in read.marked) for one in read.columns}
    place = engine.dialect.identifier_preparer.format_table(listed)
    keys: dict[str, object] = {"connection": connection, "query": f"select * from {place}"}
    found = Found(name, relation, keys, read.rows, profiles, sql_names={one: quote(one) for one in columns})
    search.tables.append(found)
