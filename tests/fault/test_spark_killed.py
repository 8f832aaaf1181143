"""Parts of a Spark cluster, and the run that uses it, killed at random moments of a build.

A run completes if Spark can continue, and otherwise publishes nothing. Readers always see a whole generation.
FAULT_TRIES=20 kills each part 20 times.
"""

import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import Table, make_url, select

from benchmarks import cluster
from benchmarks.cluster import Cluster
from metrics import warehouse
from metrics.errors import BuildFailed
from metrics.facts.orders import order_facts_table
from metrics.warehouse import Lake, Location, lake, reading
from tests.fault.lake_process import ORDERS
from tests.support import tries as counts
from tests.support.failpoints import ROOT
from tests.support.tries import Tries

KILLS = counts.number(goal=20, usual=1)
FAULTS = {"A31": "run", "A32": "executor", "A33": "connect", "A34": "worker-1"}
"""The part that each fault of the catalogue kills. After each part that a run needs comes one that it does not need."""
NEEDED = ("run", "connect")
"""A run ends without these parts."""
pytestmark = [pytest.mark.long, pytest.mark.spark, pytest.mark.timeout(600 + 600 * KILLS)]


class Runs:
    """Runs of lake_process.py on one warehouse."""

    def __init__(self, folder: Path, parts: Cluster) -> None:
        self.parts = parts
        self.home, self.lake = folder / "home", folder / "lake"
        self.place = Location(folder=self.home, lake=Lake(self.lake))
        for _ in range(2):  # Spark is slow in the first run
            self.complete()

    def start(self) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "tests.fault.lake_process", str(self.home), str(self.lake), self.parts.url]
        return subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE)

    def complete(self) -> None:
        """Run until the end, which must be a publish. `seconds` is the time it took."""
        began = time.monotonic()
        with self.start() as run:
            assert run.stderr is not None
            message = run.stderr.read().decode()
        assert run.returncode == 0, message
        self.seconds = time.monotonic() - began

    def number(self) -> int:
        """The published generation. It has the facts of every order, once, and the lake has all of its files."""
        with reading(self.place) as connection:
            found: int = connection.info["generation"]
            facts = connection.scalars(select(order_facts_table.c.order_id)).all()
        assert sorted(facts) == sorted(f"O{number}" for number in range(ORDERS))
        manifest = lake.parsed((self.lake / (self.lake / "CURRENT").read_text().strip()).read_text())
        assert all((self.lake / name).exists() for name in manifest.files())
        return found


@pytest.fixture(scope="module")
def runs(spark_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    found = Runs(tmp_path_factory.mktemp("killed"), spark_cluster)
    assert found.number() == 2
    return found


def killed_during_a_run(runs: Runs, part: str) -> tuple[int, int, str]:
    """Kill a part in a run. Return the run's exit status, the number of new generations, and its last message."""
    while True:
        before = runs.number()
        with runs.start() as run:
            end = time.monotonic() + random.uniform(0.2, 0.9) * runs.seconds
            while (time.monotonic() < end or not victims(runs.parts, run.pid, part)) and run.poll() is None:
                assert runs.number() >= before  # a reader in the middle of the run
                time.sleep(0.5)
            if in_time := run.poll() is None:  # otherwise the run was faster than the runs before
                os.kill(random.choice(victims(runs.parts, run.pid, part)), signal.SIGKILL)
            assert run.stderr is not None
            message = run.stderr.read().decode()
            status = run.wait()
        if in_time:
            return status, runs.number() - before, message


def victims(parts: Cluster, run: int, part: str) -> list[int]:
    """Return the processes of a part. An executor is missing for a moment after it was killed."""
    return cluster.executors(parts) if part == "executor" else [{"run": run, **parts.processes}[part]]


def test_a_server_that_dies_before_it_knows_the_tables_is_named(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    spark_facts = pytest.importorskip("metrics.rebuild.spark_facts", reason="PySpark is not installed")
    server, columns_of = runs.parts.processes["connect"], spark_facts.columns_of

    def killing(table: Table) -> object:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server, signal.SIGKILL)
        return columns_of(table)

    monkeypatch.setattr(spark_facts, "columns_of", killing)
    place = make_url(runs.parts.url)
    with pytest.raises(BuildFailed, match=re.escape(runs.parts.url)), spark_facts.connected(place, "", {}):
        pass
    cluster.restart_connect(runs.parts)


def test_a_killed_part_loses_nothing_and_the_next_run_completes(runs: Runs, tries: Tries) -> None:
    parts = runs.parts
    for _ in range(KILLS):
        for fault, part in FAULTS.items():
            tries.add(fault=fault)
            status, published, message = killed_during_a_run(runs, part)
            if part in NEEDED:
                assert published == (status == 0)  # it may be killed after the publish
            else:
                assert (status, published) == (0, 1), message  # and it completes the run that was killed before
            if part == "connect":
                assert status == 0 or parts.url in message, message
                cluster.restart_connect(parts)
            elif part == "worker-1":
                cluster.start_part(parts, part)
    warehouse.close(runs.place)
