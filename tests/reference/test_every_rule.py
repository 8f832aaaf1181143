"""Check that each rule, R1 to R40, has tests of the product and of the reference implementation.

A worked example of an order's verdicts is a case of tests/support/rule_cases.py, which tests both. All other tests of a
rule are named `test_rNN_...`.
"""

import re
from pathlib import Path

import pytest

from tests.support.rule_cases import CASES

TESTS = Path(__file__).parents[1]
RULES = range(1, 41)
REFERENCE_TESTS = sorted((TESTS / "reference").glob("test_reference_*.py"))
NOT_IN_REFERENCE = {
    12: "ingest converts units; the reference implementation reads base units",
    32: "the rule is about the display of shares",
    37: "the rule is about dates on charts",
}
"""Rules outside the reference implementation, each with the reason."""

CASE_RULES = {int(found[1]) for case in CASES if (found := re.match(r"R(\d+) ", case.name))}


def named_in(paths: list[Path]) -> set[int]:
    """Return the rules in the names of test functions of these files."""
    return {
        int(number)
        for path in paths
        for number in re.findall(r"^(?:async )?def test_r(\d+)_", path.read_text(encoding="utf-8"), re.M)
    }


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_has_a_test_of_the_product(rule: int) -> None:
    product = [path for path in TESTS.rglob("test_*.py") if path not in REFERENCE_TESTS]
    assert rule in CASE_RULES | named_in(product), (
        f"R{rule} has no test of the product; add a case to rule_cases.py or a test named test_r{rule:02d}_..."
    )


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in NOT_IN_REFERENCE])
def test_every_rule_has_a_test_of_the_reference(rule: int) -> None:
    assert rule in CASE_RULES | named_in(REFERENCE_TESTS), (
        f"R{rule} has no test of the reference implementation; add its worked example to tests/reference"
    )


def test_a_rule_outside_the_reference_has_no_case() -> None:
    assert not NOT_IN_REFERENCE.keys() & CASE_RULES
