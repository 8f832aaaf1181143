"""Write a warehouse of DuckDB files: a run changes a copy of the newest generation and publishes it as the next one.

The steps: lock, delete abandoned builds unread, copy the newest generation to `build-...`, change the copy, checkpoint,
close, hash, fsync, rename to an unused number, replace `CURRENT`, delete old generations. If the process is killed
before the replace, `CURRENT` is unchanged. Files of a crashed run are never opened, so no log is ever replayed.
"""

import contextlib
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

from metrics.errors import BuildFailed, GenerationDamaged, SettingRefused, storage_text
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.folder import disk_faults, locked, make_folder, need_space
from metrics.warehouse.generation import Build, Generation, Published
from metrics.warehouse.instances import (
    LOCKED_SETTINGS,
    NEWER_ENGINE,
    STORAGE_ERRORS,
    close,
    connect,
    needs_newer_engine,
    new_engine,
    storage_failed,
)
from metrics.warehouse.pointer import (
    Pointer,
    as_generation,
    examine,
    file_name,
    is_published,
    read_pointer,
    replace_pointer,
    sha256,
    sync,
    wal,
)
from metrics.warehouse.recovery import generation_files, is_complete

log = logging.getLogger(__name__)

STORAGE_VERSION = "v1.5.0"
"""The first file is created with it, and copies inherit it. Such a file refuses a WAL that belongs to another file."""

STORED_GENERATIONS = 3
"""Number of stored generations: the newest, and older ones that a slow reader or a link with ?v= still names."""

COMPACT_FROM_BYTES = 1_000_000
"""Smaller files are not worth compacting."""

NETWORK_FILE_SYSTEMS = ("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "ncpfs", "afs", "fuse")
"""File systems with unreliable locks, including every `fuse.*`. Writing there is refused."""


@contextmanager
def writing(folder: Path) -> Iterator[Build]:
    """Open the next generation for changes; see `warehouse.writing`."""
    make_folder(folder)
    _refuse_network_folder(folder)
    with locked(folder):
        failpoint("warehouse.lock")
        close(folder)  # a writing process has no handle on a published generation
        with disk_faults(folder), _without_leftovers(folder):
            pointer = examine(folder)
            close(folder)  # examining a damaged pointer opens generations
            if pointer.problem is not None:
                replace_pointer(folder, pointer.published)
            number, orphans = _clean(folder, pointer)
            failpoint("warehouse.clean")
            path = folder / f"build-{number:08d}.duckdb"
            base = _copy_newest(folder, path, pointer)
            failpoint("warehouse.copy")
            root = _open_build(folder, path, base)
        # Without a sound pointer nothing is deleted: a file that looks superfluous may be a published generation.
        collects = pointer.problem is None and (bool(pointer.published) or not generation_files(folder))
        engine = new_engine(root, poolclass=QueuePool)
        connection = engine.connect()
        published: list[Generation] = []

        def publish() -> Generation:
            if published:
                raise RuntimeError("publish() was called twice on one build")
            connection.commit()
            connection.close()
            _checkpoint(folder, engine, root, path)
            published.append(_publish(folder, path, number, base, pointer))
            if collects:
                _collect(folder, orphans)
            return published[0]

        try:
            yield Build(number, "duckdb", connection, engine, base, connection.commit, publish)
        except STORAGE_ERRORS as error:
            if storage_failed(error):
                raise BuildFailed(str(folder), storage_text(error, folder)) from error
            raise
        finally:
            if not published:
                _drop(connection, engine, root, path)


def _open_build(folder: Path, path: Path, base: Generation | None) -> duckdb.DuckDBPyConnection:
    """Open a build for writing. A base that a newer version has written is never replaced by an older one."""
    try:
        return connect(path, read_only=False)
    except duckdb.Error as error:
        if base is None or base.file is None or not needs_newer_engine(error):
            raise
        raise BuildFailed(str(folder), f"{base.file.name} {NEWER_ENGINE}") from error


@contextmanager
def copy_for_dry_run(folder: Path) -> Iterator[Build]:
    """Open a build in a temporary copy of the folder. It affects neither the folder nor a run that is writing there."""
    with tempfile.TemporaryDirectory(prefix="buyerview-rehearsal-") as place:
        aside = Path(place)
        published = read_pointer(folder)
        for entry in published:
            (aside / entry.file).symlink_to((folder / entry.file).resolve())
        if published:
            replace_pointer(aside, published)
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
        raise BuildFailed(str(folder), storage_text(error, folder)) from error
    if wal(path).exists():
        raise BuildFailed(str(folder), "the checkpoint left a .wal file")


def _compact(root: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Copy the build into a new file if more of it is free than used. `_publish` replaces the build by the copy.

    DuckDB never returns free space to the disk.
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


def _publish(folder: Path, build: Path, number: int, base: Generation | None, pointer: Pointer) -> Generation:
    """Rename the finished build and enter it in CURRENT. Replacing CURRENT commits the run."""
    try:
        if _compacted(build).exists():
            build.unlink()
            build = _compacted(build)
        sync(build)
        published_at = datetime.now(UTC).isoformat()
        entry = Published(number, file_name(number), build.stat().st_size, sha256(build), published_at)
        failpoint("warehouse.hash")
        os.rename(build, folder / entry.file)
        sync(folder)
        failpoint("warehouse.rename")
        older = [old for old in pointer.published if base is not None and old.number <= base.number]
        replace_pointer(folder, [entry, *older][:STORED_GENERATIONS])
    except OSError as error:
        # CURRENT decides whether the build was published, not the exception.
        if not is_published(folder, number):
            raise BuildFailed(str(folder), storage_text(error, folder)) from error
        log.warning("generation %d is published, but the disk reported: %s", number, error)
    return as_generation(folder, read_pointer(folder), 0, fallback=None)


def _collect(folder: Path, orphans: list[Path]) -> None:
    """Delete old generations, and files that a killed writer renamed but never published."""
    stored = {entry.file for entry in read_pointer(folder)}
    for path in sorted({*orphans, *folder.glob("gen-*.duckdb")}):
        if path.name not in stored:
            # A reader that has it open can continue. A later run deletes files that cannot be deleted now.
            with contextlib.suppress(OSError):
                wal(path).unlink(missing_ok=True)
                path.unlink(missing_ok=True)
            failpoint("warehouse.collect")


def _drop(connection: Connection, engine: Engine, root: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Close and delete a build that was not published. Ignore errors: a failed instance cannot roll back or close."""
    for end in (connection.close, engine.dispose, root.close):
        with contextlib.suppress(DBAPIError, duckdb.Error):
            end()
    _delete(path)


@contextmanager
def _without_leftovers(folder: Path) -> Iterator[None]:
    """Delete an unfinished copy after an error: the disk is short of space."""
    try:
        yield
    except BaseException:
        for path in folder.glob("build-*"):
            _delete(path)
        raise


def _clean(folder: Path, pointer: Pointer) -> tuple[int, list[Path]]:
    """Delete abandoned builds unread.

    Return the next number, above every file of the folder, and the files that were never published.
    """
    for path in folder.glob("build-*"):
        _delete(path)
        failpoint("warehouse.delete_build")
    (folder / "CURRENT.tmp").unlink(missing_ok=True)
    newest = max((entry.number for entry in pointer.published), default=0)
    numbers = generation_files(folder)
    orphans = [path for path, number in numbers.items() if number > newest]
    return max([newest, *numbers.values()]) + 1, orphans


def _copy_newest(folder: Path, build: Path, pointer: Pointer) -> Generation | None:
    """Copy the newest undamaged generation and return it. Create an empty file if nothing is published yet.

    Damaged generations are skipped. The run ledger then lacks their files, so a run loads these files again. A stray
    `.wal` file does no harm, because the copy has another name.
    """
    published = pointer.published
    problems = []
    for position, entry in enumerate(published):
        path = folder / entry.file
        need_space(folder, entry.size)
        try:
            shutil.copyfile(path, build)
        except FileNotFoundError:
            problems.append(f"{entry.file} is missing")
            continue
        # Without a checksum of CURRENT, a wrong hash may be damage of CURRENT itself.
        if sha256(build) == entry.sha256 or (not pointer.checked and is_complete(path)):
            close(folder)
            return as_generation(folder, published, position, fallback=problems[0] if problems else pointer.problem)
        problems.append(f"{entry.file} has changed since it was published")
        log.error("%s: this run starts from the generation before it", problems[-1])
    if problems:
        raise GenerationDamaged(
            str(folder), folder / published[0].file, "is not what was published, nor is any older generation"
        )
    need_space(folder, 0)
    with duckdb.connect(":memory:", config=dict(LOCKED_SETTINGS)) as memory:
        memory.execute(f"ATTACH '{_quoted(build)}' AS build (STORAGE_VERSION '{STORAGE_VERSION}')")
        memory.execute("DETACH build")
    return None


def _refuse_network_folder(folder: Path) -> None:
    kind = file_system(folder.resolve(), _mounts())
    if kind is not None and (kind in NETWORK_FILE_SYSTEMS or kind.startswith("fuse.")):
        raise SettingRefused(
            "BUYERVIEW_HOME",
            f"{folder} is on a network file system ({kind}), where locks fail. Choose a folder on a local disk.",
        )


def file_system(folder: Path, mounts: str) -> str | None:
    """Return the type of a folder's file system from the kernel's mount table; None if it is not listed.

    mounts: the text of /proc/self/mountinfo.
    """
    depth, kind = -1, None
    for line in mounts.splitlines():
        left, _, right = line.partition(" - ")
        point = Path(re.sub(r"\\(\d{3})", lambda octal: chr(int(octal[1], 8)), left.split()[4]))
        if (
            folder.is_relative_to(point) and len(point.parts) >= depth
        ):  # a later mount hides an earlier one on the same point
            depth, kind = len(point.parts), right.split()[0]
    return kind


def _mounts() -> str:
    """Return the kernel's mount table. It is empty on macOS, where network folders are not recognised."""
    try:
        return Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return ""


def _compacted(build: Path) -> Path:
    return build.with_suffix(".compact.duckdb")


def _quoted(path: Path) -> str:
    """Escape a path for an SQL string, because ATTACH takes no parameters."""
    return str(path).replace("'", "''")


def _delete(build: Path) -> None:
    """Delete a build, its WAL, its compacted copy and its spill folder."""
    for path in build.parent.glob(build.stem + "*"):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
