"""The rule book's worked examples (tests/rule_cases.py) put to the SQL, on DuckDB."""

from typing import Any

import pytest
from sqlalchemy import create_engine

from tests.rule_cases import CASES, Case, judged_alike
from tests.sql_facts import Facts, ask, load


@pytest.fixture(scope="module")
def judged() -> dict[str, tuple[str, Facts]]:
    """What the SQL says of each case, those judged alike in one query: case name to (prefix of its names, line facts and order facts)."""
    engine = create_engine("duckdb:///:memory:")
    said: dict[str, tuple[str, Facts]] = {}
    with engine.connect() as connection:
        for whole, prefixes in judged_alike():
            load(connection, whole.records)
            facts = ask(connection, whole.policy, whole.as_of, whole.mapped)
            said |= {name: (prefix, facts) for name, prefix in prefixes.items()}
    engine.dispose()
    return said


def values(row: dict[str, Any], expected: Any) -> dict[str, Any]:
    return {name: row[name] for name in expected}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_worked_example_comes_out_of_the_sql_as_the_rule_book_says(case: Case, judged: dict[str, tuple[str, Facts]]) -> None:
    prefix, (lines, orders) = judged[case.name]
    for order_id, expected in case.orders.items():
        assert values(orders[f"{prefix}-{order_id}"], expected) == dict(expected)
    for (order_id, line_no), expected in case.lines.items():
        assert values(lines[f"{prefix}-{order_id}", line_no], expected) == dict(expected)
