"""Databases for the worked cases of money."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from tests.support.engines import ENGINES, empty


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """An empty warehouse on each engine."""
    with empty(request) as connection:
        yield connection
