"""State of a run, and the earlier runs of its source."""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, func, select

from ingest.load.result import LoadResult
from ingest.mapping.mapping_file import FeedMap, Mapping
from ingest.quarantine.records import Rejected
from ingest.read import cursors
from ingest.read.source_objects import Reading, SourceObject
from ingest.storage import tables
from ingest.storage.run_warnings import RunWarning
from metrics.schema import run_files, runs


@dataclass(frozen=True)
class PreviousRuns:
    """Earlier runs of this source, as recorded in the warehouse."""

    next_file_id: int = 1
    next_run_id: int = 1
    taken: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """Number of rows of each object read, by (feed, sha256, mapping)."""
    file_ids: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """file_id of the last reading of each object, by (feed, sha256, mapping)."""
    latest: dict[tuple[str, str], str] = field(default_factory=dict)
    """Latest sha256 of each object, by (feed, name)."""
    cursors: dict[str, object] = field(default_factory=dict)
    filled: frozenset[str] = frozenset()
    """Feeds of this source that had records."""
    last_names: dict[str, frozenset[str]] = field(default_factory=dict)
    """Names of the objects in the last run of each feed, repeated ones included."""


@dataclass
class RunState:
    """State of a run, updated by its steps."""

    mapping: Mapping
    started_at: datetime
    known: PreviousRuns
    reading: Reading
    rejected: dict[str, dict[tuple[int, int], Rejected]] = field(default_factory=dict)
    checks: list[dict[str, object]] = field(default_factory=list)
    assumed_cancellations: dict[str, int] = field(default_factory=dict)
    """Cancellations without a date that count as made at the last update of their record, by feed."""
    loaded: LoadResult = field(default_factory=LoadResult)
    as_of: datetime | None = None
    retry_from: dict[int, datetime] = field(default_factory=dict)
    """When a record of an object may pass that the clock rejected, by object number."""

    @property
    def objects(self) -> list[SourceObject]:
        """Objects read in this run."""
        return self.reading.objects

    @property
    def warnings(self) -> list[RunWarning]:
        """Warnings of this run."""
        return self.reading.warnings


def previous_runs(connection: Connection, mapping: Mapping) -> PreviousRuns:
    """Return the next free numbers, the objects that this source has delivered, and its cursors.

    A cursor of another column is left out, so the pull starts again at `cursor_start`.
    """
    source = mapping.name
    files = {
        row.file_id: row
        for row in connection.execute(
            select(run_files.c.file_id, run_files.c.rows_in, run_files.c.name, run_files.c.feed, run_files.c.source)
        )
    }
    filled = frozenset(row.feed for row in files.values() if row.source == source and row.rows_in)
    taken: dict[tuple[str, str, str], int] = {}
    file_ids: dict[tuple[str, str, str], int] = {}
    latest: dict[tuple[str, str], str] = {}
    mine = select(tables.rows_read).where(tables.rows_read.c.source == source).order_by(tables.rows_read.c.file_id)
    for row in connection.execute(mine):
        taken[row.feed, row.sha256, row.mapping] = files[row.file_id].rows_in
        file_ids[row.feed, row.sha256, row.mapping] = row.file_id
        latest[row.feed, files[row.file_id].name] = row.sha256
    stored: dict[str, object] = {
        row.feed: cursors.from_text(row.kind, row.value)
        for row in connection.execute(select(tables.cursors).where(tables.cursors.c.source == source))
        if row.feed in mapping.feeds and row.column_name in (mapping.feeds[row.feed].cursor, None)
    }
    last_run = connection.scalar(select(func.max(runs.c.run_id))) or 0
    last_names = _last_names(connection, source)
    return PreviousRuns(max(files, default=0) + 1, last_run + 1, taken, file_ids, latest, stored, filled, last_names)


def _last_names(connection: Connection, source: str) -> dict[str, frozenset[str]]:
    c = run_files.c
    last = select(c.feed, func.max(c.run_id).label("run_id")).where(c.source == source).group_by(c.feed).subquery()
    found: dict[str, set[str]] = {}
    same = (c.feed == last.c.feed) & (c.run_id == last.c.run_id) & (c.source == source)
    for feed, name in connection.execute(select(c.feed, c.name).join(last, same)):
        found.setdefault(feed, set()).add(name)
    return {feed: frozenset(names) for feed, names in found.items()}


def fingerprint(feed_map: FeedMap, mapping: Mapping) -> str:
    """Hash the parts of a mapping that decide how records are read.

    The same content with another fingerprint is read again.
    """
    as_of = None if mapping.store else mapping.data_as_of  # the query of the store already applies it
    text = json.dumps(
        [feed_map.model_dump(mode="json", exclude={"settle", "done"}), mapping.time_zone, str(as_of)], sort_keys=True
    )
    return hashlib.sha256(text.encode()).hexdigest()


def effective_feeds(state: RunState) -> dict[str, FeedMap]:
    """Return the mappings of all feeds, completed with the columns of their SELECTs."""
    return {feed: state.reading.selected.get(feed, feed_map) for feed, feed_map in state.mapping.feeds.items()}


def was_kept_out(state: RunState, row: Rejected) -> bool:
    """Return True if a rejected record broke a cross-row rule: it was staged, but kept out of the load."""
    file_id = state.known.next_file_id + row.object_no
    return any((file_id, row.row_no) in kept_out for kept_out in state.loaded.kept_out.values())
