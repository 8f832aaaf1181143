"""Compare the SQL on DuckDB with the worked examples of the rules (tests/support/rule_cases.py)."""

from typing import Any

import pytest

from dashboard.components.cards import too_few_text
from metrics.measures.catalog import find
from metrics.model.question import Question
from metrics.queries.answer import answer
from tests.support.builders import everything
from tests.support.engines import memory
from tests.support.rule_cases import CASES, END_OF_APRIL, Case, both, history, judged_alike, renamed, sent
from tests.support.sql_facts import Facts, ask, build, load


@pytest.fixture(scope="module")
def judged() -> dict[str, tuple[str, Facts]]:
    """Return the SQL's facts of each case: case name to (prefix of its keys, line facts and order facts).

    Cases with equal inputs share a query. Line facts are only there if one of them expects some.
    """
    expect_lines = {case.name for case in CASES if case.lines}
    engine = memory()
    facts_by_case: dict[str, tuple[str, Facts]] = {}
    with engine.connect() as connection:
        for whole, prefixes in judged_alike():
            load(connection, whole.records)
            lines = not expect_lines.isdisjoint(prefixes)
            facts = ask(connection, whole.policy, whole.as_of, whole.mapped, lines=lines)
            facts_by_case |= {name: (prefix, facts) for name, prefix in prefixes.items()}
    engine.dispose()
    return facts_by_case


def values(row: dict[str, Any], expected: Any) -> dict[str, Any]:
    return {name: row[name] for name in expected}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_sql_gives_the_rule_book_result_of_the_worked_example(case: Case, judged: dict[str, tuple[str, Facts]]) -> None:
    prefix, (lines, orders) = judged[case.name]
    for order_id, expected in case.orders.items():
        assert values(orders[f"{prefix}-{order_id}"], expected) == dict(expected)
    for (order_id, line_no), expected in case.lines.items():
        assert values(lines[f"{prefix}-{order_id}", line_no], expected) == dict(expected)


def test_r32_share_of_four_orders_has_a_confidence_interval() -> None:
    """3/4: 75 % [30.06, 95.44], too few for a rank or an alert (R32, few judged rows)."""
    orders = [renamed(history(sent(8, 9)), f"O{number}") for number in range(3)] + [
        renamed(history(sent(11, 12)), "LATE")
    ]
    engine = memory()
    with engine.connect() as connection:
        build(connection, both(*orders), END_OF_APRIL, everything())
        (found,) = answer(connection, Question(("on_time",)))
    engine.dispose()
    assert (found.numerator, found.denominator, found.value) == (3, 4, 0.75)
    assert found.low is not None
    assert found.high is not None
    assert (round(100 * found.low, 2), round(100 * found.high, 2)) == (30.06, 95.44)
    assert too_few_text(found, find("on_time")) == "Only 4 orders (likely range 30–95%)"
