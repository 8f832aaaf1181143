"""A full disk, a stopped server, an unusable store: one of our errors that says what to do, and a row of history."""

import errno
import json
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Column, Connection, Table, text

from ingest.errors import HistoryNotWritten
from ingest.pipeline import run
from ingest.runs import history
from ingest.storage.bulk_insert import create_temporary
from metrics import warehouse
from metrics.errors import BuildFailed, StorageFailed, WarehouseError, WarehouseUnreachable, storage_text
from metrics.warehouse import Location, current, postgres, reading
from tests.ingest.files import NOW, ORDERS, Source
from tests.support.failpoints import ROOT
from tests.support.postgres import plain


@pytest.fixture
def source(tmp_path: Path, location: Location) -> Source:
    (tmp_path / "data").mkdir()
    return Source(tmp_path / "data", location).write_all()


def last_run(location: Location) -> tuple[object, str]:
    """Return the outcome and the message of the last run in the history."""
    latest = history.runs(location)[0]
    return latest["outcome"], json.loads(str(latest["report"])).get("message", "")


def limit_files(size: int) -> None:
    """Let no file of this process grow beyond `size` bytes. A write then fails as on a full disk."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.every_run("30000")
@pytest.mark.parametrize(
    "size", [30_000, 300_000, *(pytest.param(size, marks=pytest.mark.long) for size in (150_000, 1_000_000))]
)
def test_full_disk_at_any_step_of_a_run_is_reported_and_recorded(size: int, source: Source) -> None:
    """Trust, T6: the copy, the scratch database, the load and the checkpoint need more and more of the disk."""
    mapping = source.mapping()
    command = [sys.executable, str(ROOT / "buyerview.py"), "ingest", str(mapping)]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, preexec_fn=lambda: limit_files(size)
    )
    assert ended.returncode == BuildFailed.exit_code, ended.stderr
    assert "is full" in ended.stderr
    assert "Free some space there" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "unexpected error" not in ended.stderr
    assert current(source.location) is None
    assert source.location.folder is not None
    assert not list(source.location.folder.glob("build-*"))
    if size >= 150_000:  # less does not hold the history either, and the log says so
        assert last_run(source.location)[0] == "failed"
        assert "Free some space" in last_run(source.location)[1]
    else:
        assert "the run history does not record this run" in ended.stderr


def test_an_unexpected_error_is_recorded_and_shown_without_a_traceback(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str) -> None:
        if name == "ingest.ledger":
            raise ZeroDivisionError("a defect")

    monkeypatch.setattr("ingest.runs.ledger.failpoint", fail)
    with pytest.raises(ZeroDivisionError):
        source.take_in()
    assert last_run(source.location) == ("failed", "a defect")


def test_error_for_an_unwritable_run_history_says_that_the_data_are_published(source: Source) -> None:
    """Trust, T13: it said "Nothing was changed", and the data were published."""
    folder = source.location.folder
    assert folder is not None
    folder.mkdir(parents=True)
    (folder / "store.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(HistoryNotWritten, match="Data version 1 is published, but the run history") as caught:
        source.take_in()
    assert "Nothing" not in str(caught.value)
    assert caught.value.exit_code == 74
    generation = current(source.location)
    assert generation is not None
    assert generation.number == 1
    with pytest.raises(HistoryNotWritten, match="The data are unchanged, but"):
        source.take_in()


def test_storage_error_text_says_what_to_free(tmp_path: Path) -> None:
    full = storage_text(OSError(errno.ENOSPC, "No space left on device"), tmp_path)
    assert full.startswith(f"the disk of {tmp_path} is full")
    assert "MB are free" in full
    assert "set BUYERVIEW_WRITE_MEMORY" in storage_text(MemoryError())
    assert storage_text(sqlite3.OperationalError("database or disk is full")).startswith("the disk is full")


@pytest.mark.long
def test_reader_out_of_memory_raises_storage_failed(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    source.take_in()
    monkeypatch.setenv("BUYERVIEW_READ_MEMORY", "20MB")
    warehouse.close(source.location)
    with (
        pytest.raises(StorageFailed, match="BUYERVIEW_READ_MEMORY"),
        reading(source.location) as connection,
    ):
        connection.execute(text("select list(hash(range)::varchar || range::varchar) from range(30000000)")).all()


def end_sessions(url: str) -> None:
    """End every other session of a database, as a server that stops does."""
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and pid <> pg_backend_pid()"
        )


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.both_engines
def test_lost_server_connection_in_a_run_is_recorded_and_the_next_run_completes(
    tmp_path: Path, server_location: Location, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trust, T14: sessions end while rows are copied, after they are loaded, and while the run is committed."""
    (tmp_path / "data").mkdir()
    source = Source(tmp_path / "data", server_location).write_all()
    steps = {"ingest.runs.ledger": "ingest.ledger", "metrics.warehouse.postgres": "warehouse.server_commit"}
    for module, step in steps.items():

        def stop_at(name: str, step: str = step) -> None:
            if name == step:
                end_sessions(postgres_database)

        with monkeypatch.context() as patch:
            patch.setattr(f"{module}.failpoint", stop_at)
            with pytest.raises(BuildFailed, match="published data are unchanged"):
                source.take_in()
        assert last_run(server_location)[0] == "failed"

    def create_and_stop(connection: Connection, name: str, *columns: Column[Any]) -> Table:  # Any: of any SQL type
        table = create_temporary(connection, name, *columns)
        end_sessions(postgres_database)
        return table

    with monkeypatch.context() as patch:
        patch.setattr("ingest.load.clean_rows.create_temporary", create_and_stop)
        with pytest.raises(BuildFailed, match="published data are unchanged"):
            source.take_in()
    assert source.take_in().outcome == "published"

    end = text("select pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(WarehouseUnreachable), reading(server_location) as connection:
        connection.execute(end)
    with reading(server_location) as connection:
        assert connection.info["generation"] == 1


@pytest.mark.postgres
def test_failed_connection_is_retried_once(server_location: Location, monkeypatch: pytest.MonkeyPatch) -> None:
    assert server_location.url is not None
    engine = postgres._new_engine(server_location.url, poolclass=postgres.NullPool)
    real, calls = engine.connect, iter([True, False, True, True])

    def connect() -> object:
        if next(calls):
            raise OSError("the server is starting up")
        return real()

    monkeypatch.setattr(postgres, "PAUSE", 0)
    monkeypatch.setattr(engine, "connect", connect)
    with postgres._connected(engine, server_location.url) as connection:
        assert connection.scalar(text("select 1")) == 1
    with pytest.raises(WarehouseUnreachable, match="starting up"), postgres._connected(engine, server_location.url):
        pass


def test_error_for_an_unreachable_server_names_the_server_and_not_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Trust, T13: the error said that the store is unusable."""
    monkeypatch.setattr(postgres, "PAUSE", 0)
    monkeypatch.setenv("BUYERVIEW_WAREHOUSE", "postgresql+psycopg://u:Canary-77@127.0.0.1:1/db")
    source = Source(tmp_path, warehouse.locate()).write_all()
    with pytest.raises(WarehouseUnreachable, match="the server cannot be used") as caught:
        run(source.mapping(), now=NOW)
    assert "store" not in str(caught.value)
    assert "the run history does not record this run" in caplog.text
    with pytest.raises(WarehouseError, match="the server cannot be used"):
        history.runs(warehouse.locate())
    assert "Canary-77" not in caplog.text + str(caught.value)


@pytest.mark.long
@pytest.mark.postgres
@pytest.mark.both_engines
def test_deadlock_or_serialization_failure_is_recorded_and_the_next_run_completes(
    tmp_path: Path, server_location: Location, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A25: another session blocks the run in a circle, or changes the rows that a serializable run has read."""
    (tmp_path / "data").mkdir()
    source = Source(tmp_path / "data", server_location).write_all()
    assert source.take_in().outcome == "published"
    source.write("orders.csv", ORDERS.replace("O1,C1", "O1,C2"))

    with psycopg.connect(plain(postgres_database)) as other:
        other.execute("set deadlock_timeout = '1min'")  # the session that detects the deadlock fails: the run
        waiting = threading.Thread(target=lambda: other.execute("lock buyerview.orders in access exclusive mode"))

        def block(name: str) -> None:
            if name == "ingest.ledger":
                other.execute("lock buyerview.generations in share mode")  # the run will write there
                waiting.start()

        with monkeypatch.context() as patch:
            patch.setattr("ingest.runs.ledger.failpoint", block)
            with pytest.raises(BuildFailed, match="published data are unchanged"):
                source.take_in(now=NOW + timedelta(minutes=1))
        waiting.join(30)
        other.rollback()
    assert last_run(server_location)[0] == "failed"
    assert "deadlock" in last_run(server_location)[1]

    with psycopg.connect(plain(postgres_database), autocommit=True) as other:
        other.execute("alter role current_user set default_transaction_isolation = 'serializable'")

        def change(name: str) -> None:
            if name == "warehouse.server_lock":
                other.execute("begin isolation level read committed")
                other.execute("update buyerview.orders set customer_id = customer_id")
                other.execute("commit")

        try:
            with monkeypatch.context() as patch:
                patch.setattr("metrics.warehouse.postgres.failpoint", change)
                with pytest.raises(BuildFailed, match="published data are unchanged"):
                    source.take_in(now=NOW + timedelta(minutes=2))
        finally:
            other.execute("alter role current_user reset default_transaction_isolation")
    assert last_run(server_location)[0] == "failed"
    assert "serialize" in last_run(server_location)[1]
    assert source.take_in(now=NOW + timedelta(minutes=3)).outcome == "published"
