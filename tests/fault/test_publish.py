"""A run killed at each step of its publish: published data stay, and the next run needs no repair."""

import errno
import hashlib
import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from metrics.errors import BuildFailed
from metrics.warehouse import Location, current, duckdb_writer, reading, writing
from tests.fault import paired_tables
from tests.fault.conftest import Start
from tests.support import failpoints

STEPS = failpoints.names(["metrics"])
ON_FILES = [step for step in STEPS if step.startswith("warehouse.") and not step.startswith("warehouse.server")]
ON_SERVER = [step for step in STEPS if step.startswith("warehouse.server")]
AFTER_THE_COMMIT = {"warehouse.replace", "warehouse.collect", "warehouse.server_committed"}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose next run goes through every step.

    It has generations to collect, dead files to delete and a file to compact.
    """
    folder = tmp_path_factory.mktemp("history")
    location = Location(folder=folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duckdb_writer, "COMPACT_FROM_BYTES", 1 << 40)
        for _ in range(duckdb_writer.STORED_GENERATIONS):
            paired_tables.publish(location)
        with writing(location) as build:
            # The rows after the ballast keep DuckDB from truncating the file there.
            for table, rows in (("ballast", 300_000), ("keel", 30_000)):
                build.connection.exec_driver_sql(
                    f"create table {table} as select hash(range) as noise from range({rows})"
                )
                build.save()
                build.connection.exec_driver_sql("checkpoint")
                build.save()
            paired_tables.add(build)
            build.save()
            build.connection.exec_driver_sql("drop table ballast")
            build.publish()
    (folder / "build-00000099.duckdb").write_bytes(b"not a database")
    (folder / "build-00000099.duckdb.wal").write_bytes(b"not a log")
    (folder / "build-00000099.duckdb.tmp").mkdir()
    (folder / "build-00000099.duckdb.tmp" / "spilled").write_bytes(b"rows")
    (folder / "CURRENT.tmp").write_text("half a poin")
    return folder


def assert_sound(location: Location) -> None:
    """Assert that CURRENT names a file without a WAL, with its published size and SHA-256, and that tables agree."""
    if location.folder is not None:
        pointer = json.loads((location.folder / "CURRENT").read_text())
        for entry in [pointer, *pointer["older"]]:
            content = (location.folder / entry["file"]).read_bytes()
            assert len(content) == entry["size"]
            assert hashlib.sha256(content).hexdigest() == entry["sha256"]
        assert not list(location.folder.glob("gen-*.wal"))
    with reading(location) as connection:
        assert connection.info["fallback"] is None
        paired_tables.runs_seen(connection)


def runs(location: Location) -> int:
    with reading(location) as connection:
        return paired_tables.runs_seen(connection)


def killed_at(step: str, start: Start) -> None:
    child = start("write", "1", FAILPOINT=step)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL, f"the run never came to {step}"


@pytest.mark.every_run(
    "warehouse.copy", "warehouse.checkpoint", "warehouse.rename", "warehouse.replace", "warehouse.collect"
)
@pytest.mark.parametrize("step", ON_FILES)
def test_run_killed_at_any_step_leaves_the_old_or_the_complete_new_generation(
    step: str, location: Location, history: Path, start: Start
) -> None:
    folder = location.folder
    assert folder is not None
    shutil.copytree(history, folder)
    before = current(location)
    assert before is not None
    seen = runs(location)

    killed_at(step, start)

    after = current(location)
    assert after is not None
    assert_sound(location)
    assert runs(location) == seen + (step in AFTER_THE_COMMIT)
    assert (after.number > before.number) == (step in AFTER_THE_COMMIT)
    used = {int(path.stem[4:]) for path in folder.glob("gen-*.duckdb")}

    number = paired_tables.publish(location)

    assert number > max(used)
    assert_sound(location)
    assert runs(location) == seen + 1 + (step in AFTER_THE_COMMIT)
    pointer = json.loads((folder / "CURRENT").read_text())
    kept = {entry["file"] for entry in [pointer, *pointer["older"]]}
    assert {path.name for path in folder.iterdir()} == kept | {"CURRENT", "lock"}


@pytest.mark.parametrize("step", ["warehouse.copy", "warehouse.rename", "warehouse.replace"])
def test_first_run_killed_at_any_step_leaves_nothing_or_a_complete_generation(
    step: str, location: Location, start: Start
) -> None:
    killed_at(step, start)
    assert (current(location) is not None) == (step in AFTER_THE_COMMIT)
    paired_tables.publish(location)
    assert_sound(location)
    assert runs(location) == 1 + (step in AFTER_THE_COMMIT)


@pytest.mark.postgres
@pytest.mark.parametrize(("step", "published"), [*((step, 1) for step in ON_SERVER), ("warehouse.server_commit", 0)])
def test_run_on_a_server_killed_at_any_step_leaves_the_old_or_the_complete_new_data(
    step: str, published: int, server_location: Location, start: Start
) -> None:
    for _ in range(published):
        paired_tables.publish(server_location)
    killed_at(step, start)
    expected = published + (step in AFTER_THE_COMMIT)
    assert (runs(server_location) if current(server_location) else 0) == expected
    paired_tables.publish(server_location)
    assert runs(server_location) == expected + 1


def test_an_interrupted_run_deletes_its_build(location: Location, start: Start) -> None:
    paired_tables.publish(location)
    child = start("hold")
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=5)
    assert child.returncode != 0
    assert location.folder is not None
    assert not list(location.folder.glob("build-*"))
    assert_sound(location)


def test_terminated_run_keeps_the_published_data_and_releases_the_lock(any_location: Location, start: Start) -> None:
    paired_tables.publish(any_location)
    before = current(any_location)
    child = start("hold")
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=5)
    assert child.returncode != 0
    assert current(any_location) == before
    paired_tables.publish(any_location)
    assert runs(any_location) == 2


def test_disk_failure_is_reported_and_the_next_run_is_complete(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each writing call in turn fails once with 'no space left'. CURRENT then agrees with the run's result."""
    paired_tables.publish(location)
    outcomes = []
    for name in ("fsync", "rename", "replace"):
        for failing in range(1, 10):
            calls = 0

            real = getattr(os, name)
            before = runs(location)

            def fail(*arguments: Any, failing: int = failing, real: Any = real) -> Any:
                nonlocal calls
                calls += 1
                if calls == failing:
                    raise OSError(errno.ENOSPC, "No space left on device")
                return real(*arguments)

            with monkeypatch.context() as patch:
                patch.setattr(os, name, fail)
                message = ""
                try:
                    paired_tables.publish(location)
                except BuildFailed as error:
                    message = str(error)
            expected = before if "No space left" in message else before + 1
            assert runs(location) == expected
            assert_sound(location)
            outcomes.append((name, failing, expected - before))
            if calls < failing:
                break
    assert [outcome for outcome in outcomes if outcome[2] == 0] == [
        ("fsync", 1, 0), ("fsync", 2, 0), ("fsync", 3, 0), ("rename", 1, 0), ("replace", 1, 0),
    ]  # fmt: skip


def test_publish_syncs_the_file_before_renaming_it_and_before_replacing_the_pointer(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = location.folder
    assert folder is not None
    paired_tables.publish(location)
    done: list[tuple[str, str]] = []

    def record(name: str) -> None:
        real = getattr(os, name)

        def recorded(first: Any, *rest: Any) -> Any:
            path = Path(os.readlink(f"/proc/self/fd/{first}")) if isinstance(first, int) else Path(str(first))
            done.append((name, path.name))
            return real(first, *rest)

        monkeypatch.setattr(os, name, recorded)

    for name in ("fsync", "rename", "replace"):
        record(name)
    paired_tables.publish(location)
    assert done == [
        ("fsync", "build-00000002.duckdb"),
        ("rename", "build-00000002.duckdb"),
        ("fsync", folder.name),
        ("fsync", "CURRENT.tmp"),
        ("replace", "CURRENT.tmp"),
        ("fsync", folder.name),
    ]


def test_build_too_large_for_the_disk_is_reported_and_deleted(location: Location, start: Start) -> None:
    paired_tables.publish(location)
    child = start("outgrow", "900000")
    _, message = child.communicate(timeout=60)
    assert child.returncode == BuildFailed.exit_code, message
    assert "was not published" in message
    assert runs(location) == 1
    paired_tables.publish(location)
    assert_sound(location)
    assert runs(location) == 2
