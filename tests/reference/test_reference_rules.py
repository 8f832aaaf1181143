"""Compare the reference implementation with the worked examples of the rules.

The SQL is compared with the reference implementation, so the latter needs its own check.
"""

from collections.abc import Mapping
from dataclasses import asdict

import pytest

from tests.reference.facts import line_columns, order_columns
from tests.reference.judgements import Judgement, LineJudgement, OrderJudgement
from tests.reference.verdicts import judge
from tests.support.rule_cases import CASES, Case

SEEN = {case.name for case in CASES}


def column(judgement: LineJudgement | OrderJudgement, name: str, derived: Mapping[str, object]) -> object:
    """Return a column of a judgement: a verdict, its reason, a part, a dimension, a derived column or a field."""
    if name in derived:
        return derived[name]
    if name in judgement.findings:
        return judgement.findings[name].verdict
    if name.removesuffix("_reason") in judgement.findings and name.endswith("_reason"):
        return judgement.findings[name.removesuffix("_reason")].reason
    if name in judgement.parts:
        return judgement.parts[name]
    if isinstance(judgement, OrderJudgement) and name in judgement.dimensions:
        return judgement.dimensions[name]
    return getattr(judgement, name)


def differences(case: Case, judgement: Judgement) -> list[str]:
    """Return the differences between a case and its judgement."""
    rows: list[tuple[object, LineJudgement | OrderJudgement, Mapping[str, object]]] = []
    rows += [(key, judgement.orders[key], expected) for key, expected in case.orders.items()]
    rows += [(key, judgement.lines[key], expected) for key, expected in case.lines.items()]
    zones = {row["order_id"]: row["ship_to_time_zone"] for row in case.records["orders"]}
    found = []
    for key, row, expected in rows:
        if isinstance(row, OrderJudgement):
            lines = [line for line in judgement.lines.values() if line.order_id == row.order_id]
            derived = order_columns(row, lines, zones[row.order_id])
        else:
            derived = line_columns(row, zones[row.order_id])
        for name, value in expected.items():
            actual = column(row, name, derived)
            if actual != value:
                found.append(f"{key} {name}: {actual!r}, expected {value!r}")
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_reference_agrees_with_the_worked_example(case: Case) -> None:
    assert differences(case, judge(case.records, case.policy, case.as_of, case.mapped)) == []


def test_every_rule_of_a_verdict_has_its_examples() -> None:
    rules = {name.split()[0] for name in SEEN if name.startswith("R")}
    assert {f"R{number}" for number in (*range(1, 12), *range(13, 18), *range(19, 24), 33, 34, 35, 39, 40)} <= rules


def test_names_are_unique() -> None:
    assert len(SEEN) == len(CASES)


def test_judging_does_not_change_the_records() -> None:
    case = CASES[0]
    before = {feed: [dict(row) for row in rows] for feed, rows in case.records.items()}
    judged = judge(case.records, case.policy, case.as_of, case.mapped)
    assert case.records == before
    assert asdict(judged.orders["O"])["order_id"] == "O"
