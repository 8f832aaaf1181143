"""Source objects of a run, and the state of reading."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingest.mapping.mapping_file import FeedMap, Mapping, Origin
from ingest.read.csv_file import BrokenRecord, CsvLayout
from ingest.read.reader_process import ReaderProcess
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
    tail_sha256: str | None = None
    """Hash of the rows at the highest cursor of a pull: the next pull may return them again."""


@dataclass
class Reading:
    """State of reading in a run."""

    mapping: Mapping
    folder: Path
    scratch: Scratch
    connection: Connection
    readers: ReaderProcess
    cursors: dict[str, object] = field(default_factory=dict)
    seen: Callable[[str, str, str], int | None] = lambda *_: None
    """Returns the number of rows of an object that was read before, given feed, name and sha256; otherwise None."""
    objects: list[SourceObject] = field(default_factory=list)
    repeated: list[SourceObject] = field(default_factory=list)
    selected: dict[str, FeedMap] = field(default_factory=dict)
    """Mappings of feeds, completed with the columns of their SELECT."""
    last_names: dict[str, frozenset[str]] = field(default_factory=dict)
    """Names of the objects in the last run of each feed."""
    unchanged: dict[str, list[bool]] = field(default_factory=dict)
    """For each object of a full extract: True if its content was read before."""
    states: dict[Path, tuple[int, int]] = field(default_factory=dict)
    """Size and modification time of each file before the run read it."""
    filled: frozenset[str] = frozenset()
    """Feeds that had records in earlier runs."""
    warnings: list[RunWarning] = field(default_factory=list)
    """Warnings of the run, in the order in which they were found."""
    tables: int = 0

    def read_before(self, feed: str, name: str, sha256: str) -> int | None:
        """Return the number of rows of an object that was read before and can be skipped; otherwise None.

        A part of a full extract is always read, because a record that another part lacks may be in it.
        """
        rows = self.seen(feed, name, sha256)
        if not self.mapping.feeds[feed].full:
            return rows
        self.unchanged.setdefault(feed, []).append(rows is not None)
        return None

    def skip_unchanged_extract(self, feed: str) -> bool:
        """Skip a full extract of the same parts as in the last run. Returns True if it was skipped."""
        parts = [one for one in self.objects if one.feed == feed]
        same = self.last_names.get(feed) == frozenset(part.name for part in parts)
        if not parts or not same or not all(self.unchanged.get(feed, [False])):
            return False
        self.objects[:] = [one for one in self.objects if one.feed != feed]
        self.repeated.extend(replace(part, number=-1) for part in parts)
        return True

    def next_table(self) -> str:
        """Return an unused name for a text table."""
        self.tables += 1
        return f"text_{self.tables}"
