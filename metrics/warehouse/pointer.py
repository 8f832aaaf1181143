"""The file CURRENT: the published generations of a folder, newest first, each with its size and SHA-256.

Replacing this small file commits a run. If it is lost or damaged, the generations are recovered from the folder
(`recovery.py`), and the next publish writes it again. `duckdb_reader.py` opens the generation files and
`duckdb_writer.py` creates them.
"""

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from metrics.errors import WarehouseError
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.generation import Generation, Published
from metrics.warehouse.recovery import complete_generations, is_lost, note_published, sha256, wal

__all__ = [
    "Pointer",
    "as_generation",
    "examine",
    "file_name",
    "is_published",
    "pointer_problem",
    "read_pointer",
    "replace_pointer",
    "sha256",
    "sync",
    "wal",
    "write_temporary",
]

log = logging.getLogger(__name__)

NAMES = ("number", "file", "size", "sha256", "published_at")


@dataclass(frozen=True)
class Pointer:
    """Content of CURRENT."""

    published: list[Published]
    problem: str | None = None
    """Why `published` was recovered from the folder; None if it is from CURRENT."""
    checked: bool = True
    """False: an older version wrote CURRENT, without a checksum."""


def read_pointer(folder: Path) -> list[Published]:
    """Return the published generations, newest first; empty if nothing is published."""
    return examine(folder).published


def pointer_problem(folder: Path) -> str | None:
    """Return why CURRENT cannot be used; None if it can, or if nothing is published."""
    return examine(folder).problem


def examine(folder: Path) -> Pointer:
    """Read CURRENT. If it is lost, damaged or names no file of the folder, recover the complete generations."""
    for _ in range(2):  # a publish can delete the files of the pointer that was just read
        pointer = _parse(folder)
        if pointer.problem is None and (not pointer.published or _names_a_file(folder, pointer.published)):
            return pointer
        if _parse(folder) == pointer:
            break
    found = complete_generations(folder)
    if not found and pointer.problem is None:
        return pointer  # its generations are damaged, and readers name each with its problem
    if not found:
        raise WarehouseError(
            str(folder),
            f"{pointer.problem}, and no generation file of the folder can be read completely. "
            "Restore the folder from a backup.",
        )
    problem = pointer.problem or "the file CURRENT names no generation of its folder"
    _warn(f"{folder}: {problem}; generation {found[0].number} is the newest complete one")
    return Pointer(found, problem)


@lru_cache(maxsize=100)
def _warn(message: str) -> None:
    """Log a warning once per process, because every page reads the pointer."""
    log.warning(message)


def is_published(folder: Path, number: int) -> bool:
    """Return whether CURRENT itself names a generation."""
    return any(entry.number == number for entry in _parse(folder).published)


def _parse(folder: Path) -> Pointer:
    """Return the content of CURRENT without a look at other files. With a problem, `published` is empty."""
    try:
        text = (folder / "CURRENT").read_text(encoding="utf-8")
    except FileNotFoundError:
        return Pointer([], "the file CURRENT is missing" if is_lost(folder) else None)
    except (OSError, UnicodeDecodeError) as error:
        return Pointer([], f"the file CURRENT cannot be read ({type(error).__name__})")
    try:
        head = json.loads(text)
        published = [_entry(entry) for entry in [head, *head["older"]]]
        check = head.pop("check", None)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Pointer([], "the file CURRENT is damaged")
    if check is not None and check != _checksum(head):
        return Pointer([], "the file CURRENT is damaged (its checksum differs)")
    return Pointer(published, checked=check is not None)


def _entry(value: dict[str, object]) -> Published:
    """Return one entry. Raises ValueError, KeyError or TypeError if it is none."""
    number, file, size, digest, published_at = (value[name] for name in NAMES)
    if not (isinstance(number, int) and isinstance(size, int) and isinstance(digest, str)):
        raise TypeError("not an entry of CURRENT")
    if file != file_name(number):
        raise ValueError("the file and its number differ")
    return Published(number, file_name(number), size, digest, datetime.fromisoformat(str(published_at)).isoformat())


def _names_a_file(folder: Path, published: list[Published]) -> bool:
    for entry in published:
        try:
            if (folder / entry.file).stat().st_size == entry.size:
                return True
        except OSError:
            continue
    return False


def file_name(number: int) -> str:
    """Return the file name of a generation."""
    return f"gen-{number:08d}.duckdb"


def _checksum(head: dict[str, object]) -> str:
    """Return a checksum over everything in CURRENT but the checksum itself."""
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()


def replace_pointer(folder: Path, published: list[Published]) -> None:
    """Publish these generations, newest first. A crash before `os.replace` leaves CURRENT unchanged."""
    first, *older = published
    head: dict[str, object] = {
        **asdict(first),
        "previous": older[0].file if older else None,
        "older": [asdict(entry) for entry in older],
    }
    text = json.dumps({**head, "check": _checksum(head)}, indent=1)
    pointer = folder / "CURRENT"
    temporary = write_temporary(pointer, text + "\n")
    failpoint("warehouse.pointer_tmp")
    os.replace(temporary, pointer)
    note_published(folder, first.number)
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


def write_temporary(path: Path, text: str) -> Path:
    """Write a text to the disk under a temporary name. `os.replace` then changes the file completely or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return temporary


def sync(path: Path) -> None:
    """Write a file, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
