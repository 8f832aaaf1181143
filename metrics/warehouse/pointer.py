"""CURRENT: which generation files of a folder are published, newest first, each with the size and SHA-256 it was
published with.

Replacing this small file is the commit of a run. The files themselves are opened in `embedded.py` and made in
`build.py`. Source: faults, section 2.
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
    """The published generations CURRENT names, newest first; empty: nothing published."""
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
            str(folder), f"the file CURRENT cannot be understood ({error!r}). Restore it from a backup."
        ) from error


def replace_pointer(folder: Path, published: list[Published]) -> None:
    """Make these the published generations, newest first: all of them or, if we die before `os.replace`, none."""
    head, *older = published
    text = json.dumps(
        {**asdict(head), "previous": older[0].file if older else None, "older": [asdict(one) for one in older]},
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
    """One entry of CURRENT as its readers know it."""
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
    """Where DuckDB would keep the log of a file, and would look for one to replay."""
    return path.with_name(path.name + ".wal")


def sha256(path: Path) -> str:
    """A file's SHA-256 in hexadecimal. Never of a file that this process has open for writing: closing it would drop
    DuckDB's lock.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Write a file, or a folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
