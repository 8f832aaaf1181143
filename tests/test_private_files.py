"""Everything under BUYERVIEW_HOME is private: files 0600, folders 0700, whatever the umask of the shell is."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import buyerview
from metrics.store.connection import open_store
from metrics.warehouse import Location
from tests.dashboard.notifications.test_delivery import free_port

ROOT = Path(__file__).parents[1]
SMALL = ROOT / "sample_data" / "small" / "mapping.toml"


@pytest.fixture(autouse=True)
def _open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def open_paths(home: Path) -> list[str]:
    """Return the paths that others can read, write or enter, with their modes."""
    paths = [home, *home.rglob("*")]
    return [f"{path} {path.stat().st_mode & 0o777:o}" for path in paths if path.stat().st_mode & 0o077]


@pytest.mark.long
def test_every_command_writes_private_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = [
        ["ingest", str(SMALL)],
        ["export", "--measures", "otif", "--format", "csv", "--out", str(home / "numbers.csv")],
        ["export", "--measures", "otif", "--format", "xlsx", "--out", str(home / "numbers.xlsx")],
        ["export", "--table", "order_facts", "--format", "parquet", "--out", str(home / "orders.parquet")],
        ["digest", "--out", str(home / "week.eml"), "--pdf"],
        ["report", "--out", str(home / "report.pdf")],
        ["sample", "--orders", "20", "--out", str(home / "sample")],
        ["alerts"],
        ["ingest", str(SMALL)],
    ]
    for words in commands:
        os.umask(0)
        monkeypatch.setattr(sys, "argv", ["buyerview", *words])
        with pytest.raises(SystemExit) as ended:
            buyerview.main()
        assert not ended.value.code, words
        assert open_paths(home) == [], words
    assert (home / "store.sqlite").exists()
    assert len(list(home.rglob("*"))) > len(commands)


def test_an_open_home_of_an_earlier_version_is_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "folder").mkdir(parents=True)
    (home / "gen-00000001.duckdb").write_bytes(b"")
    (home / "folder" / "file").write_bytes(b"")
    assert len(open_paths(home)) == 4
    os.umask(0o077)
    with open_store(Location(folder=home)):
        pass
    assert open_paths(home) == []


@pytest.mark.long
def test_the_dashboard_writes_private_files(home: Path) -> None:
    os.umask(0o077)
    with open_store(Location(folder=home)):
        pass
    os.umask(0)
    port = free_port()
    words = [sys.executable, "-m", "buyerview", "serve", "--no-browser", "--port", str(port)]
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE) as server:
        try:
            until = time.monotonic() + 60
            while time.monotonic() < until:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
                        assert answer.status == 200
                        break
                except (urllib.error.URLError, ConnectionError):
                    time.sleep(0.2)
            else:
                pytest.fail("the dashboard did not start within a minute")
        finally:
            server.terminate()
    assert open_paths(home) == []
