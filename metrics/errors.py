"""All errors of the program, as one tree. A message says what is wrong, where, and what to do next.

    BuyerviewError                  the root: `exit_code` is the exit status of the command
    ├── UnknownName                 there is no measure, dimension, feed ... of that name; suggests the nearest one
    ├── ChangedMeanwhile            another user saved the same thing first
    ├── ReportFailed                a page could not be written as PDF
    ├── NotYours                    only the person who wrote something changes or deletes it
    ├── SettingRefused              an environment variable or a path that cannot be used
    ├── AccessDenied                the person's role does not allow the action
    ├── AccessEnded                 the person has no access, or has signed out
    ├── LastAdministrator           nobody could give access after this change
    └── WarehouseError
        ├── WarehouseBusy           another run is writing; try again later
        ├── NothingPublished        there is no generation yet
        ├── GenerationGone          the generation is no longer kept, or does not exist yet
        ├── GenerationDamaged       a published file has changed or cannot be opened
        ├── GenerationOutdated      another version of Buyerview has published the generation
        ├── BuildFailed             a run could not be published; the published data are unchanged
        ├── NoSpace                 the disk has no room for another generation
        ├── StorageFailed           the disk, the memory or the server failed while data were read
        ├── StoreUnusable           the store of user edits cannot be read or written
        └── WarehouseUnreachable    the server does not respond, or refuses the connection

The facts of an error are also fields. Exit statuses follow sysexits.h where it has one. `ingest/errors.py` adds its own
branch below `BuyerviewError`.
"""

# ruff: noqa: N818 - names say what happened (WarehouseBusy); the module and the root class say that it is an error

import difflib
import errno
import re
import shutil
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from metrics.redaction import redacted

_FULL_DISK = re.compile(r"no space left|disk (is )?full|disk quota|file too large|could not extend file", re.IGNORECASE)
_FAILED_WRITE = re.compile(r"could not (write|read|open|sync|fsync)|input/output error|read-only file system", re.I)
_FULL_MEMORY = re.compile(r"out of memory|failed to (allocate|pin)|cannot allocate memory", re.IGNORECASE)


def driver_text(error: BaseException) -> str:
    """Return the first line of a driver's or library's error, without secrets: the only way such text is shown."""
    original = getattr(error, "orig", None) or error
    line = str(original).strip().partition("\n")[0][:300]
    return redacted(line or type(original).__name__)


def names_full_storage(error: BaseException) -> bool:
    """Return whether the text of an error says that a disk or the memory is full, or that a write failed."""
    text = str(getattr(error, "orig", None) or error)
    return any(pattern.search(text) for pattern in (_FULL_DISK, _FULL_MEMORY, _FAILED_WRITE))


def storage_text(error: BaseException, folder: Path | None = None) -> str:
    """Return what failed while reading or writing storage, and what to free or to check."""
    original = getattr(error, "orig", None) or error
    text = driver_text(error)
    number = getattr(original, "errno", None)
    if number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or _FULL_DISK.search(str(original)):
        place = f" of {folder}" if folder is not None else ""
        return f"the disk{place} is full ({text}{_free(folder)}). Free some space there"
    if isinstance(original, MemoryError) or number == errno.ENOMEM or _FULL_MEMORY.search(str(original)):
        return (
            f"the memory is not enough ({text}). Free some memory, or set BUYERVIEW_WRITE_MEMORY and "
            "BUYERVIEW_READ_MEMORY to what the machine has"
        )
    return text


def _free(folder: Path | None) -> str:
    try:
        return f"; {shutil.disk_usage(folder).free / 1e6:,.0f} MB are free" if folder is not None else ""
    except OSError:
        return ""


class BuyerviewError(Exception):
    """Root of all errors that the user can act on. No message contains a secret."""

    exit_code = 1

    def __init__(self, message: str = "") -> None:
        super().__init__(redacted(message))


NAMES_LISTED = 30
"""Longest list of names in an error: it has all dimensions, but not all measures."""
SIMILAR_NAMES = 6
"""Names in an error in place of a longer list."""


class UnknownName(BuyerviewError):
    """There is no `kind` (measure, dimension, feed ...) named `name`. `nearest` is the most similar known name, or
    None.
    """

    exit_code = 64

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind = kind
        self.name = name
        self.known = tuple(sorted(known))
        close = difflib.get_close_matches(name, self.known, n=1)
        self.nearest = close[0] if close else None
        if self.nearest:
            hint = f"Did you mean {self.nearest}?"
        elif len(self.known) > NAMES_LISTED:
            similar = difflib.get_close_matches(name, self.known, n=SIMILAR_NAMES, cutoff=0)
            hint = f"The most similar of {len(self.known)} names are {', '.join(similar)}."
        elif self.known:
            hint = f"Known: {', '.join(self.known)}."
        else:
            hint = "There are no known names here."
        super().__init__(f"There is no {kind} named {name!r}. {hint}")


class ChangedMeanwhile(BuyerviewError):
    """`who` changed `thing` at `at` (naive UTC) after the user had read it. Nothing was written."""

    exit_code = 75

    def __init__(self, thing: str, who: str, at: datetime) -> None:
        self.thing = thing
        self.who = who
        self.at = at
        super().__init__(
            f"{who} changed {thing} at {at:%H:%M} UTC, after you opened it. "
            "Your change was not saved. Check the new values, then save again."
        )


class NotYours(BuyerviewError):
    """`who` wrote `thing`, so another user cannot change or delete it."""

    exit_code = 77

    def __init__(self, thing: str, who: str) -> None:
        self.thing = thing
        self.who = who
        super().__init__(f"{who} wrote {thing}. Ask {who} to change it, or add a note of your own.")


class ReportFailed(BuyerviewError):
    """The page `page` could not be written as PDF. `why` says what failed."""

    exit_code = 70

    def __init__(self, page: str, why: str) -> None:
        self.page = page
        self.why = why
        super().__init__(f"The page {page} could not be written as PDF: {why.rstrip('.')}. Open it in the browser.")


class SettingRefused(BuyerviewError):
    """The setting `name` cannot be used. `why` says what is wrong and what to set instead."""

    exit_code = 78

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self.why = why
        super().__init__(f"{name}: {why}")


class AccessDenied(BuyerviewError):
    """The role of `person` does not allow `action`. Nothing was changed."""

    exit_code = 77

    def __init__(self, person: str, action: str) -> None:
        self.person = person
        self.action = action
        super().__init__(f"{person} may not {action}. Nothing was changed. Ask an administrator for another role.")


class AccessEnded(BuyerviewError):
    """`person` has no access, or has signed out."""

    exit_code = 77

    def __init__(self, person: str) -> None:
        self.person = person
        super().__init__(
            f"{person or 'Nobody'} has no access to this dashboard any more. Sign in again, or ask an administrator."
        )


class LastAdministrator(BuyerviewError):
    """`person` is the only administrator who sees every row. Nothing was changed."""

    exit_code = 78

    def __init__(self, person: str) -> None:
        self.person = person
        super().__init__(
            f"{person} is the only administrator without a scope. Nothing was changed. "
            "Make another person administrator first."
        )


class WarehouseError(BuyerviewError):
    """An error of the warehouse at `where`: a folder, or a server's address without its password."""

    def __init__(self, where: str, message: str) -> None:
        self.where = where
        super().__init__(f"Warehouse {where}: {message}")


class WarehouseBusy(WarehouseError):
    """Another run has the write lock. Nothing was changed."""

    exit_code = 75

    def __init__(self, where: str) -> None:
        super().__init__(where, "another run is writing to it. Wait until it has finished, then start this one again.")


class NothingPublished(WarehouseError):
    """The warehouse has no generation yet."""

    exit_code = 66

    def __init__(self, where: str) -> None:
        super().__init__(
            where,
            "nothing is published yet. Run `buyerview demo`, or `buyerview ingest MAPPING.toml` with your own data.",
        )


class GenerationGone(WarehouseError):
    """Generation `number` is no longer kept, or was never published. `kept` are the numbers that can be read."""

    exit_code = 66

    def __init__(self, where: str, number: int, kept: Iterable[int]) -> None:
        self.number = number
        self.kept = tuple(sorted(kept))
        kept_text = ", ".join(str(kept_number) for kept_number in self.kept) or "none"
        super().__init__(
            where,
            f"generation {number} cannot be read. Available: {kept_text}. "
            "Open the page without a generation to see the newest.",
        )


class GenerationDamaged(WarehouseError):
    """A published file cannot be read, or has changed since. `file` names it and `why` says what is wrong."""

    exit_code = 74

    def __init__(self, where: str, file: Path, why: str) -> None:
        self.file = file
        self.why = why
        super().__init__(
            where, f"{file.name} {why}. Restore the file from a backup, or ingest again from the source files."
        )


class GenerationOutdated(WarehouseError):
    """Another version of Buyerview has published generation `number`: it lacks `missing`, a "table.column"."""

    exit_code = 66

    def __init__(self, where: str, number: int | None, missing: str) -> None:
        self.number = number
        self.missing = missing
        named = "the data version" if number is None else f"data version {number}"
        super().__init__(
            where,
            f"{named} was published by another version of Buyerview and has no {missing}. Run `buyerview ingest "
            "MAPPING.toml` with any of your mappings: the run rebuilds all numbers, even if no file is new.",
        )


class BuildFailed(WarehouseError):
    """A run was not published. Readers see the previous generation; the next run starts from there."""

    exit_code = 70

    def __init__(self, where: str, why: str) -> None:
        self.why = why
        super().__init__(
            where, f"this run was not published: {why}. The published data are unchanged. Start the run again."
        )


class NoSpace(WarehouseError):
    """The disk has `free` bytes, and another generation may need `needed`."""

    exit_code = 73

    def __init__(self, where: str, needed: int, free: int) -> None:
        self.needed = needed
        self.free = free
        super().__init__(
            where,
            f"a run may need {needed / 1e6:,.0f} MB, and the disk has {free / 1e6:,.0f} MB free. "
            "Free some space, then start the run again.",
        )


class StorageFailed(WarehouseError):
    """The disk, the memory or the server failed while data were read. `why` says what to free or to check."""

    exit_code = 74

    def __init__(self, where: str, why: str) -> None:
        self.why = why
        super().__init__(where, f"reading failed: {why}. Then try again. The published data are unchanged.")


class StoreUnusable(WarehouseError):
    """The store of user edits cannot be opened, read or written. `why` is the message of the database."""

    exit_code = 74

    def __init__(self, where: str, why: str) -> None:
        self.why = why
        super().__init__(
            where,
            f"the store of user edits and run history (store.sqlite, or the schema desk) cannot be read or written: "
            f"{why}. This step changed nothing in the store.",
        )


class WarehouseUnreachable(WarehouseError):
    """The server does not respond, or refuses the connection. `why` is its message."""

    exit_code = 69

    def __init__(self, where: str, why: str) -> None:
        self.why = why
        super().__init__(
            where, f"the server cannot be used ({why}). Check BUYERVIEW_WAREHOUSE and that the server is running."
        )
