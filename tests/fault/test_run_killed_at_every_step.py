"""A run killed at every step (read, map, validate, load, build, publish), while a reader reads.

Published data stay unchanged until CURRENT is replaced (on a server: until the commit), and are complete after it. The
next run needs no repair, and ends with the same rows in every table as an uninterrupted run.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
from sqlalchemy import inspect, make_url, text

from metrics import warehouse
from metrics.warehouse import Location, current, reading, writing
from metrics.warehouse.duckdb_writer import STORED_GENERATIONS
from sample_data import generate
from tests.support import failpoints, postgres
from tests.support.failpoints import ROOT

ORDERS = 60
STEPS = failpoints.names(["metrics", "ingest"])
COMMITTED = {"warehouse.replace", "warehouse.collect", "warehouse.server_committed", "ingest.published"}
NOT_REACHED = {"warehouse.compact"}
"""This failpoint needs a mostly free file of over a megabyte. test_publish.py covers it."""
ON_FILES = [step for step in STEPS if not step.startswith(("lake.", "warehouse.server")) and step not in NOT_REACHED]
"""The steps of a lake are in tests/metrics/rebuild/test_lake_facts.py."""
AGAIN = ["ingest.read:7", "ingest.merge:6"]
"""Failpoints hit once per feed, tested at a later feed than the first."""
ON_SERVER = [step for step in STEPS if step.startswith("warehouse.server")] + [
    "ingest.merge:6",
    "ingest.ledger",
    "rebuild.rollups",
    "ingest.built",
]
OWN_TIMES = {"runs": ("finished_at", "generation", "sha256"), "generations": ("number", "published_at")}
"""Columns with the end of a run and the number of attempts. Only these may differ."""


def groups(steps: list[str], *, at_most: int) -> list[list[str]]:
    """The failpoints in groups. The runs of a group are killed in a row, each as the next run of the one before. A
    failpoint after the commit is alone.
    """
    early = [step for step in steps if step not in COMMITTED]
    return [early[start : start + at_most] for start in range(0, len(early), at_most)] + [
        [step] for step in steps if step in COMMITTED
    ]


class Nursery:
    """The process of fork_server.py."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.fault.fork_server"]
        environment = {**os.environ, "BUYERVIEW_THREADS": "1"}
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, text=True, stdin=PIPE, stdout=PIPE)

    def ask(self, *order: object) -> int:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([str(word) for word in order]) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def run(self, home: object, mapping: Path, failpoint: str = "") -> int:
        """Return the return code of a run."""
        return self.ask("wait", self.ask("ingest", home, mapping, failpoint))


@pytest.fixture(scope="module")
def nursery(mappings: tuple[Path, Path]) -> Iterator[Nursery]:
    one = Nursery()
    assert one.ask("warm", *mappings) == 0
    yield one
    one.process.communicate()  # ends when its input ends


@pytest.fixture(scope="module")
def mappings(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return the loaded state before, and the killed run's input: new orders, new versions, and late parents."""
    folder = tmp_path_factory.mktemp("records")
    return generate(ORDERS, folder / "before", seed=7, feeds="core"), generate(
        ORDERS + 10, folder / "after", seed=8, feeds="core"
    )


@pytest.fixture(scope="module")
def before(nursery: Nursery, mappings: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with as many generations as are kept, and the leftovers of a run."""
    folder = tmp_path_factory.mktemp("before") / "home"
    assert nursery.run(folder, mappings[0]) == 0
    place = Location(folder=folder)
    for _ in range(STORED_GENERATIONS):
        with writing(place) as build:
            build.publish()
    (folder / "build-00000099.duckdb").write_bytes(b"half a database")
    return folder


@pytest.fixture(scope="module")
def uninterrupted(
    nursery: Nursery, mappings: tuple[Path, Path], before: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Return the content of the folder after an uninterrupted run."""
    folder = tmp_path_factory.mktemp("after") / "home"
    shutil.copytree(before, folder)
    assert nursery.run(folder, mappings[1]) == 0
    found = contents(Location(folder=folder))
    assert found != contents(Location(folder=before))
    return found


def contents(place: Location) -> dict[str, str]:
    """Return a hash of the rows of each table."""
    with reading(place) as connection:
        found = {}
        for table in sorted(set(inspect(connection).get_table_names()) - {"run_history"}):
            columns = [
                one["name"]
                for one in inspect(connection).get_columns(table)
                if one["name"] not in OWN_TIMES.get(table, ())
            ]
            listed = ", ".join(f'"{name}"' for name in columns)
            rows = connection.execute(text(f'select {listed} from "{table}"')) if columns else ()
            found[table] = hashed(repr(tuple(row)) for row in rows)
    warehouse.close(place)
    return found


def hashed(rows: Any) -> str:
    return hashlib.sha256("\n".join(sorted(rows)).encode()).hexdigest()


def published_files(folder: Path) -> dict[str, str]:
    """Return CURRENT and every file that it names, by content."""
    pointer = json.loads((folder / "CURRENT").read_text())
    names = ["CURRENT", *(entry["file"] for entry in [pointer, *pointer["older"]])]
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


@pytest.mark.long  # test_publish.py kills runs at the steps of a publish in every run
@pytest.mark.parametrize("steps", groups(ON_FILES + AGAIN, at_most=8), ids=" ".join)
def test_repeatedly_killed_runs_publish_nothing_partial_and_the_next_run_completes(
    steps: list[str],
    nursery: Nursery,
    mappings: tuple[Path, Path],
    before: Path,
    uninterrupted: dict[str, str],
    tmp_path: Path,
) -> None:
    folder, stop = tmp_path / "home", tmp_path / "stop"
    shutil.copytree(before, folder)
    was = published_files(folder)
    reader = nursery.ask("read", folder, stop)

    for step in steps:
        assert nursery.run(folder, mappings[1], step) == -signal.SIGKILL, f"the run never came to {step}"
        if step in COMMITTED:
            assert contents(Location(folder=folder)) == uninterrupted
        else:
            assert published_files(folder) == was

    assert nursery.run(folder, mappings[1]) == 0

    stop.touch()
    assert nursery.ask("wait", reader) == 0, "a reader failed; its traceback is above"
    assert contents(Location(folder=folder)) == uninterrupted
    pointer = json.loads((folder / "CURRENT").read_text())
    kept = {entry["file"] for entry in [pointer, *pointer["older"]]}
    left = {path.name for path in folder.iterdir()} - kept - {"CURRENT", "lock", "store.sqlite"}
    # The run after a commit finds no new records, so it neither publishes nor collects. The run after it does.
    assert left <= (set(was) if set(steps) <= COMMITTED else set())


@pytest.fixture(scope="module")
def server_before(postgres_url: str, nursery: Nursery, mappings: tuple[Path, Path]) -> Iterator[str]:
    """A template database with the first records loaded."""
    with postgres.database(postgres_url, "killed_before") as url:
        assert nursery.run(url, mappings[0]) == 0
        yield "killed_before"


@pytest.fixture(scope="module")
def server_uninterrupted(
    postgres_url: str, nursery: Nursery, mappings: tuple[Path, Path], server_before: str
) -> dict[str, str]:
    """Return the content of the database after an uninterrupted run."""
    with postgres.database(postgres_url, "killed_after", template=server_before) as url:
        assert nursery.run(url, mappings[1]) == 0
        return contents(Location(url=make_url(url)))


@pytest.mark.postgres
@pytest.mark.long
@pytest.mark.parametrize("steps", groups(ON_SERVER, at_most=8), ids=" ".join)
def test_repeatedly_killed_runs_on_a_server_publish_nothing_partial_and_the_next_completes(
    steps: list[str], nursery: Nursery, mappings: tuple[Path, Path], postgres_url: str, server_before: str,
    server_uninterrupted: dict[str, str], tmp_path: Path,
) -> None:  # fmt: skip
    stop = tmp_path / "stop"
    with postgres.database(postgres_url, f"killed_{ON_SERVER.index(steps[0])}", template=server_before) as url:
        place = Location(url=make_url(url))
        was = contents(place)
        reader = nursery.ask("read", url, stop)

        for step in steps:
            assert nursery.run(url, mappings[1], step) == -signal.SIGKILL, f"the run never came to {step}"
            assert contents(place) == (server_uninterrupted if step in COMMITTED else was)

        assert nursery.run(url, mappings[1]) == 0
        stop.touch()
        assert nursery.ask("wait", reader) == 0, "a reader failed; its traceback is above"
        generation = current(place)
        assert generation is not None
        assert generation.number == 2
        assert contents(place) == server_uninterrupted
