"""Recover the complete generations of a folder whose file CURRENT is lost or damaged.

A generation is complete if DuckDB reads every value in it: each block has a checksum. A file that a killed run renamed
but never published is left out, because the lock file has the number of the last publish.
"""

import contextlib
import hashlib
import logging
import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from metrics.warehouse.generation import Published
from metrics.warehouse.instances import guard, instance_of, is_open, quoted, release

log = logging.getLogger(__name__)

RECOVERED = 3
"""Number of generations to recover."""

_complete: dict[tuple[Path, int, int], Published | None] = {}
"""Files that this process has examined, by path, size and modification time."""


def generation_files(folder: Path) -> dict[Path, int]:
    """Return the generation files of a folder and their numbers, published or not."""
    files = {path: re.fullmatch(r"gen-(\d+)", path.stem) for path in folder.glob("gen-*.duckdb")}
    return {path: int(name[1]) for path, name in files.items() if name is not None}


def is_lost(folder: Path) -> bool:
    """Return whether a folder without CURRENT had one: generations were published there."""
    numbers = generation_files(folder).values()
    # Without a note, a single file may be that of a first run that was killed before its publish.
    return _last_published(folder) is not None if len(numbers) == 1 else bool(numbers)


def complete_generations(folder: Path) -> list[Published]:
    """Return the newest generations that can be read completely, newest first."""
    last = _last_published(folder)
    files = generation_files(folder)
    known = [path for path in sorted(files, key=files.__getitem__, reverse=True) if last is None or files[path] <= last]
    found: list[Published] = []
    for path in known or sorted(files, key=files.__getitem__, reverse=True):
        entry = _examined(path, files[path])
        if entry is not None:
            found.append(entry)
        if len(found) == RECOVERED:
            break
    return found


def note_published(folder: Path, number: int) -> None:
    """Note the number of the last publish in the lock file. It is a help for recovery only, so errors are logged."""
    try:
        (folder / "lock").write_text(f"{number}\n", encoding="ascii")
    except OSError as error:
        log.warning("%s: the number of the last publish could not be noted: %s", folder, error)


def _last_published(folder: Path) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        return int((folder / "lock").read_text(encoding="ascii"))
    return None


def _examined(path: Path, number: int) -> Published | None:
    """Return the entry of a file if it is complete, otherwise None. Each state of a file is examined once."""
    try:
        about = path.stat()
    except OSError:
        return None
    key = (path, about.st_size, about.st_mtime_ns)
    if key not in _complete:
        published_at = datetime.fromtimestamp(about.st_mtime, UTC).isoformat()
        _complete[key] = (
            Published(number, path.name, about.st_size, sha256(path), published_at) if is_complete(path) else None
        )
    return _complete[key]


def is_complete(path: Path) -> bool:
    """Return whether DuckDB reads every value of a file without an error."""
    if wal(path).exists():
        return False
    try:
        with guard:
            was_open = is_open(path)
            cursor = instance_of(path).root.cursor()
        try:
            tables = cursor.execute("SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
            for schema, table in tables:
                # A hash of the whole row reads every column.
                cursor.execute(f"SELECT bit_xor(hash(t)) FROM {quoted(schema)}.{quoted(table)} AS t").fetchall()
        finally:
            cursor.close()
            if not was_open:
                release(path)
    except duckdb.Error as error:
        log.warning("%s is not complete: %s", path, str(error).partition("\n")[0])
        return False
    return True


def wal(path: Path) -> Path:
    """Return the path of a file's write-ahead log. DuckDB replays a log there when it opens the file."""
    return path.with_name(path.name + ".wal")


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal.

    Never call it for a file that this process has open for writing: closing it releases DuckDB's lock.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
