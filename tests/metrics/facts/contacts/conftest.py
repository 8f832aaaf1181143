"""A database with the random contacts, one for all tests of this folder."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from metrics.facts.orders import order_facts_table
from tests.metrics.facts.contacts.counts import RECORDS, Facts
from tests.support.ask_measures import built, fact_rows


@pytest.fixture(scope="package")
def connection() -> Iterator[Connection]:
    with built(**RECORDS) as connected:
        yield connected


@pytest.fixture(scope="package")
def orders(connection: Connection) -> Facts:
    """The order facts by order. Other tests compare them with the reference implementation."""
    return fact_rows(connection, order_facts_table, "order_id")
