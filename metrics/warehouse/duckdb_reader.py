"""Read a warehouse of DuckDB files: immutable files `gen-00000042.duckdb` and the pointer `CURRENT`.

A reader reads `CURRENT` once and opens that file read-only, without access to other files. A process keeps the last two
files open and gives each block a cursor. Published files never change. Every DuckDB connection of the warehouse is
opened here. Writing is in `duckdb_writer.py`.
"""

import contextlib
import hashlib
import logging
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from duckdb_sqlalchemy import ConnectionWrapper
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, Pool

from metrics.errors import GenerationDamaged, GenerationGone, NothingPublished, WarehouseBusy
from metrics.warehouse.generation import Generation
from metrics.warehouse.pointer import Published, as_generation, read_pointer, sha256, wal
from metrics.warehouse.query_cache import CACHE_KEY
from metrics.warehouse.statement_cache import compiled_cache

log = logging.getLogger(__name__)

OPEN_AT_MOST = 2
"""Generations that a reading process keeps open: the newest, and the one that slower pages still read."""

ATTEMPTS = 3
"""Number of times a reader reads CURRENT if the file it names is deleted at that moment."""

LOCKED_SETTINGS = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
"""Options of every DuckDB connection: no extensions, and no Python variables as tables."""

_DAMAGE = (duckdb.IOException, duckdb.SerializationException, duckdb.InternalException, duckdb.FatalException)
"""Errors that DuckDB raises for a damaged block. Some have other causes too."""


class _Instance:
    """A generation opened read-only in this process.

    `_open` lists it while it is reusable or in use; then it is closed. A file must not be opened twice, because DuckDB
    would return the same instance, whose configuration is already locked.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.users = 0
        self.reusable = True
        self.root = connect(path, read_only=True)
        self.engine = new_engine(self.root, poolclass=NullPool)


_open: dict[Path, _Instance] = {}
"""Every open instance, least recently used first."""
_damaged: dict[Path, str] = {}
"""Generations this process found damaged, and why."""
_guard = threading.RLock()


def current(folder: Path) -> Generation | None:
    """Return the newest published generation that opens; None if nothing is published.

    Raises GenerationDamaged if none opens.
    """
    for _ in range(ATTEMPTS):
        published = read_pointer(folder)
        if not published:
            return None
        problems: list[str] = []
        for position, entry in enumerate(published):
            problem = _problem(folder, entry)
            if problem is None:
                fallback = f"generation {published[0].number} cannot be read: {problems[0]}" if problems else None
                return as_generation(folder, published, position, fallback=fallback)
            problems.append(f"{entry.file} {problem}")
        if read_pointer(folder) == published:
            raise GenerationDamaged(str(folder), folder / published[0].file, problems[0].partition(" ")[2])
    raise WarehouseBusy(str(folder))


@contextmanager
def reading(folder: Path, number: int | None = None) -> Iterator[Connection]:
    """Open a read-only connection to one generation; see `warehouse.reading`."""
    generation, instance = _acquire(folder, number)
    try:
        with instance.engine.connect() as connection:
            connection.info["generation"] = generation.number
            connection.info["fallback"] = generation.fallback
            connection.info[CACHE_KEY] = {}
            yield connection
    except DBAPIError as error:
        if isinstance(error.orig, _DAMAGE) and _is_altered(folder, generation):
            raise _mark_damaged(folder, instance.path, "has changed since it was published") from error
        raise
    finally:
        _put_back(instance)


@contextmanager
def preview(folder: Path, number: int | None = None) -> Iterator[Connection]:
    """Open a connection that allows temporary tables. It has no query cache, because they change the results."""
    with reading(folder, number) as connection:
        del connection.info[CACHE_KEY]
        yield connection


def close(folder: Path) -> None:
    """Close the generations of a folder that this process keeps open for its next reader."""
    with _guard:
        for path in [file for file in _open if file.parent == folder]:
            _release(path)


def _acquire(folder: Path, number: int | None) -> tuple[Generation, _Instance]:
    """Return the requested generation and its open instance, and count one more user."""
    for _ in range(ATTEMPTS):
        generation = _published(folder, number) if number is not None else current(folder)
        if generation is None:
            raise NothingPublished(str(folder))
        assert generation.file is not None
        with _guard:
            try:
                instance = _instance(generation.file)
            except _DAMAGE as error:
                if generation.file.exists():
                    raise _mark_damaged(folder, generation.file, "does not open") from error
                continue
            instance.users += 1
            return generation, instance
    raise GenerationGone(str(folder), number or 0, [entry.number for entry in read_pointer(folder)])


def _put_back(instance: _Instance) -> None:
    with _guard:
        instance.users -= 1
        if not instance.reusable:
            _release(instance.path)


def _published(folder: Path, number: int) -> Generation:
    """Return the published generation with that number. Raises GenerationGone, GenerationDamaged."""
    published = read_pointer(folder)
    for position, entry in enumerate(published):
        if entry.number == number:
            problem = _problem(folder, entry)
            if problem is None:
                return as_generation(folder, published, position, fallback=None)
            published = read_pointer(folder)
            if entry in published:
                raise GenerationDamaged(str(folder), folder / entry.file, problem)
            break  # deleted at this moment
    if not published:
        raise NothingPublished(str(folder))
    raise GenerationGone(str(folder), number, [entry.number for entry in published])


def _problem(folder: Path, entry: Published) -> str | None:
    """Return why a published file cannot be read; None if it opens."""
    path = folder / entry.file
    with _guard:
        if path in _damaged:
            return _damaged[path]
        if wal(path).exists():
            # DuckDB would replay it silently, even into a file it does not belong to.
            return "has a .wal file next to it, but published generations have none"
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return "is missing"
        if size != entry.size:
            return f"has {size:,} bytes instead of {entry.size:,}"
        try:
            _instance(path)
        except _DAMAGE as error:
            if not path.exists():
                return "is missing"
            log.warning("%s does not open: %s", path, error)
            _damaged[path] = "does not open"
            return _damaged[path]
    return None


def _instance(path: Path) -> _Instance:
    """Return the open instance of a generation. Open it if necessary."""
    with _guard:
        instance = _open.pop(path, None) or _Instance(path)
        instance.reusable = True
        _open[path] = instance
        for oldest in list(_open)[:-OPEN_AT_MOST]:
            _release(oldest)
        return instance


def _release(path: Path) -> None:
    """Close an instance now, or when its last user returns it."""
    with _guard:
        instance = _open.get(path)
        if instance is None:
            return
        instance.reusable = False
        if instance.users == 0:
            del _open[path]
            instance.engine.dispose()
            instance.root.close()


def _mark_damaged(folder: Path, path: Path, why: str) -> GenerationDamaged:
    """Mark a generation as damaged, so that the next reader of this process gets the one before."""
    with _guard:
        _damaged[path] = why
        _release(path)
    log.error("%s %s", path, why)
    return GenerationDamaged(str(folder), path, why)


def _is_altered(folder: Path, generation: Generation) -> bool:
    """Return whether a generation's bytes have changed since it was published.

    Hashing a file releases this process's DuckDB lock on it (POSIX). That is harmless, because published files
    never change.
    """
    for entry in read_pointer(folder):
        if entry.number == generation.number:
            return sha256(folder / entry.file) != entry.sha256
    return False


def connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a file for reading or writing. DuckDB refuses a second configuration of the same file."""
    config = {**LOCKED_SETTINGS, "memory_limit": _memory_limit(read_only=read_only)}
    if threads := os.environ.get("BUYERVIEW_THREADS"):
        config["threads"] = threads
    if read_only:
        config["enable_external_access"] = "false"
        # DuckDB's default is a folder next to the file, which two readers of the file would share. DuckDB creates the
        # folder but not its parents.
        name = hashlib.sha256(str(path).encode()).hexdigest()[:12]
        config["temp_directory"] = str(Path(tempfile.gettempdir()) / f"buyerview-{os.getpid()}-{name}")
    root = duckdb.connect(str(path), read_only=read_only, config=dict(config))
    try:
        root.execute("SET GLOBAL TimeZone = 'UTC'")
        if read_only:
            root.execute("SET lock_configuration = true")
    except BaseException:
        root.close()
        raise
    return root


def _memory_limit(*, read_only: bool) -> str:
    """Return BUYERVIEW_READ_MEMORY or BUYERVIEW_WRITE_MEMORY.

    Defaults: 1 GB for reading, at most a fifth of the memory; 2 GB for writing, at most two fifths.
    """
    setting = os.environ.get("BUYERVIEW_READ_MEMORY" if read_only else "BUYERVIEW_WRITE_MEMORY")
    if setting:
        return setting
    host = _host_memory()
    return f"{min(1_000, host // 5_000_000) if read_only else min(2_000, host // 2_500_000)}MB"


def _host_memory() -> int:
    """Return the bytes of memory of the machine, or the limit of the container if that is lower."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for file in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # absent, or "max"
            limits.append(int(Path(file).read_text(encoding="ascii")))
    return min(limits)


def new_engine(root: duckdb.DuckDBPyConnection, *, poolclass: type[Pool]) -> Engine:
    """Return an engine whose connections are cursors of one open instance."""

    def cursor() -> ConnectionWrapper:
        with _guard:  # threads of a page server share the instance; DuckDB requires a cursor per thread
            return ConnectionWrapper(root.cursor())

    options = {"compiled_cache": compiled_cache("duckdb")}
    engine = create_engine("duckdb://", creator=cursor, poolclass=poolclass, execution_options=options)
    # With CTEs before INSERT, the dialect scans every statement character by character to find its kind.
    engine.dialect.cte_follows_insert = True
    return engine
