"""Open DuckDB files of the warehouse: instances shared by the readers of a process, and connections for writing.

A process keeps the last two generations open and gives each block a cursor. Every DuckDB connection of the warehouse is
opened here.
"""

import contextlib
import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Hashable
from pathlib import Path

import duckdb
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, Pool, QueuePool

from metrics.errors import SettingRefused, names_full_storage
from metrics.warehouse.duckdb_dialect import DuckDBDialect
from metrics.warehouse.duckdb_session import Session
from metrics.warehouse.generation import Views
from metrics.warehouse.statement_cache import compiled_cache

OPEN_AT_MOST = 2
"""Generations that a reading process keeps open: the newest, and the one that slower pages still read."""

VIEWS_KEPT = 32
"""Engines with views that an open generation keeps, each with one idle connection."""
VIEWS_KEY = "views"
"""Key in the `info` of a connection whose views exist."""

THREADS_OF_RUN = "1"
"""Processor threads of a run. With two, DuckDB's Python client spins while the second thread works (docs/speed.md)."""

LOCKED_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
    # DuckDB 2.0 copies every CTE to each place that names it. Orders are judged in ten steps, each a CTE that names the
    # step before several times. Planning 200 orders then took 31 seconds and 1.3 GB for one statement; it is 0.9.
    "disabled_optimizers": "cte_inlining",
}
"""Settings of every DuckDB connection: no extensions, no Python variables as tables, and CTEs that run once."""

DISK_ERRORS = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException)
"""Errors that DuckDB raises for a full or failing disk or memory. The database is not used afterwards."""

STORAGE_ERRORS = (DBAPIError, duckdb.Error, OSError, MemoryError)
"""Errors that may come from a failing disk or memory; `storage_failed` tells."""

DAMAGE = (duckdb.IOException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
"""Errors that DuckDB raises for a damaged block. Some have other causes too."""

WRONG_CHECKSUM = "Corrupt database file"
"""DuckDB 2.0 raises an error without a class of its own for a wrong checksum. Its text begins so."""


NEWER_ENGINE = "was written by a newer version of DuckDB. Install the newer version of Buyerview again"
"""Why a generation does not open after a downgrade."""


class Instance:
    """A generation opened read-only in this process.

    `_open` lists it while it is reusable or in use; then it is closed. A file must not be opened twice, because DuckDB
    would return the same instance, whose configuration is already locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.users = 0
        self.reusable = True
        self.root = connect(path, read_only=True)
        found = self.root.execute("SELECT len(current_setting('allowed_directories'))").fetchone()
        self.reads_lake = found != (0,)
        self.engine = new_engine(self.root, poolclass=NullPool, refuse_files=self.reads_lake)
        self.engines: dict[Hashable, Engine] = {}
        """Engines by their views, least recently used first. Their connections keep the views for the next reader."""

    def engine_of(self, views: Views | None) -> Engine:
        """Return the engine for readers with these views."""
        if views is None:
            return self.engine
        with guard:
            engine = self.engines.pop(views.key, None) or new_engine(
                self.root, poolclass=QueuePool, refuse_files=self.reads_lake, pool_size=1, max_overflow=-1
            )
            self.engines[views.key] = engine
            for oldest in list(self.engines)[:-VIEWS_KEPT]:
                self.engines.pop(oldest).dispose()
            return engine

    def close(self) -> None:
        """Close every connection."""
        for engine in (self.engine, *self.engines.values()):
            engine.dispose()
        self.root.close()


_open: dict[Path, Instance] = {}
"""Every open instance, least recently used first."""
guard = threading.RLock()


def instance_of(path: Path) -> Instance:
    """Return the open instance of a generation. Open it if necessary."""
    with guard:
        instance = _open.pop(path, None) or Instance(path)
        instance.reusable = True
        _open[path] = instance
        for oldest in list(_open)[:-OPEN_AT_MOST]:
            release(oldest)
        return instance


def is_open(path: Path) -> bool:
    """Return whether this process has a generation open."""
    return path in _open


def storage_failed(error: BaseException) -> bool:
    """Return whether one of STORAGE_ERRORS comes from a failing disk or memory, and not from a statement."""
    original = getattr(error, "orig", None) or error
    # DuckDB reports a full disk at a commit as a failed transaction, so the text decides too.
    return isinstance(original, (OSError, MemoryError, *DISK_ERRORS)) or names_full_storage(original)


def reports_damage(error: BaseException | None) -> bool:
    """Return whether an error of DuckDB may come from a damaged block."""
    return isinstance(error, DAMAGE) or (isinstance(error, duckdb.Error) and WRONG_CHECKSUM in str(error))


def needs_newer_engine(error: BaseException) -> bool:
    """Return whether a file does not open because a newer version of DuckDB has written it."""
    return isinstance(error, duckdb.Error) and "newer version of DuckDB" in str(error)


def release(path: Path) -> None:
    """Close an instance now, or when its last user returns it."""
    with guard:
        instance = _open.get(path)
        if instance is None:
            return
        instance.reusable = False
        if instance.users == 0:
            del _open[path]
            instance.close()


def close(folder: Path) -> None:
    """Close the generations of a folder that this process keeps open for its next reader."""
    with guard:
        for path in [file for file in _open if file.parent == folder]:
            release(path)


def threads(default: str | None = THREADS_OF_RUN) -> str | None:
    """Return the number of threads of BUYERVIEW_THREADS, or the default. None: DuckDB uses every processor.

    Raises SettingRefused for any other text.
    """
    chosen = os.environ.get("BUYERVIEW_THREADS") or default
    if chosen is not None and not re.fullmatch(r"[1-9]\d{0,3}", chosen):
        raise SettingRefused("BUYERVIEW_THREADS", f"{chosen!r} is no number of threads. Write for example 2.")
    return chosen


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a file for reading or writing. DuckDB refuses a second configuration of the same file."""
    config = {**LOCKED_SETTINGS, "memory_limit": _memory_limit(read_only=read_only)}
    if chosen := threads(default=None if read_only else THREADS_OF_RUN):
        config["threads"] = chosen
    if read_only:
        # DuckDB's default is a folder next to the file, which two readers of the file would share. DuckDB creates the
        # folder but not its parents.
        name = hashlib.sha256(str(path).encode()).hexdigest()[:12]
        config["temp_directory"] = str(Path(tempfile.gettempdir()) / f"buyerview-{os.getpid()}-{name}")
    root = duckdb.connect(str(path), read_only=read_only, config=dict(config))
    try:
        root.execute("SET GLOBAL TimeZone = 'UTC'")
        if read_only:
            _close_files(root)
    except BaseException:
        root.close()
        raise
    return root


def _close_files(root: duckdb.DuckDBPyConnection) -> None:
    """Forbid access to files. A generation whose facts are in a lake can access the lake's folder, and no other.

    DuckDB allows to read and to write there. `duckdb_session.py` refuses the statements that write files.
    """
    if root.execute("SELECT 1 FROM duckdb_tables() WHERE NOT internal AND table_name = 'lake'").fetchall():
        folders = root.execute("SELECT list(folder) FROM lake").fetchone()
        root.execute("SET allowed_directories = ?", list(folders or ()))
    root.execute("SET enable_external_access = false")
    root.execute("SET lock_configuration = true")


def _memory_limit(*, read_only: bool) -> str:
    """Return BUYERVIEW_READ_MEMORY or BUYERVIEW_WRITE_MEMORY.

    Defaults: 1 GB for reading, at most a fifth of the memory; 2 GB for writing, at most two fifths.
    """
    name = "BUYERVIEW_READ_MEMORY" if read_only else "BUYERVIEW_WRITE_MEMORY"
    setting = os.environ.get(name)
    if setting:
        if not re.fullmatch(r"\d+(\.\d+)?\s*[KMGT]i?B", setting.strip(), re.IGNORECASE):
            raise SettingRefused(name, f"{setting!r} is no amount of memory. Write for example 2GB.")
        return setting.strip()
    host = host_memory()
    return f"{min(1_000, host // 5_000_000) if read_only else min(2_000, host // 2_500_000)}MB"


def host_memory() -> int:
    """Return the bytes of memory of the machine, or the limit of the container if that is lower."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # absent, or "max"
            limits.append(int(Path(file).read_text(encoding="ascii")))
    return min(limits)


def mapped_memory() -> int:
    """Return the bytes that this process has mapped."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def create_views(connection: Connection, views: Views) -> None:
    """Create the views unless an earlier reader of the connection did."""
    if not connection.info.get(VIEWS_KEY):
        views.create(connection)
        connection.commit()  # a rollback after an error must not remove them
        connection.info[VIEWS_KEY] = True


def new_engine(
    root: duckdb.DuckDBPyConnection, *, poolclass: type[Pool], refuse_files: bool = False, **pool: int
) -> Engine:
    """Return an engine whose connections are cursors of one open instance.

    refuse_files: refuse statements that write files (`duckdb_session.py`). pool: options of the pool.
    """

    def session() -> Session:
        with guard:  # threads of a page server share the instance; DuckDB requires a cursor per thread
            return Session(root.cursor(), refuse_files=refuse_files)

    options = {"compiled_cache": compiled_cache(DuckDBDialect.name)}
    return create_engine(
        f"{DuckDBDialect.name}://", creator=session, poolclass=poolclass, execution_options=options, **pool
    )


def quoted(name: str) -> str:
    """Return a name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
