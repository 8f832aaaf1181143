"""Number of tries of the fault tests, and their counts for docs/faults.md.

A test counts its tries with the fixture `tries`; without it, each case of the test is one try. A failed try ends its
test. FAULT_TRIES=full raises the numbers to the goals, which takes hours; FAULT_TRIES=200 stops at 200.
FAULT_COUNTS=FILE appends the counts of each test to a file; then run `python -m tests.fault.catalogue FILE`.
"""

import json
import os
from collections import Counter
from pathlib import Path

import pytest

SETTING = os.environ.get("FAULT_TRIES", "")
PROPERTY = "tries"
TESTS = Path(__file__).parents[1]


def number(*, goal: int, usual: int) -> int:
    """Return the number of tries: the goal with FAULT_TRIES=full, at most N with FAULT_TRIES=N, otherwise the usual."""
    return goal if SETTING == "full" else min(goal, int(SETTING)) if SETTING else usual


class Tries:
    """Counter of the tries of a test, in the properties of its report."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self.properties = properties
        self.made: Counter[str] = Counter()

    def add(self, made: int = 1, *, fault: str = "") -> None:
        """Count a try that begins now, or several that have passed. fault: its number, if the test tries several."""
        self.made[f"{PROPERTY} {fault}".strip()] += made
        self.properties[:] = [one for one in self.properties if one[0] not in self.made] + [*self.made.items()]


class Recorder:
    """Plugin of pytest that appends the counts of each test to a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Append the counts of a test that has ended. Skipped tests have none."""
        if report.when != "call" or report.skipped:
            return
        path, _, name = report.nodeid.partition("::")
        test = f"{Path(path).resolve().relative_to(TESTS).as_posix()}::{name.rpartition('::')[2].split('[')[0]}"
        made = {name: tried for name, tried in report.user_properties if name.startswith(PROPERTY)} or {PROPERTY: 1}
        with self.file.open("a", encoding="utf-8") as lines:
            for property_name, tried in made.items():
                counted = {
                    "test": f"{test} {property_name.removeprefix(PROPERTY).strip()}".strip(),
                    "tries": tried,
                    "survived": tried if report.passed else tried - 1,
                    "seconds": round(report.duration, 2),
                }
                lines.write(json.dumps(counted) + "\n")


def record(config: pytest.Config) -> None:
    """Record the counts if FAULT_COUNTS names a file. Only the main process records, not a worker of pytest-xdist."""
    file = os.environ.get("FAULT_COUNTS")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(file)))
