"""The scratch database of a run: a DuckDB file for staging, deleted after the run. It has no canonical tables."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from metrics.warehouse.instances import THREADS_OF_RUN, threads

Connection = duckdb.DuckDBPyConnection

MEMORY = "1200MB"
"""Memory limit of DuckDB while staging. More data spills to the scratch folder (docs/speed.md, S1)."""

CASTS_STAY = {} if duckdb.__version__.startswith("1.") else {"disabled_optimizers": "type_pushdown"}
"""Setting that keeps casts out of the CSV reader. DuckDB 2.0 moves a cast there if the column has no other use. A value
that does not fit then drops its row, though TRY_CAST should make it null.
"""


@dataclass(frozen=True)
class Scratch:
    """The staging folder of a run."""

    folder: Path

    @property
    def file(self) -> Path:
        """Path of the staging database."""
        return self.folder / "staging.duckdb"

    @property
    def config(self) -> dict[str, str | bool | int | float | list[str]]:
        """Options of every connection to the staging database. DuckDB requires them to be equal within a process."""
        return {
            "memory_limit": MEMORY,
            "threads": threads() or THREADS_OF_RUN,
            "temp_directory": str(self.folder / "spill"),
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "allow_community_extensions": "false",
            **CASTS_STAY,
        }

    def connect(self) -> Connection:
        """Open a connection to the staging database. The caller closes it."""
        connection = duckdb.connect(str(self.file), config=self.config)
        connection.execute("SET GLOBAL TimeZone = 'UTC'")
        return connection


@contextmanager
def scratch(parent: Path | None = None) -> Iterator[Scratch]:
    """Create a scratch folder inside `parent` (default: the system's temporary folder), and always remove it.

    If `parent` is a warehouse, the caller holds its writer's lock. Existing scratch folders belong to killed runs and
    are deleted.
    """
    if parent is not None:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for dead in parent.glob("scratch-*"):
            shutil.rmtree(dead, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=parent))
    try:
        yield Scratch(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sql_literal(value: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def quoted(value: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + value.replace('"', '""') + '"'
