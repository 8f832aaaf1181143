"""The scratch database of one run: a DuckDB file of its own for staging, deleted afterwards. No canonical table lives
here.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

Connection = duckdb.DuckDBPyConnection

MEMORY = "1200MB"
"""What the engine may hold while staging; more spills to the scratch folder (budget S1: 2 GB for the whole process)."""


@dataclass(frozen=True)
class Scratch:
    """A folder for one run's staging."""

    folder: Path

    @property
    def file(self) -> Path:
        """The staging database."""
        return self.folder / "staging.duckdb"

    @property
    def config(self) -> dict[str, Any]:
        """Options every connection to the staging database must share (one process, one file, one configuration)."""
        return {
            "memory_limit": MEMORY,
            "temp_directory": str(self.folder / "spill"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
        }

    def connect(self) -> Connection:
        """A connection to the staging database; the caller closes it."""
        connection = duckdb.connect(str(self.file), config=self.config)
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        return connection


@contextmanager
def scratch(parent: Path | None = None) -> Iterator[Scratch]:
    """A scratch folder inside `parent` (default: the system's), removed whatever happens.

    `parent` is a warehouse whose writer's lock the caller holds: scratch folders that are there already belonged to
    runs that were killed.
    """
    if parent is not None:
        parent.mkdir(parents=True, exist_ok=True)
        for dead in parent.glob("scratch-*"):
            shutil.rmtree(dead, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=parent))
    try:
        yield Scratch(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sql_literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def quoted(value: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + value.replace('"', '""') + '"'
