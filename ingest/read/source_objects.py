"""Source objects of a run, and the state of reading."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ingest.mapping.mapping_file import FeedMap, Mapping, Origin
from ingest.read.csv_file import BrokenRecord, CsvLayout
from ingest.storage.run_warnings import RunWarning
from ingest.storage.scratch_database import Connection, Scratch


@dataclass(frozen=True)
class SourceObject:
    """A source object read for one feed."""

    number: int
    """Its position in this run, from 0: `_object` of the staged rows."""
    feed: str
    name: str
    sha256: str
    rows_staged: int
    rows_in: int
    broken: tuple[BrokenRecord, ...] = ()
    origin: Origin | None = None
    path: Path | None = None
    layout: CsvLayout | None = None
    text_table: str | None = None
    lines_are_records: bool = False
    """True: record n of this CSV is line n + 1, so a record can be read without the others."""
    cursor: object = None


@dataclass
class Reading:
    """State of reading in a run."""

    mapping: Mapping
    folder: Path
    scratch: Scratch
    connection: Connection
    cursors: dict[str, object] = field(default_factory=dict)
    seen: Callable[[str, str, str], int | None] = lambda *_: None
    """Returns the number of rows of an object that was read before, given feed, name and sha256; otherwise None."""
    objects: list[SourceObject] = field(default_factory=list)
    repeated: list[SourceObject] = field(default_factory=list)
    selected: dict[str, FeedMap] = field(default_factory=dict)
    """Mappings of feeds, completed with the columns of their SELECT."""
    states: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Size and modification time of each file before the run read it."""
    filled: frozenset[str] = frozenset()
    """Feeds that had records in earlier runs."""
    warnings: list[RunWarning] = field(default_factory=list)
    """Warnings of the run, in the order in which they were found."""
    tables: int = 0

    def next_table(self) -> str:
        """Return an unused name for a text table."""
        self.tables += 1
        return f"text_{self.tables}"
