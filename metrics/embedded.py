"""The embedded warehouse: a folder of immutable DuckDB files `gen-00000042.duckdb`, the pointer `CURRENT` and the file `lock`.

Published files are never written to again. `CURRENT` says which generations are published, newest first, each with its size and SHA-256;
replacing it is the commit of a run. Only this module opens these files; only it knows the DuckDB driver.

Writer: lock, delete dead builds unread, copy the newest generation to `build-...`, change the copy, checkpoint, close, hash, fsync, rename
to a number never used before, replace `CURRENT`, delete what is no longer kept. Killed anywhere before the replace, `CURRENT` is as it was.
Reader: take `CURRENT` once, open that file read-only and sandboxed. Source: faults, section 2 and 3.1.
"""

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from duckdb_sqlalchemy import ConnectionWrapper
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool, Pool, QueuePool

from metrics.errors import (
    BuildFailed,
    GenerationDamaged,
    GenerationGone,
    NoSpace,
    NothingPublished,
    SettingRefused,
    WarehouseBusy,
    WarehouseError,
)
from metrics.failpoint import failpoint
from metrics.generation import Build, Generation

log = logging.getLogger(__name__)

STORAGE_VERSION = "v1.5.0"
"""The first file is created with it and copies inherit it: a file of this version refuses a WAL of its own kind that is not its own."""
KEPT = 3
"""Generations kept at least: the newest, and those a slow reader or a link with ?v= may still name."""
OPEN_AT_MOST = 2
"""Generations one reading process keeps open: the newest, and the one its slower pages still read."""
ATTEMPTS = 3
"""How often a reader takes CURRENT again when the file it named was collected in between."""
COMPACT_FROM_BYTES = 1_000_000
"""Smaller files are not worth compacting."""
SPARE_BYTES = 64_000_000
"""Free space asked for beyond twice the newest generation."""

NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "fuse")
"""Where locks cannot be trusted (`fuse` and every `fuse.*`): nothing is written there."""

SEALED = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "python_enable_replacements": "false",
}
"""Options of every DuckDB connection of ours: no code from elsewhere, and no variable of the calling Python as a table."""

_OPEN_ERRORS = (
    duckdb.IOException,
    duckdb.SerializationException,
    duckdb.InternalException,
    duckdb.FatalException,
    duckdb.InvalidInputException,
)


_DISK_ERRORS = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException)
"""What DuckDB raises for a full or failing disk or memory; the build is not used again after it."""


@dataclass(frozen=True)
class _Published:
    """One entry of CURRENT."""

    number: int
    file: str
    size: int
    sha256: str
    published_at: str


# --- reading ----------------------------------------------------------------------------------------------------------------------------


class _Instance:
    """One generation opened read-only in this process; closed when it is neither kept nor in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.users = 0
        self.kept = True
        self.root = _connect(path, read_only=True)
        self.engine = _engine(self.root, poolclass=NullPool)

    def close_if_idle(self) -> None:
        if not self.kept and self.users == 0:
            self.engine.dispose()
            self.root.close()


_open: dict[Path, _Instance] = {}
"""The cache, least recently used first."""
_damaged: dict[Path, str] = {}
"""Generations this process found damaged, and why."""
_guard = threading.RLock()


def current(folder: Path) -> Generation | None:
    """The newest published generation that opens; None: nothing published. Raises GenerationDamaged if none opens."""
    for _ in range(ATTEMPTS):
        published = _read_pointer(folder)
        if not published:
            return None
        problems: list[str] = []
        for position, entry in enumerate(published):
            problem = _problem(folder, entry)
            if problem is None:
                fallback = f"generation {published[0].number} cannot be read: {problems[0]}" if problems else None
                return _generation(folder, published, position, fallback=fallback)
            problems.append(f"{entry.file} {problem}")
        if _read_pointer(folder) == published:
            raise GenerationDamaged(str(folder), folder / published[0].file, problems[0].partition(" ")[2])
    raise WarehouseBusy(str(folder))


@contextmanager
def reading(folder: Path, number: int | None = None) -> Iterator[Connection]:
    """A read-only connection to one generation; see warehouse.reading."""
    generation, instance = _take(folder, number)
    try:
        with instance.engine.connect() as connection:
            connection.info["generation"] = generation.number
            connection.info["fallback"] = generation.fallback
            yield connection
    except DBAPIError as error:
        if isinstance(error.orig, _OPEN_ERRORS) and _is_altered(folder, generation):
            raise _condemn(folder, instance.path, "has changed since it was published") from error
        raise
    finally:
        _give_back(instance)


def close(folder: Path) -> None:
    """Close the generations of a folder that this process keeps open for its next reader."""
    with _guard:
        for path in [one for one in _open if one.parent == folder]:
            _release(path)


def _take(folder: Path, number: int | None) -> tuple[Generation, _Instance]:
    """The generation wanted, and its open instance with one more user."""
    for _ in range(ATTEMPTS):
        generation = _kept(folder, number) if number is not None else current(folder)
        if generation is None:
            raise NothingPublished(str(folder))
        assert generation.file is not None
        with _guard:
            try:
                instance = _instance(generation.file)
            except _OPEN_ERRORS as error:
                if generation.file.exists():
                    raise _condemn(folder, generation.file, "does not open") from error
                continue
            instance.users += 1
            return generation, instance
    raise GenerationGone(str(folder), number or 0, [entry.number for entry in _read_pointer(folder)])


def _give_back(instance: _Instance) -> None:
    with _guard:
        instance.users -= 1
        instance.close_if_idle()


def _kept(folder: Path, number: int) -> Generation:
    """The published generation of that number. Raises GenerationGone, GenerationDamaged."""
    published = _read_pointer(folder)
    for position, entry in enumerate(published):
        if entry.number == number:
            problem = _problem(folder, entry)
            if problem is not None:
                raise GenerationDamaged(str(folder), folder / entry.file, problem)
            return _generation(folder, published, position, fallback=None)
    if not published:
        raise NothingPublished(str(folder))
    raise GenerationGone(str(folder), number, [entry.number for entry in published])


def _problem(folder: Path, entry: _Published) -> str | None:
    """What keeps a published file from being read, in words; None: it opens."""
    path = folder / entry.file
    with _guard:
        if path in _damaged:
            return _damaged[path]
        if _wal(path).exists():
            # DuckDB would replay it without a word, even into a file it does not belong to.
            return "has a .wal file beside it, which a published generation never has"
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            return "is missing"
        if size != entry.size:
            return f"has {size:,} bytes instead of {entry.size:,}"
        try:
            _instance(path)
        except _OPEN_ERRORS as error:
            if not path.exists():
                return "is missing"
            log.warning("%s does not open: %s", path, error)
            _damaged[path] = "does not open"
            return _damaged[path]
    return None


def _instance(path: Path) -> _Instance:
    """The open instance of a generation, opened now if it is not."""
    with _guard:
        instance = _open.pop(path, None) or _Instance(path)
        _open[path] = instance
        for oldest in list(_open)[:-OPEN_AT_MOST]:
            _release(oldest)
        return instance


def _release(path: Path) -> None:
    with _guard:
        instance = _open.pop(path, None)
        if instance is not None:
            instance.kept = False
            instance.close_if_idle()


def _condemn(folder: Path, path: Path, why: str) -> GenerationDamaged:
    """Remember that a generation is damaged, so that the next reader of this process is served the one before."""
    with _guard:
        _damaged[path] = why
        _release(path)
    log.error("%s %s", path, why)
    return GenerationDamaged(str(folder), path, why)


def _is_altered(folder: Path, generation: Generation) -> bool:
    """Whether a generation's bytes are not those published.

    Hashing a file drops this process's DuckDB lock on it (POSIX), which matters to nobody: no one ever writes to a published file.
    """
    for entry in _read_pointer(folder):
        if entry.number == generation.number:
            return _sha256(folder / entry.file) != entry.sha256
    return False


# --- writing ----------------------------------------------------------------------------------------------------------------------------


@contextmanager
def writing(folder: Path) -> Iterator[Build]:
    """The next generation, to be changed and published; see warehouse.writing."""
    with _disk_faults(folder):
        folder.mkdir(parents=True, exist_ok=True)
    _refuse_network_folder(folder)
    with _locked(folder):
        failpoint("warehouse.lock")
        close(folder)  # a process that writes holds no handle on a published generation
        with _disk_faults(folder):
            number, orphans = _clean(folder)
            failpoint("warehouse.clean")
            path = folder / f"build-{number:08d}.duckdb"
            base = _copy_newest(folder, path)
            failpoint("warehouse.copy")
        root = _connect(path, read_only=False)
        engine = _engine(root, poolclass=QueuePool)
        connection = engine.connect()
        published: list[Generation] = []

        def publish() -> Generation:
            if published:
                raise RuntimeError("publish() was called twice on one build")
            connection.commit()
            connection.close()
            _checkpoint(folder, engine, root, path)
            published.append(_publish(folder, path, number, base))
            _collect(folder, orphans)
            return published[0]

        try:
            yield Build(number, "duckdb", connection, engine, base, connection.commit, publish)
        except DBAPIError as error:
            if isinstance(error.orig, _DISK_ERRORS):
                raise BuildFailed(str(folder), str(error.orig).partition("\n")[0]) from error
            raise
        finally:
            if not published:
                _drop(connection, engine, root, path)


def _checkpoint(folder: Path, engine: Engine, root: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write everything into the build's one file and close every handle on it."""
    if engine.pool.checkedout():  # type: ignore[attr-defined]  # QueuePool has it, its base class does not
        raise BuildFailed(str(folder), "another connection to the build is still open")
    try:
        root.execute("CHECKPOINT")
        failpoint("warehouse.checkpoint")
        _compact(root, path)
        engine.dispose()
        root.close()
    except duckdb.Error as error:
        raise BuildFailed(str(folder), str(error).partition("\n")[0]) from error
    if _wal(path).exists():
        raise BuildFailed(str(folder), "the checkpoint left a .wal file")


def _compact(root: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Copy the build into a fresh file, put in its place when closed, if more of it is free than used: DuckDB never gives space back."""
    used, free = root.execute("SELECT used_blocks, free_blocks FROM pragma_database_size() LIMIT 1").fetchone() or (0, 0)
    if free <= used or path.stat().st_size < COMPACT_FROM_BYTES:
        return
    name = root.execute("SELECT current_database()").fetchone()
    assert name is not None
    fresh = _compacted(path)
    root.execute(f"ATTACH '{_quoted(fresh)}' AS compacted (STORAGE_VERSION '{STORAGE_VERSION}')")
    root.execute(f'COPY FROM DATABASE "{name[0]}" TO compacted')
    root.execute("CHECKPOINT compacted")
    root.execute("DETACH compacted")
    failpoint("warehouse.compact")


def _publish(folder: Path, build: Path, number: int, base: Generation | None) -> Generation:
    """Give the finished build its name and make CURRENT name it. The replace of CURRENT is the commit of the run."""
    try:
        if _compacted(build).exists():
            build.unlink()
            build = _compacted(build)
        _sync(build)
        published_at = datetime.now(UTC).isoformat()
        entry = _Published(number, f"gen-{number:08d}.duckdb", build.stat().st_size, _sha256(build), published_at)
        failpoint("warehouse.hash")
        os.rename(build, folder / entry.file)
        _sync(folder)
        failpoint("warehouse.rename")
        older = [one for one in _read_pointer(folder) if base is not None and one.number <= base.number]
        _replace_pointer(folder, [entry, *older][:KEPT])
    except OSError as error:
        # What was published is what CURRENT says, not what the exception says.
        if not any(one.number == number for one in _read_pointer(folder)):
            raise BuildFailed(str(folder), str(error)) from error
        log.warning("generation %d is published, but the disk reported: %s", number, error)
    return _generation(folder, _read_pointer(folder), 0, fallback=None)


def _replace_pointer(folder: Path, published: list[_Published]) -> None:
    head, *older = published
    text = json.dumps({**asdict(head), "previous": older[0].file if older else None, "older": [asdict(one) for one in older]}, indent=1)
    pointer = folder / "CURRENT"
    temporary = folder / "CURRENT.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    failpoint("warehouse.pointer_tmp")
    os.replace(temporary, pointer)
    failpoint("warehouse.replace")
    _sync(folder)


def _collect(folder: Path, orphans: list[Path]) -> None:
    """Delete generations no longer kept, and files a dead writer renamed but never published."""
    kept = {one.file for one in _read_pointer(folder)}
    for path in sorted({*orphans, *folder.glob("gen-*.duckdb")}):
        if path.name not in kept:
            # A reader that holds it open reads on. What cannot be deleted now is deleted by a later run.
            with contextlib.suppress(OSError):
                _wal(path).unlink(missing_ok=True)
                path.unlink(missing_ok=True)
            failpoint("warehouse.collect")


def _drop(connection: Connection, engine: Engine, root: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Close and delete a build that was not published. A dead instance cannot roll back or close cleanly: that is no news."""
    for close in (connection.close, engine.dispose, root.close):
        with contextlib.suppress(DBAPIError, duckdb.Error):
            close()
    _delete(path)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the writer's lock. The kernel frees it when we die. Raises WarehouseBusy at once if another holds it."""
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WarehouseBusy(str(folder)) from None
        yield


@contextmanager
def _disk_faults(folder: Path) -> Iterator[None]:
    """Tell a fault of the disk as a run that was not published."""
    try:
        yield
    except OSError as error:
        raise BuildFailed(str(folder), str(error)) from error


def _clean(folder: Path) -> tuple[int, list[Path]]:
    """Delete dead builds unread. Returns the next number, above every file of the folder, and the files never published."""
    for path in folder.glob("build-*"):
        _delete(path)
        failpoint("warehouse.delete_build")
    (folder / "CURRENT.tmp").unlink(missing_ok=True)
    newest = max((one.number for one in _read_pointer(folder)), default=0)
    numbers = {path: int(path.stem[4:]) for path in folder.glob("gen-*.duckdb") if re.fullmatch(r"gen-\d+", path.stem)}
    orphans = [path for path, number in numbers.items() if number > newest]
    return max([newest, *numbers.values()]) + 1, orphans


def _copy_newest(folder: Path, build: Path) -> Generation | None:
    """Copy the newest generation that is as it was published, and say which; create an empty file if nothing is published yet.

    A damaged one is passed over: what its run brought is then unknown to the ledger and is loaded again when it comes again. A stray `.wal`
    beside it is no reason to, for the copy has another name.
    """
    published = _read_pointer(folder)
    problems = []
    for position, entry in enumerate(published):
        path = folder / entry.file
        _need_space(folder, entry.size)
        try:
            shutil.copyfile(path, build)
        except FileNotFoundError:
            problems.append(f"{entry.file} is missing")
            continue
        if _sha256(build) == entry.sha256:
            return _generation(folder, published, position, fallback=problems[0] if problems else None)
        problems.append(f"{entry.file} has changed since it was published")
        log.error("%s: this run starts from the generation before it", problems[-1])
    if problems:
        raise GenerationDamaged(str(folder), folder / published[0].file, "is not what was published, nor is any older generation")
    _need_space(folder, 0)
    with duckdb.connect(":memory:", config=dict(SEALED)) as memory:
        memory.execute(f"ATTACH '{_quoted(build)}' AS build (STORAGE_VERSION '{STORAGE_VERSION}')")
        memory.execute("DETACH build")
    return None


def _need_space(folder: Path, size: int) -> None:
    needed = 2 * size + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NoSpace(str(folder), needed, free)


def _refuse_network_folder(folder: Path) -> None:
    kind = file_system(folder.resolve(), _mounts())
    if kind is not None and (kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse.")):
        raise SettingRefused(
            "BUYERVIEW_HOME",
            f"{folder} is on a network file system ({kind}), where locks cannot be trusted. Name a folder on a local disk.",
        )


def file_system(folder: Path, mounts: str) -> str | None:
    """The type of the file system a folder is on, by the kernel's mount table (/proc/self/mountinfo); None: the table does not say."""
    depth, kind = -1, None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), left.split()[4]))
        if folder.is_relative_to(point) and len(point.parts) >= depth:  # of two on one point the later one hides the earlier
            depth, kind = len(point.parts), right.split()[0]
    return kind


def _mounts() -> str:
    """The kernel's mount table; empty where there is none (macOS), where network folders are not recognised."""
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


# --- both -------------------------------------------------------------------------------------------------------------------------------


def _connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    """Open a file with the one configuration this process uses for its kind: a second one would be refused by DuckDB."""
    config = {**SEALED, "memory_limit": _memory_limit(read_only=read_only)}
    if threads := os.environ.get("BUYERVIEW_THREADS"):
        config["threads"] = threads
    if read_only:
        config["enable_external_access"] = "false"
        # DuckDB's default is a folder beside the file, which two readers of one file would share.
        config["temp_directory"] = str(Path(tempfile.gettempdir()) / f"buyerview-{os.getpid()}" / path.stem)
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
    """BUYERVIEW_READ_MEMORY or BUYERVIEW_WRITE_MEMORY, else 1 or 2 GB but no more than a fifth or two fifths of the host's memory."""
    setting = os.environ.get("BUYERVIEW_READ_MEMORY" if read_only else "BUYERVIEW_WRITE_MEMORY")
    if setting:
        return setting
    host = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{min(1_000, host // 5_000_000) if read_only else min(2_000, host // 2_500_000)}MB"


def _engine(root: duckdb.DuckDBPyConnection, *, poolclass: type[Pool]) -> Engine:
    """An engine whose connections are cursors of one open instance."""
    return create_engine("duckdb://", creator=lambda: ConnectionWrapper(root.cursor()), poolclass=poolclass)


def _read_pointer(folder: Path) -> list[_Published]:
    """The published generations CURRENT names, newest first; empty: nothing published."""
    pointer = folder / "CURRENT"
    try:
        text = pointer.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    names = ("number", "file", "size", "sha256", "published_at")
    try:
        head = json.loads(text)
        return [_Published(**{name: entry[name] for name in names}) for entry in [head, *head["older"]]]
    except (ValueError, KeyError, TypeError) as error:
        raise WarehouseError(str(folder), f"the file CURRENT cannot be understood ({error!r}). Restore it from a backup.") from error


def _generation(folder: Path, published: list[_Published], position: int, *, fallback: str | None) -> Generation:
    entry = published[position]
    older = published[position + 1 :]
    generation = Generation(
        entry.number, folder / entry.file, datetime.fromisoformat(entry.published_at), older[0].number if older else None
    )
    return replace(generation, fallback=fallback)


def _wal(path: Path) -> Path:
    return path.with_name(path.name + ".wal")


def _compacted(build: Path) -> Path:
    return build.with_suffix(".compact.duckdb")


def _quoted(path: Path) -> str:
    """A path inside a string of SQL: ATTACH takes no parameters."""
    return str(path).replace("'", "''")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Write a file, or a folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _delete(build: Path) -> None:
    """Delete a build, its WAL, its compacted copy and its spill folder."""
    for path in build.parent.glob(build.stem + "*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
