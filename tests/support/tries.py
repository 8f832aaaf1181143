"""Number of tries of the fault tests, and their counts for docs/faults.md.

A test counts its tries with the fixture `tries`; without it, each case of the test is one try. A failed try ends its
test. FAULT_TRIES=full raises the numbers to the goals, which takes hours. FAULT_COUNTS=FILE appends the counts of each
test to a file; then run `python -m tests.fault.catalogue FILE`.
"""

import json
import os
from pathlib import Path

import pytest

FULL = os.environ.get("FAULT_TRIES") == "full"
PROPERTY = "tries"
TESTS = Path(__file__).parents[1]


def number(*, goal: int, usual: int) -> int:
    """Return the number of tries: the goal with FAULT_TRIES=full, otherwise the usual number."""
    return goal if FULL else usual


class Tries:
    """Counter of the tries of a test, in the properties of its report."""

    def __init__(self, properties: list[tuple[str, object]]) -> None:
        self.made, self.properties = 0, properties

    def add(self, made: int = 1) -> None:
        """Count a try that begins now, or several that have passed."""
        self.made += made
        self.properties[:] = [one for one in self.properties if one[0] != PROPERTY] + [(PROPERTY, self.made)]


class Recorder:
    """Plugin of pytest that appends the counts of each test to a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Append the counts of a test that has ended. Skipped tests have none."""
        if report.when != "call" or report.skipped:
            return
        tried = max(int(dict(report.user_properties).get(PROPERTY, 0)), 1)
        path, _, name = report.nodeid.partition("::")
        counted = {
            "test": f"{Path(path).resolve().relative_to(TESTS).as_posix()}::{name.rpartition('::')[2].split('[')[0]}",
            "tries": tried,
            "survived": tried if report.passed else tried - 1,
            "seconds": round(report.duration, 2),
        }
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(counted) + "\n")


def record(config: pytest.Config) -> None:
    """Record the counts if FAULT_COUNTS names a file. Only the main process records, not a worker of pytest-xdist."""
    file = os.environ.get("FAULT_COUNTS")
    if file and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(Path(file)))
