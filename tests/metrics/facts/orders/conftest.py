"""Databases for the tests that compare the SQL with the reference implementation."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from metrics.schema import metadata
from tests.support.engines import memory


@pytest.fixture(scope="module")
def embedded() -> Iterator[Connection]:
    """A connection to an empty DuckDB database in memory."""
    engine = memory()
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()


@pytest.fixture
def server(postgres_database: str) -> Iterator[Connection]:
    """A connection to an empty PostgreSQL database."""
    engine = create_engine(postgres_database, poolclass=StaticPool)
    with engine.connect() as connection:
        metadata.create_all(connection)
        yield connection
    engine.dispose()
