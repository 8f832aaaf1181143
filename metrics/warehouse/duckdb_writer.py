"""The embedded warehouse, written: a run works in a copy of the newest generation, which then becomes the next one, or
nothing does.

In this order: lock, delete dead builds unread, copy the newest generation to `build-...`, change the copy, checkpoint,
close, hash, fsync, rename to a number never used before, replace `CURRENT`, delete what is no longer kept. Killed
anywhere before the replace, `CURRENT` is as it was. No crashed file is ever opened, so no log is ever replayed. Source:
faults, section 2 and 3.1.
"""

import contextlib
import fcntl
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import duckdb
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from metrics.errors import BuildFailed, GenerationDamaged, NoSpace, SettingRefused, WarehouseBusy
from metrics.warehouse.duckdb_reader import LOCKED_SETTINGS, close, connect, new_engine
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.generation import Build, Generation
from metrics.warehouse.pointer import Published, as_generation, read_pointer, replace_pointer, sha256, sync, wal

log = logging.getLogger(__name__)

STORAGE_VERSION = "v1.5.0"
"""The first file is created with it and copies inherit it: a file of this version refuses a WAL of its own kind that is
not its own.
"""

KEPT = 3
"""Generations kept at least: the newest, and those a slow reader or a link with ?v= may still name."""

COMPACT_FROM_BYTES = 1_000_000
"""Smaller files are not worth compacting."""

SPARE_BYTES = 64_000_000
"""Free space asked for beyond twice the newest generation."""

NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "fuse")
"""Where locks cannot be trusted (`fuse` and every `fuse.*`): nothing is written there."""

_DISK_ERRORS = (duckdb.IOException, duckdb.OutOfMemoryException, duckdb.FatalException)
"""What DuckDB raises for a full or failing disk or memory; the build is not used again after it."""


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
            root = connect(path, read_only=False)
        engine = new_engine(root, poolclass=QueuePool)
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


@contextmanager
def copy_for_dry_run(folder: Path) -> Iterator[Build]:
    """As `writing`, in a folder of its own that is deleted afterwards: neither `folder` nor a run that is writing there
    notices.
    """
    with tempfile.TemporaryDirectory(prefix="buyerview-rehearsal-") as place:
        aside = Path(place)
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(folder / "CURRENT", aside / "CURRENT")
        for entry in read_pointer(aside):
            (aside / entry.file).symlink_to((folder / entry.file).resolve())
        with writing(aside) as build:
            yield build


def _checkpoint(folder: Path, engine: Engine, root: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Write everything into the build's one file and close every handle on it."""
    if isinstance(engine.pool, QueuePool) and engine.pool.checkedout():
        raise BuildFailed(str(folder), "another connection to the build is still open")
    try:
        root.execute("CHECKPOINT")
        failpoint("warehouse.checkpoint")
        _compact(root, path)
        engine.dispose()
        root.close()
    except duckdb.Error as error:
        raise BuildFailed(str(folder), str(error).partition("\n")[0]) from error
    if wal(path).exists():
        raise BuildFailed(str(folder), "the checkpoint left a .wal file")


def _compact(root: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Copy the build into a fresh file, put in its place when closed, if more of it is free than used: DuckDB never
    gives space back.
    """
    used, free = root.execute("SELECT used_blocks, free_blocks FROM pragma_database_size() LIMIT 1").fetchone() or (
        0,
        0,
    )
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
        sync(build)
        published_at = datetime.now(UTC).isoformat()
        entry = Published(number, f"gen-{number:08d}.duckdb", build.stat().st_size, sha256(build), published_at)
        failpoint("warehouse.hash")
        os.rename(build, folder / entry.file)
        sync(folder)
        failpoint("warehouse.rename")
        older = [one for one in read_pointer(folder) if base is not None and one.number <= base.number]
        replace_pointer(folder, [entry, *older][:KEPT])
    except OSError as error:
        # What was published is what CURRENT says, not what the exception says.
        if not any(one.number == number for one in read_pointer(folder)):
            raise BuildFailed(str(folder), str(error)) from error
        log.warning("generation %d is published, but the disk reported: %s", number, error)
    return as_generation(folder, read_pointer(folder), 0, fallback=None)


def _collect(folder: Path, orphans: list[Path]) -> None:
    """Delete generations no longer kept, and files a dead writer renamed but never published."""
    kept = {one.file for one in read_pointer(folder)}
    for path in sorted({*orphans, *folder.glob("gen-*.duckdb")}):
        if path.name not in kept:
            # A reader that holds it open reads on. What cannot be deleted now is deleted by a later run.
            with contextlib.suppress(OSError):
                wal(path).unlink(missing_ok=True)
                path.unlink(missing_ok=True)
            failpoint("warehouse.collect")


def _drop(connection: Connection, engine: Engine, root: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Close and delete a build that was not published. A dead instance cannot roll back or close cleanly: that is no
    news.
    """
    for end in (connection.close, engine.dispose, root.close):
        with contextlib.suppress(DBAPIError, duckdb.Error):
            end()
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
    except (OSError, *_DISK_ERRORS) as error:
        raise BuildFailed(str(folder), str(error).partition("\n")[0]) from error


def _clean(folder: Path) -> tuple[int, list[Path]]:
    """Delete dead builds unread. Returns the next number, above every file of the folder, and the files never
    published.
    """
    for path in folder.glob("build-*"):
        _delete(path)
        failpoint("warehouse.delete_build")
    (folder / "CURRENT.tmp").unlink(missing_ok=True)
    newest = max((one.number for one in read_pointer(folder)), default=0)
    numbers = {path: int(path.stem[4:]) for path in folder.glob("gen-*.duckdb") if re.fullmatch(r"gen-\d+", path.stem)}
    orphans = [path for path, number in numbers.items() if number > newest]
    return max([newest, *numbers.values()]) + 1, orphans


def _copy_newest(folder: Path, build: Path) -> Generation | None:
    """Copy the newest generation that is as it was published, and say which; create an empty file if nothing is
    published yet.

    A damaged one is passed over: what its run brought is then unknown to the ledger and is loaded again when it comes
    again. A stray `.wal` beside it is no reason to, for the copy has another name.
    """
    published = read_pointer(folder)
    problems = []
    for position, entry in enumerate(published):
        path = folder / entry.file
        _need_space(folder, entry.size)
        try:
            shutil.copyfile(path, build)
        except FileNotFoundError:
            problems.append(f"{entry.file} is missing")
            continue
        if sha256(build) == entry.sha256:
            return as_generation(folder, published, position, fallback=problems[0] if problems else None)
        problems.append(f"{entry.file} has changed since it was published")
        log.error("%s: this run starts from the generation before it", problems[-1])
    if problems:
        raise GenerationDamaged(
            str(folder), folder / published[0].file, "is not what was published, nor is any older generation"
        )
    _need_space(folder, 0)
    with duckdb.connect(":memory:", config=dict(LOCKED_SETTINGS)) as memory:
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
    """The type of the file system a folder is on, by the kernel's mount table (/proc/self/mountinfo); None: the table
    does not say.
    """
    depth, kind = -1, None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), left.split()[4]))
        if (
            folder.is_relative_to(point) and len(point.parts) >= depth
        ):  # of two on one point the later one hides the earlier
            depth, kind = len(point.parts), right.split()[0]
    return kind


def _mounts() -> str:
    """The kernel's mount table; empty where there is none (macOS), where network folders are not recognised."""
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def _compacted(build: Path) -> Path:
    return build.with_suffix(".compact.duckdb")


def _quoted(path: Path) -> str:
    """A path inside a string of SQL: ATTACH takes no parameters."""
    return str(path).replace("'", "''")


def _delete(build: Path) -> None:
    """Delete a build, its WAL, its compacted copy and its spill folder."""
    for path in build.parent.glob(build.stem + "*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
