"""Tables found in a database: the columns of each, and the counts of the values of its first records."""

import os
from collections.abc import Callable

from sqlalchemy import Engine, MetaData, Table, create_engine, inspect, select
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


def find_database_tables(search: Search, text: str, known: Callable[[str], bool] = lambda _: False) -> None:
    """Add the tables and views of a database to those found. Raises SourceRefused if it cannot be read.

    known: True for a table of a known system. In a large database only those are read, and those named like a feed.
    """
    origin, url = connection_of(text)
    try:
        engine = create_engine(url)
        try:
            found = inspect(engine)
            listed = [*found.get_table_names(), *found.get_view_names()]
            if len(listed) > MOST_TABLES:
                feeds = names.vocabulary().feeds
                named = [entry for entry in listed if any(names.table_score(entry, feed) for feed in feeds)]
                listed = [entry for entry in listed if known(entry)] or named
            for entry in sorted(listed)[:MOST_TABLES]:
                try:
                    _add(search, engine, entry, origin, url)
                except (SourceRefused, SQLAlchemyError) as error:  # a table that this user may not read
                    search.unusable[entry] = f"it cannot be read ({driver_text(error)})"
        finally:
            engine.dispose()
    except ImportError as error:
        do = "Install the driver, or name another one in the URL."
        raise SourceRefused(origin, "", f"a driver of the database is missing ({driver_text(error)})", do) from None
    except (SQLAlchemyError, *URL_ERRORS) as error:
        do = "Check the URL and the server."
        raise SourceRefused(origin, "", f"the database cannot be read ({driver_text(error)})", do) from None


def _add(search: Search, engine: Engine, name: str, connection: str, url: str) -> None:
    table = Table(name, MetaData(), autoload_with=engine)
    columns = [column.name for column in table.columns]
    query = select(table).limit(MOST_RECORDS).compile(engine, compile_kwargs={"literal_binds": True})
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
    keys: dict[str, object] = {"connection": connection, "query": f"select * from {quote(name)}"}
    found = Found(name, relation, keys, read.rows, profiles, sql_names={one: quote(one) for one in columns})
    search.tables.append(found)
