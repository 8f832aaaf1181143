"""The catalogue of faults is complete, and docs/faults.md shows it."""

import pytest

from tests.fault import catalogue
from tests.fault.catalogue import GROUPS, MISSING, PAGE, Fault, faults, page


def test_every_fault_has_existing_tests_or_a_remark() -> None:
    assert [fault.number for fault in faults()] == [
        f"{group}{number}" for group, (_, count) in GROUPS.items() for number in range(1, count + 1)
    ]
    for fault in faults():
        assert fault.tests or fault.remark, f"{fault.number} has no test"
        for test in fault.tests:
            file, _, name = test.partition("::")
            assert name in catalogue.test_names(file), f"{fault.number}: there is no test {test}"


def test_faults_that_had_tests_keep_them() -> None:
    assert sum(fault.state == MISSING for fault in faults()) <= MISSING_NOW


MISSING_NOW = 11
"""Lower this number with each fault that gets its first test."""


def test_page_shows_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.fault.catalogue"


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        (Fault("A1", "x", ("t",)), "tested"),
        (Fault("A1", "x", ("t",), "no PostgreSQL"), "partly tested"),
        (Fault("A1", "x"), "missing"),
    ],
)
def test_state_follows_from_tests_and_remark(fault: Fault, state: str) -> None:
    assert fault.state == state
