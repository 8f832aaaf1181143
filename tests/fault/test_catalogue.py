"""The catalogue of faults is complete, and docs/faults.md shows it."""

import json

from tests.fault import catalogue
from tests.fault.catalogue import GROUPS, PAGE, PARTLY, TESTED, Fault, faults, page


def test_every_fault_has_existing_tests() -> None:
    assert [fault.number for fault in faults()] == [
        f"{group}{number}" for group, (_, count) in GROUPS.items() for number in range(1, count + 1)
    ]
    for fault in faults():
        assert fault.tests, f"{fault.number} has no test"
        for test in fault.tests:
            file, _, name = test.partition("::")
            assert name in catalogue.test_names(file), f"{fault.number}: there is no test {test}"


def test_every_fault_has_recorded_tries_and_each_try_survived() -> None:
    counts = catalogue.stored_counts()
    for fault in faults():
        found = [counts[key] for key in catalogue.recorded_keys(fault, counts)]
        assert found, f"{fault.number}: run its tests with FAULT_COUNTS, and then python -m tests.fault.catalogue"
        assert [one["survived"] for one in found] == [one["tries"] for one in found], fault.number


def test_counts_of_a_run_replace_older_counts_of_the_same_test() -> None:
    one, other = faults()[0].tests[:2]
    lines = [{"test": one, "tries": 5, "survived": 5, "seconds": 1.0}, {"test": "x", "tries": 1}]
    lines.append({"test": one, "tries": 3, "survived": 2, "seconds": 0.5})
    stored = {name: {"cases": 1, "tries": 1, "survived": 1, "seconds": 1} for name in (one, other, "deleted")}
    found = catalogue.with_runs(stored, map(json.dumps, lines))
    assert found == {one: {"cases": 2, "tries": 8, "survived": 7, "seconds": 1.5}, other: stored[other]}


def test_page_shows_the_catalogue() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.fault.catalogue"


def test_state_follows_from_the_remark() -> None:
    assert (Fault("A1", "x", ("t",)).state, Fault("A1", "x", ("t",), "no PostgreSQL").state) == (TESTED, PARTLY)
