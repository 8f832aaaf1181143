"""All errors of the program, as one tree. A message says what is wrong, where, and what to do next.

    BuyerviewError                  the root: `exit_code` is the exit status of the command
    ├── UnknownName                 there is no measure, dimension, feed ... of that name; suggests the nearest one
    ├── ChangedMeanwhile            another user saved the same thing first
    ├── SettingRefused              an environment variable or a path that cannot be used
    └── WarehouseError
        ├── WarehouseBusy           another run is writing; try again later
        ├── NothingPublished        there is no generation yet
        ├── GenerationGone          the generation is no longer kept, or does not exist yet
        ├── GenerationDamaged       a published file has changed or cannot be opened
        ├── BuildFailed             a run could not be published; the published data are unchanged
        ├── NoSpace                 the disk has no room for another generation
        ├── StoreUnusable           the store of user edits cannot be read or written
        └── WarehouseUnreachable    the server does not respond, or refuses the connection

The facts of an error are also fields. Exit statuses follow sysexits.h where it has one. `ingest/errors.py` adds its own
branch below `BuyerviewError`.
"""

# ruff: noqa: N818 - names say what happened (WarehouseBusy); the module and the root class say that it is an error

import difflib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path


class BuyerviewError(Exception):
    """Root of all errors that the user can act on."""

    exit_code = 1


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


class SettingRefused(BuyerviewError):
    """The setting `name` cannot be used. `why` says what is wrong and what to set instead."""

    exit_code = 78

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self.why = why
        super().__init__(f"{name}: {why}")


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


class StoreUnusable(WarehouseError):
    """The store of user edits cannot be opened, read or written. `why` is the message of the database."""

    exit_code = 74

    def __init__(self, where: str, why: str) -> None:
        self.why = why
        super().__init__(
            where,
            f"the store of user edits (store.sqlite, or the schema desk) cannot be read or written: {why}. "
            "Nothing was changed.",
        )


class WarehouseUnreachable(WarehouseError):
    """The server does not respond, or refuses the connection. `why` is its message."""

    exit_code = 69

    def __init__(self, where: str, why: str) -> None:
        self.why = why
        super().__init__(
            where, f"the server cannot be used ({why}). Check BUYERVIEW_WAREHOUSE and that the server is running."
        )
