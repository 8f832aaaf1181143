"""The independent judge against the worked examples of the rule book.

The judge is the reference the SQL is compared with, so it must itself be held against the book's own numbers.
"""

from dataclasses import asdict
from typing import Any

import pytest

from tests.reference.verdicts import Judgement, LineJudgement, OrderJudgement, judge
from tests.support.rule_cases import CASES, Case

SEEN = {case.name for case in CASES}


def column(found: LineJudgement | OrderJudgement, name: str) -> Any:
    """A column of the facts as the judge has it: a verdict, its reason, a dimension or a field."""
    if name in found.findings:
        return found.findings[name].verdict
    if name.removesuffix("_reason") in found.findings and name.endswith("_reason"):
        return found.findings[name.removesuffix("_reason")].reason
    if name in found.parts:
        return found.parts[name]
    if isinstance(found, OrderJudgement) and name in found.dimensions:
        return found.dimensions[name]
    return getattr(found, name)


def differences(case: Case, judgement: Judgement) -> list[str]:
    """What came out otherwise than the case expects."""
    found: list[tuple[object, LineJudgement | OrderJudgement, Any]] = []
    found += [(key, judgement.orders[key], expected) for key, expected in case.orders.items()]
    found += [(key, judgement.lines[key], expected) for key, expected in case.lines.items()]
    return [
        f"{key} {name}: {column(one, name)!r}, the book says {value!r}"
        for key, one, expected in found
        for name, value in expected.items()
        if column(one, name) != value
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_the_judge_says_what_the_book_says(case: Case) -> None:
    assert differences(case, judge(case.records, case.policy, case.as_of, case.mapped)) == []


def test_every_rule_of_a_verdict_has_its_examples() -> None:
    rules = {name.split()[0] for name in SEEN if name.startswith("R")}
    assert {f"R{number}" for number in (*range(1, 12), *range(13, 18), *range(19, 24), 33, 34, 35, 39, 40)} <= rules


def test_names_are_unique() -> None:
    assert len(SEEN) == len(CASES)


def test_records_are_left_as_they_were() -> None:
    case = CASES[0]
    before = {feed: [dict(row) for row in rows] for feed, rows in case.records.items()}
    judged = judge(case.records, case.policy, case.as_of, case.mapped)
    assert case.records == before
    assert asdict(judged.orders["O"])["order_id"] == "O"
