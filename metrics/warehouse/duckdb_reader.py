"""Read a warehouse of DuckDB files: immutable files `gen-00000042.duckdb` and the pointer `CURRENT`.

A reader reads `CURRENT` once and opens that file read-only, without access to other files (`instances.py`). Published
files never change. Writing is in `duckdb_writer.py`.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from metrics.errors import (
    GenerationDamaged,
    GenerationGone,
    NothingPublished,
    StorageFailed,
    WarehouseBusy,
    storage_text,
)
from metrics.warehouse.generation import Generation, Published, Views
from metrics.warehouse.instances import (
    NEWER_ENGINE,
    Instance,
    create_views,
    guard,
    instance_of,
    needs_newer_engine,
    release,
    reports_damage,
    storage_failed,
)
from metrics.warehouse.pointer import as_generation, pointer_problem, read_pointer, sha256, wal
from metrics.warehouse.query_cache import CACHE_KEY

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""Number of times a reader reads CURRENT if the file it names is deleted at that moment."""

_damaged: dict[Path, str] = {}
"""Generations this process found damaged, and why."""


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
                damaged = pointer_problem(folder)
                if damaged is not None and fallback is None:
                    fallback = (
                        f"{damaged}. Generation {entry.number} is the newest complete one. The next run repairs it"
                    )
                return as_generation(folder, published, position, fallback=fallback)
            problems.append(f"{entry.file} {problem}")
        if read_pointer(folder) == published:
            raise GenerationDamaged(str(folder), folder / published[0].file, problems[0].partition(" ")[2])
    raise WarehouseBusy(str(folder))


@contextmanager
def reading(folder: Path, number: int | None = None, views: Views | None = None) -> Iterator[Connection]:
    """Open a read-only connection to one generation; see `warehouse.reading`."""
    generation, instance = _acquire(folder, number)
    try:
        with instance.engine_of(views).connect() as connection:
            connection.info["generation"] = generation.number
            connection.info["fallback"] = generation.fallback
            connection.info[CACHE_KEY] = {}
            if views is not None:
                create_views(connection, views)
            yield connection
    except DBAPIError as error:
        if reports_damage(error.orig) and _is_altered(folder, generation):
            raise _mark_damaged(folder, instance.path, "has changed since it was published") from error
        if storage_failed(error):
            raise StorageFailed(str(folder), storage_text(error, folder)) from error
        raise
    finally:
        _put_back(instance)


@contextmanager
def preview(folder: Path, number: int | None = None) -> Iterator[Connection]:
    """Open a connection that allows temporary tables. It has no query cache, because they change the results."""
    with reading(folder, number) as connection:
        del connection.info[CACHE_KEY]
        yield connection


def _acquire(folder: Path, number: int | None) -> tuple[Generation, Instance]:
    """Return the requested generation and its open instance, and count one more user."""
    for _ in range(ATTEMPTS):
        generation = _published(folder, number) if number is not None else current(folder)
        if generation is None:
            raise NothingPublished(str(folder))
        assert generation.file is not None
        with guard:
            try:
                instance = instance_of(generation.file)
            except duckdb.Error as error:
                if not reports_damage(error):
                    raise
                if generation.file.exists():
                    raise _mark_damaged(folder, generation.file, "does not open") from error
                continue
            instance.users += 1
            return generation, instance
    raise GenerationGone(str(folder), number or 0, [entry.number for entry in read_pointer(folder)])


def _put_back(instance: Instance) -> None:
    with guard:
        instance.users -= 1
        if not instance.reusable:
            release(instance.path)


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
    with guard:
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
            instance_of(path)
        except duckdb.Error as error:
            if not reports_damage(error):
                raise
            if not path.exists():
                return "is missing"
            log.warning("%s does not open: %s", path, error)
            _damaged[path] = NEWER_ENGINE if needs_newer_engine(error) else "does not open"
            return _damaged[path]
    return None


def _mark_damaged(folder: Path, path: Path, why: str) -> GenerationDamaged:
    """Mark a generation as damaged, so that the next reader of this process gets the one before."""
    with guard:
        _damaged[path] = why
        release(path)
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
