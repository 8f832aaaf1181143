"""Files of a killed writer are deleted unread, and only the warehouse opens database files (A4, A13, A17, A22, A29)."""

import ast
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import inspect

from metrics import warehouse
from metrics.store import migrate
from metrics.store.connection import open_store
from metrics.warehouse import Location, reading
from tests.fault import paired_tables
from tests.fault.conftest import Start

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("damage", ["whole", "cut", "flipped", "deleted"])
def test_next_run_deletes_a_dead_build_with_any_wal_unread(damage: str, location: Location) -> None:
    paired_tables.publish(location)
    assert location.folder is not None
    build = location.folder / "build-00000002.duckdb"
    dead = duckdb.connect(str(build))
    dead.execute("PRAGMA disable_checkpoint_on_shutdown")
    dead.execute("CREATE TABLE t AS SELECT range AS n FROM range(1000)")
    dead.close()
    wal = build.with_name(f"{build.name}.wal")
    content = wal.read_bytes()
    assert content
    half = len(content) // 2
    changed = {"whole": content, "cut": content[:half], "flipped": content[:half] + b"\xff" + content[half + 1 :]}
    wal.write_bytes(changed[damage]) if damage in changed else wal.unlink()
    paired_tables.publish(location)
    assert not list(location.folder.glob("build-*"))
    assert not list(location.folder.glob("*.wal"))
    with reading(location) as connection:
        assert paired_tables.runs_seen(connection) == 2
        assert "t" not in inspect(connection).get_table_names()
    warehouse.close(location)


MAY_OPEN = {
    "metrics/warehouse/instances.py",
    "metrics/warehouse/duckdb_dialect.py",
    "metrics/warehouse/duckdb_writer.py",
    "ingest/storage/scratch_database.py",
    "ingest/read/sql_sandbox.py",
    "ingest/read/reader_process.py",
}
"""Modules that call `duckdb.connect`. Each opens a file of its own, or none; a second open drops the writer's lock."""


def test_only_the_warehouse_opens_database_files() -> None:
    found = set()
    for folder in ("metrics", "ingest", "dashboard", "commands", "pages"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Attribute) and node.attr == "connect" and isinstance(node.value, ast.Name):
                    found |= {file.relative_to(ROOT).as_posix()} if node.value.id == "duckdb" else set()
    assert found <= MAY_OPEN
    assert "metrics/warehouse/instances.py" in found


def test_store_migration_killed_midway_is_old_or_new_and_runs_again(
    location: Location, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migration and its stamp are one transaction: an error after the last statement leaves nothing."""
    whole = migrate.migrate

    def killed(connection: object) -> None:
        whole(connection)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(migrate, "migrate", killed)
    with pytest.raises(KeyboardInterrupt), open_store(location):
        pass
    monkeypatch.undo()
    with open_store(location, write=False) as store:
        names = inspect(store).get_table_names()
        assert "audit_trail" in names
        assert not migrate.needs_migration(store)


@pytest.mark.long
@pytest.mark.parametrize("step", ["warehouse.copy", "warehouse.checkpoint", "warehouse.hash", "warehouse.rename"])
def test_build_that_another_process_opened_and_closed_is_deleted_unread(
    step: str, location: Location, start: Start
) -> None:
    """A4: a person looks into the file of a killed run, which may change it."""
    paired_tables.publish(location)
    child = start("write", "1", FAILPOINT=step)
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    assert location.folder is not None
    left = {*location.folder.glob("build-*.duckdb"), *location.folder.glob("gen-00000002.duckdb")}
    assert left, f"no file is left at {step}"
    look = "import sys, duckdb\nfor path in sys.argv[1:]:\n    duckdb.connect(path).execute('create table t (n int)')"
    subprocess.run([sys.executable, "-c", look, *map(str, left)], check=True, timeout=60)
    paired_tables.publish(location)
    assert not list(location.folder.glob("build-*"))
    with reading(location) as connection:
        assert connection.info["fallback"] is None
        assert paired_tables.runs_seen(connection) == 2
        assert "t" not in inspect(connection).get_table_names()
    warehouse.close(location)
