"""Every rule of the book, R1 to R40, has a test that names it: for what the product says, and where the judge has it
for the judge as well.

A worked example of an order's verdicts is a case of tests/support/rule_cases.py, put to both. Any other test of a rule
is called `test_rNN_...`.
"""

import re
from pathlib import Path

import pytest

from tests.support.rule_cases import CASES

TESTS = Path(__file__).parents[1]
RULES = range(1, 41)
OF_THE_JUDGE = {"test_reference_rules.py", "test_reference_examples.py"}
NOT_JUDGED = {
    12: "units are converted at ingest; the judge reads base units",
    32: "small numbers are about showing a rate, which the judge does not do",
    37: "dates on charts",
}
"""Rules that say nothing of what the judge decides."""

CASE_RULES = {int(found[1]) for case in CASES if (found := re.match(r"R(\d+) ", case.name))}


def named_in(paths: list[Path]) -> set[int]:
    """The rules that functions of these files are called after."""
    return {
        int(number)
        for path in paths
        for number in re.findall(r"^(?:async )?def test_r(\d+)_", path.read_text(encoding="utf-8"), re.M)
    }


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_tested_on_what_the_product_says(rule: int) -> None:
    product = [path for path in TESTS.rglob("test_*.py") if path.name not in OF_THE_JUDGE]
    assert rule in CASE_RULES | named_in(product), (
        f"R{rule}: no case in rule_cases.py and no test_r{rule:02d}_...; write its worked example"
    )


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in NOT_JUDGED])
def test_every_rule_is_tested_on_the_judge(rule: int) -> None:
    judges = [TESTS / "reference" / name for name in OF_THE_JUDGE]
    assert rule in CASE_RULES | named_in(judges), f"R{rule}: the judge is not held to its worked example"


def test_a_rule_not_judged_is_no_case_either() -> None:
    assert not NOT_JUDGED.keys() & CASE_RULES
