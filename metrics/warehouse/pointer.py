"""The file CURRENT: the published generations of a folder, newest first, each with its size and SHA-256.

Replacing this small file commits a run. `duckdb_reader.py` opens the generation files and `duckdb_writer.py` creates
them.
"""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from metrics.errors import WarehouseError
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.generation import Generation


@dataclass(frozen=True)
class Published:
    """One entry of CURRENT."""

    number: int
    file: str
    size: int
    sha256: str
    published_at: str


def read_pointer(folder: Path) -> list[Published]:
    """Return the published generations, newest first; empty if nothing is published."""
    pointer = folder / "CURRENT"
    try:
        text = pointer.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    names = ("number", "file", "size", "sha256", "published_at")
    try:
        head = json.loads(text)
        return [Published(**{name: entry[name] for name in names}) for entry in [head, *head["older"]]]
    except (ValueError, KeyError, TypeError) as error:
        raise WarehouseError(
            str(folder), f"the file CURRENT is not valid ({error!r}). Restore it from a backup."
        ) from error


def replace_pointer(folder: Path, published: list[Published]) -> None:
    """Publish these generations, newest first. A crash before `os.replace` leaves CURRENT unchanged."""
    head, *older = published
    text = json.dumps(
        {**asdict(head), "previous": older[0].file if older else None, "older": [asdict(entry) for entry in older]},
        indent=1,
    )
    pointer = folder / "CURRENT"
    temporary = folder / "CURRENT.tmp"
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    failpoint("warehouse.pointer_tmp")
    os.replace(temporary, pointer)
    failpoint("warehouse.replace")
    sync(folder)


def as_generation(folder: Path, published: list[Published], position: int, *, fallback: str | None) -> Generation:
    """Return an entry of CURRENT as a `Generation`."""
    entry = published[position]
    older = published[position + 1 :]
    return Generation(
        number=entry.number,
        file=folder / entry.file,
        published_at=datetime.fromisoformat(entry.published_at),
        previous=older[0].number if older else None,
        fallback=fallback,
    )


def wal(path: Path) -> Path:
    """Return the path of a file's write-ahead log. DuckDB replays a log there when it opens the file."""
    return path.with_name(path.name + ".wal")


def sha256(path: Path) -> str:
    """Return a file's SHA-256 in hexadecimal.

    Never call it for a file that this process has open for writing: closing it releases DuckDB's lock.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Write a file, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
