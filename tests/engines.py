"""An empty warehouse on each engine, for fixtures that fill one once for a whole module."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest
from sqlalchemy import Connection, create_engine

from tests import postgres

ENGINES = ("duckdb", pytest.param("postgresql", marks=pytest.mark.postgres))
"""Parameters of such a fixture."""
_numbers = count(1)


@contextmanager
def empty(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """A connection to an empty database of the engine the fixture is asked for."""
    with ExitStack() as opened:
        url = "duckdb:///:memory:"
        if request.param == "postgresql":
            url = opened.enter_context(postgres.database(request.getfixturevalue("postgres_url"), f"engines_{next(_numbers)}"))
        engine = create_engine(url)
        opened.callback(engine.dispose)
        yield opened.enter_context(engine.connect())
