"""The state of one run as it goes through the steps, and what the warehouse knows of earlier runs of its source."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, select

from ingest.load.result import LoadResult
from ingest.mapping.mapping_file import FeedMap, Mapping
from ingest.quarantine.records import Rejected
from ingest.read.source_objects import Reading, SourceObject
from ingest.storage import tables
from metrics.schema import run_files, runs


@dataclass(frozen=True)
class PreviousRuns:
    """What the warehouse knows of earlier runs of this source."""

    next_file_id: int = 1
    next_run_id: int = 1
    taken: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """(feed, sha256, mapping) to the number of rows."""
    latest: dict[tuple[str, str], str] = field(default_factory=dict)
    """(feed, name) to the sha256 last taken under that name."""
    cursors: dict[str, Any] = field(default_factory=dict)


@dataclass
class RunState:
    """The state of one run as it goes through the steps."""

    mapping: Mapping
    started_at: datetime
    known: PreviousRuns
    reading: Reading
    rejected: dict[str, dict[tuple[int, int], Rejected]] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    loaded: LoadResult = field(default_factory=LoadResult)
    as_of: datetime | None = None

    @property
    def objects(self) -> list[SourceObject]:
        """Objects read in this run."""
        return self.reading.objects


def previous_runs(connection: Connection, source: str) -> PreviousRuns:
    """What earlier runs left: the next numbers, the objects this source has brought, how far its cursors are."""
    files = {
        row.file_id: row
        for row in connection.execute(select(run_files.c.file_id, run_files.c.rows_in, run_files.c.name))
    }
    taken: dict[tuple[str, str, str], int] = {}
    latest: dict[tuple[str, str], str] = {}
    mine = select(tables.rows_read).where(tables.rows_read.c.source == source).order_by(tables.rows_read.c.file_id)
    for row in connection.execute(mine):
        taken[row.feed, row.sha256, row.mapping] = files[row.file_id].rows_in
        latest[row.feed, files[row.file_id].name] = row.sha256
    cursors = {
        row.feed: cursor_from_text(row.kind, row.value)
        for row in connection.execute(select(tables.cursors).where(tables.cursors.c.source == source))
    }
    last_run = connection.scalar(select(func.max(runs.c.run_id))) or 0
    return PreviousRuns(max(files, default=0) + 1, last_run + 1, taken, latest, cursors)


def fingerprint(feed_map: FeedMap, mapping: Mapping) -> str:
    """What of a mapping decides how an object's records are read: the same content under another fingerprint is read
    again.
    """
    as_of = None if mapping.store else mapping.data_as_of  # the store's rows are cut at it, and show it themselves
    text = json.dumps([feed_map.model_dump(mode="json"), mapping.time_zone, str(as_of)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def effective_feeds(one: RunState) -> dict[str, FeedMap]:
    """The feeds' mappings with the columns a SELECT returned."""
    return {feed: one.reading.selected.get(feed, feed_map) for feed, feed_map in one.mapping.feeds.items()}


def was_kept_out(one: RunState, row: Rejected) -> bool:
    """Whether a rejected record broke a rule across rows: it was staged, and kept out while loading."""
    file_id = one.known.next_file_id + row.object_no
    return any((file_id, row.row_no) in held for held in one.loaded.held.values())


def cursor_to_text(cursor: Any) -> tuple[str, str]:
    """Kind and text of a cursor, as `cursors` keeps it."""
    if isinstance(cursor, datetime):
        return "datetime", cursor.isoformat()
    if isinstance(cursor, date):
        return "date", cursor.isoformat()
    return ("int", str(cursor)) if isinstance(cursor, int) else ("text", str(cursor))


def cursor_from_text(kind: str, value: str) -> Any:
    """The cursor that was written so."""
    if kind == "datetime":
        return datetime.fromisoformat(value)
    if kind == "date":
        return date.fromisoformat(value)
    return int(value) if kind == "int" else value
