"""Read files without a run: the staged rows of one feed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingest.mapping.mapping_file import FeedMap, Mapping
from ingest.read.read import read_all
from ingest.read.reader_process import ReaderProcess
from ingest.read.source_objects import Reading, SourceObject
from ingest.storage.scratch_database import Connection, Scratch


@dataclass
class Reader:
    """Read a feed from files into one scratch database, again and again."""

    scratch: Scratch
    connection: Connection
    readers: ReaderProcess

    def read(
        self, folder: Path, feed: str, about: dict[str, Any], *, zone: str = "Europe/Berlin", filled: bool = False
    ) -> Staged:
        feed_map = FeedMap.model_validate(about)
        mapping = Mapping(
            path=Path("mapping.toml"), name="t", time_zone=zone, data_as_of=None, feeds={feed: feed_map}, staged={}
        )
        reading = Reading(mapping, folder, self.scratch, self.connection, self.readers)
        reading.filled = frozenset({feed} if filled else ())
        try:
            read_all(reading, lambda *_: None)
            found = self.connection.execute(f"SELECT *, rowid + _shift AS row_no FROM stage_{feed} ORDER BY rowid")
            names = [column[0] for column in found.description]
            rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
        finally:
            for (table,) in self.connection.execute("SELECT table_name FROM duckdb_tables()").fetchall():
                self.connection.execute(f'DROP TABLE "{table}"')
        return Staged(rows, reading.objects, [note.message for note in reading.warnings])


@dataclass
class Staged:
    """Staged rows with row_no, the objects read, and the notes."""

    rows: list[dict[str, Any]]
    objects: list[SourceObject]
    notes: list[str]


@contextmanager
def reader(folder: Path) -> Iterator[Reader]:
    scratch = Scratch(folder)
    connection = scratch.connect()
    try:
        with ReaderProcess(folder) as readers:
            yield Reader(scratch, connection, readers)
    finally:
        connection.close()
