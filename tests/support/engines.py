"""Empty databases on each engine, for fixtures that fill a database once per module."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import duckdb
import pytest
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.pool import StaticPool

from metrics.warehouse.instances import LOCKED_SETTINGS, THREADS_OF_RUN, new_engine
from tests.support import postgres

ENGINES = ("duckdb", pytest.param("postgresql", marks=pytest.mark.postgres))
"""Parameters of such a fixture."""
_numbers = count(1)


def memory() -> Engine:
    """Return an engine on an empty DuckDB in memory, with the settings of a run. Its connections share one session."""
    return of_file(":memory:")


def of_file(path: str) -> Engine:
    """Return an engine on a DuckDB file, with the settings of a run. Its connections share one session."""
    settings = {**LOCKED_SETTINGS, "threads": THREADS_OF_RUN}
    return new_engine(duckdb.connect(path, config=settings), poolclass=StaticPool)


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
