"""Empty databases on each engine, for fixtures that fill a database once per module."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import duckdb
import pytest
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from metrics.warehouse.instances import LOCKED_SETTINGS, new_engine
from tests.support import postgres

ENGINES = ("duckdb", pytest.param("postgresql", marks=pytest.mark.postgres))
"""Parameters of such a fixture."""
_numbers = count(1)


def memory() -> Engine:
    """Return an engine on an empty DuckDB in memory, with the settings of the embedded warehouse.

    Its connections share one session.
    """
    return new_engine(duckdb.connect(":memory:", config=dict(LOCKED_SETTINGS)), poolclass=StaticPool)


@contextmanager
def empty(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """Yield a connection to an empty database of the requested engine."""
    with ExitStack() as opened:
        engine = memory()
        if request.param == "postgresql":
            url = postgres.database(request.getfixturevalue("postgres_url"), f"engines_{next(_numbers)}")
            engine = create_engine(opened.enter_context(url))
        opened.callback(engine.dispose)
        yield opened.enter_context(engine.connect())
