"""The rule book's worked examples (tests/rule_cases.py) put to the SQL, on DuckDB."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine

from tests.rule_cases import CASES, Case
from tests.sql_facts import ask, load


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    engine = create_engine("duckdb:///:memory:")
    with engine.connect() as opened:
        yield opened
    engine.dispose()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_worked_example_comes_out_of_the_sql_as_the_rule_book_says(case: Case, connection: Connection) -> None:
    load(connection, case.records)
    lines, orders = ask(connection, case.policy, case.as_of, case.mapped)
    for order_id, expected in case.orders.items():
        assert {name: orders[order_id][name] for name in expected} == dict(expected)
    for key, expected in case.lines.items():
        assert {name: lines[key][name] for name in expected} == dict(expected)
