"""A temporary PostgreSQL cluster from the installed programs, without durability. It is deleted after the tests."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from tests.support.programs import require

HOW = "apt-get install postgresql-15 (or any later version)"


@contextmanager
def cluster() -> Iterator[str]:
    """Run a cluster and yield the URL of its database `postgres`.

    Without PostgreSQL's programs, the test is skipped. In CI it fails.
    """
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="buyerview-postgres-"))
    identity = _identity(folder)
    port = _free_port()
    try:
        subprocess.run(
            [
                programs / "initdb", "-D", folder / "data", "-U", "buyerview", "-A", "trust", "-E", "UTF8",
                "--locale=C", "--no-sync",
            ],
            cwd=folder, check=True, capture_output=True, timeout=120, **identity,
        )  # fmt: skip
        settings = {
            "port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off",
            "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": 40,
            "autovacuum": "off", "timezone": "Asia/Kolkata",
        }  # fmt: skip
        # An unusual zone, because results must not depend on the zone of the server.
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [programs / "postgres", "-D", folder / "data", *options],
                cwd=folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **identity,
            )
        try:
            url = f"postgresql+psycopg://buyerview@127.0.0.1:{port}/postgres"
            _wait_until_ready(server, url, folder / "log")
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # "fast" shutdown closes the connections
            server.wait(timeout=30)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def database(cluster_url: str, name: str, *, template: str = "template1") -> Iterator[str]:
    """Create a database, empty or a copy of `template`, and yield its URL. Drop it afterwards, with its connections."""
    with psycopg.connect(plain(cluster_url), autocommit=True) as connection:
        connection.execute(f'create database "{name}" template "{template}"')
        try:
            yield f"{cluster_url.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f'drop database "{name}" with (force)')


def plain(url: str) -> str:
    """Return the URL for PostgreSQL's own programs and psycopg."""
    return url.replace("postgresql+psycopg://", "postgresql://")


def _programs() -> Path:
    """Return the folder of the newest server. Debian does not add it to the PATH."""
    newest = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return require(newest[-1] if newest else "postgres", HOW).parent


def _identity(folder: Path) -> dict[str, Any]:
    """Return options that start a program as an ordinary user if the current user is root.

    The server refuses root. The folder is given to that user.
    """
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    user = names.get("postgres") or names["nobody"]
    os.chown(folder, user.pw_uid, user.pw_gid)
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(plain(url), connect_timeout=5).close()
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}") from None
            time.sleep(0.1)
