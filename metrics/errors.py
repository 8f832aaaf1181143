"""What can go wrong, as one tree. An error says what, where and what to do next; its facts are fields, not only text.

    BuyerviewError                  the root: `exit_code` is the status the command ends with
    ├── UnknownName                 no measure, dimension, feed ... of that name; the nearest known one is suggested
    ├── ChangedMeanwhile            somebody else saved the same thing first
    ├── SettingRefused              an environment variable or a place that cannot be used as it is
    └── WarehouseError
        ├── WarehouseBusy           another run is writing; try again later
        ├── NothingPublished        no generation yet
        ├── GenerationGone          that generation is no longer kept, or not there yet
        ├── GenerationDamaged       a published file is not what was published, or does not open
        ├── BuildFailed             a run could not be published; what was published before stays
        ├── NoSpace                 the disk has no room for another generation
        ├── StoreUnusable           what people write cannot be read or kept
        └── WarehouseUnreachable    the server does not answer, or refuses us

Exit statuses follow sysexits.h where it has one. ingest adds its own branch below `BuyerviewError`.
"""

# ruff: noqa: N818 - an error is named by what happened (WarehouseBusy), which its root and module already say is an
# error

import difflib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path


class BuyerviewError(Exception):
    """The root of every error a user can do something about."""

    exit_code = 1


class UnknownName(BuyerviewError):
    """`name` is no known `kind` (a measure, a dimension, a feed ...); `nearest` is the known name most like it, if any
    is.
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
            hint = "None is known here."
        super().__init__(f"There is no {kind} named {name!r}. {hint}")


class ChangedMeanwhile(BuyerviewError):
    """`who` changed `thing` at `at` (naive UTC), after it was read by whoever wanted to change it now; nothing was
    written.
    """

    exit_code = 75

    def __init__(self, thing: str, who: str, at: datetime) -> None:
        self.thing = thing
        self.who = who
        self.at = at
        super().__init__(
            f"{who} changed {thing} at {at:%H:%M} UTC, after you opened it. Nothing of yours was saved over it: look again, then save."
        )


class SettingRefused(BuyerviewError):
    """The setting `name` has a value that cannot be used; `why` says what is wrong and what to set instead."""

    exit_code = 78

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self.why = why
        super().__init__(f"{name}: {why}")


class WarehouseError(BuyerviewError):
    """Something about the warehouse at `where` (a folder, or a server's address without its password)."""

    def __init__(self, where: str, message: str) -> None:
        self.where = where
        super().__init__(f"Warehouse {where}: {message}")


class WarehouseBusy(WarehouseError):
    """Another run holds the writer's lock; nothing was changed."""

    exit_code = 75

    def __init__(self, where: str) -> None:
        super().__init__(where, "another run is writing to it. Wait until it has ended, then start this one again.")


class NothingPublished(WarehouseError):
    """The warehouse has no generation yet."""

    exit_code = 66

    def __init__(self, where: str) -> None:
        super().__init__(
            where,
            "nothing is published yet. Run `buyerview demo`, or `buyerview ingest MAPPING.toml` with your own data.",
        )


class GenerationGone(WarehouseError):
    """Generation `number` is not kept any more, or was never published; `kept` are the numbers that can be read."""

    exit_code = 66

    def __init__(self, where: str, number: int, kept: Iterable[int]) -> None:
        self.number = number
        self.kept = tuple(sorted(kept))
        kept_text = ", ".join(str(one) for one in self.kept) or "none"
        super().__init__(
            where,
            f"generation {number} cannot be read. Kept: {kept_text}. Open the page without a generation to see the newest.",
        )


class GenerationDamaged(WarehouseError):
    """What is published cannot be read as it was published; `file` names the file and `why` what is wrong with it."""

    exit_code = 74

    def __init__(self, where: str, file: Path, why: str) -> None:
        self.file = file
        self.why = why
        super().__init__(
            where, f"{file.name} {why}. Restore the file from a backup, or ingest again from the source files."
        )


class BuildFailed(WarehouseError):
    """A run was not published; readers see what they saw before, and the next run starts anew."""

    exit_code = 70

    def __init__(self, where: str, why: str) -> None:
        self.why = why
        super().__init__(
            where, f"this run was not published: {why}. What was published before is unchanged; start the run again."
        )


class NoSpace(WarehouseError):
    """The folder's disk has `free` bytes, and another generation may need `needed`."""

    exit_code = 73

    def __init__(self, where: str, needed: int, free: int) -> None:
        self.needed = needed
        self.free = free
        super().__init__(
            where,
            f"a run may need {needed / 1e6:,.0f} MB and the disk has {free / 1e6:,.0f} MB free. Make room, then start again.",
        )


class StoreUnusable(WarehouseError):
    """The store of what people write cannot be opened, read or written; `why` is what the database said."""

    exit_code = 74

    def __init__(self, where: str, why: str) -> None:
        self.why = why
        super().__init__(
            where,
            f"what people wrote (store.sqlite, or the schema desk) cannot be read or kept: {why}. Nothing was changed.",
        )


class WarehouseUnreachable(WarehouseError):
    """The server does not answer or does not let us in; `why` is what it said."""

    exit_code = 69

    def __init__(self, where: str, why: str) -> None:
        self.why = why
        super().__init__(
            where, f"the server cannot be used ({why}). Check BUYERVIEW_WAREHOUSE and that the server is running."
        )
