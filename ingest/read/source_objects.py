"""The objects a run reads, and what it has read so far."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingest.mapping.mapping_file import FeedMap, Mapping, Origin
from ingest.read.csv_file import BrokenRecord
from ingest.storage.scratch_database import Connection, Scratch


@dataclass(frozen=True)
class SourceObject:
    """One source object given to one feed."""

    number: int
    """Its place in this run, from 0: `_object` of the staged rows."""
    feed: str
    name: str
    sha256: str
    rows_staged: int
    rows_in: int
    broken: tuple[BrokenRecord, ...] = ()
    origin: Origin | None = None
    path: Path | None = None
    text_table: str | None = None
    lines_are_records: bool = False
    """True: record n of this CSV is its line n + 1, so that a record is found without reading the others."""
    cursor: Any = None


@dataclass
class Reading:
    """What one run has read so far."""

    mapping: Mapping
    folder: Path
    scratch: Scratch
    connection: Connection
    cursors: dict[str, Any] = field(default_factory=dict)
    seen: Callable[[str, str, str], int | None] = lambda *_: None
    """(feed, name, sha256) to the rows of an object that need not be read again, or None."""
    objects: list[SourceObject] = field(default_factory=list)
    repeated: list[SourceObject] = field(default_factory=list)
    selected: dict[str, FeedMap] = field(default_factory=dict)
    """Mappings completed by the columns a SELECT returned."""
    states: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Size and time of change of each file before any of it was read."""
    tables: int = 0

    def next_table(self) -> str:
        """A name no text table of this run has."""
        self.tables += 1
        return f"text_{self.tables}"
