"""The clock of a run: refuse to publish if it is behind, and try records again that it rejected.

Without a declared watermark, the clock decides which events have happened. A wrong clock therefore rejects good records
or accepts impossible ones. Neither may last longer than the wrong clock.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, delete, func, select

from ingest.errors import ClockRefused
from ingest.mapping.mapping_file import Mapping
from ingest.read import cursors as cursor_text
from ingest.read.source_objects import SourceObject
from ingest.read.staging import staging_table
from ingest.runs.run_state import RunState
from ingest.runs.watermark import CLOCK_TOLERANCE
from ingest.storage import tables
from ingest.storage.bulk_insert import insert_rows
from ingest.storage.scratch_database import Connection as Staging
from ingest.storage.scratch_database import quoted
from ingest.validate.expectations import Outcome
from metrics.schema import orders, runs

SLACK = timedelta(minutes=1)
"""A time service may set a clock back by less than this between two runs."""
WAITABLE = timedelta(days=31)
"""A clock that is behind the last publish by up to this is always refused: waiting, or correcting it, is enough."""

FROM_THE_START = "start"
"""Kind of the cursor of a first pull, which binds `cursor_start`."""

HAS_HAPPENED = "_has_happened"
"""End of the names of rules that compare an event with the end of the data."""


def latest_possible_event(mapping: Mapping, started_at: datetime) -> datetime:
    """Return the instant after which an event cannot have happened yet: the declared watermark, or the clock's."""
    return mapping.data_as_of or started_at + CLOCK_TOLERANCE


def refuse_clock_behind(connection: Connection, started_at: datetime) -> None:
    """Raise ClockRefused if the clock is before the last publish, unless that publish had a wrong clock.

    The clock of the last publish was ahead if the orders end long before it, apart from a few that it should have
    rejected.
    """
    last = connection.scalar(select(func.max(runs.c.started_at)))
    if last is None or started_at >= last - SLACK:
        return
    if last - started_at > WAITABLE:
        later = func.count().filter(orders.c.ordered_at > started_at + CLOCK_TOLERANCE)
        after, total = connection.execute(select(later, func.count()).select_from(orders)).one()
        if after <= min(total / 2, max(5, total / 100)):
            return
    raise ClockRefused(started_at, last)


def note_rejections(staging: Staging, feed: str, outcomes: Iterable[Outcome], retry_from: dict[int, datetime]) -> None:
    """Note for each source object the moment from which a record may pass that the clock rejected now."""
    for outcome in outcomes:
        if not outcome.rule.name.endswith(HAS_HAPPENED) or not outcome.broken:
            continue
        column = quoted(outcome.rule.column)
        rows = staging.execute(
            f"SELECT _object, min(CAST({column} AS TIMESTAMP)) FROM {quoted(staging_table(feed))} "
            f"WHERE rowid IN (SELECT unnest(?::BIGINT[])) GROUP BY _object",
            [list(outcome.broken)],
        ).fetchall()
        for number, earliest in rows:
            # A bare date is a local day, which begins up to 14 hours before the day in UTC.
            moment = earliest - timedelta(days=1)
            retry_from[number] = min(moment, retry_from.get(number, moment))


def due_notes(
    connection: Connection, source: str, latest: datetime
) -> list[Row[int, str, str, str | None, str | None]]:
    """Return the notes on records that may pass now, oldest first."""
    again = tables.clock_rejections.c
    columns = (again.file_id, again.feed, again.name, again.cursor_kind, again.cursor_value)
    due = select(*columns).where(again.source == source, again.retry_from <= latest).order_by(again.file_id)
    return list(connection.execute(due))


def objects_to_retry(
    connection: Connection, mapping: Mapping, started_at: datetime, known: dict[str, object]
) -> tuple[set[int], dict[str, object]]:
    """Return the file_ids of objects to read again, and the cursors to pull from, by feed.

    known: the cursors of the last pulls. A feed with records to try again pulls from an earlier one.
    """
    notes = due_notes(connection, mapping.name, latest_possible_event(mapping, started_at))
    cursors = dict(known)
    for note in reversed(notes):
        if note.cursor_kind == FROM_THE_START:
            cursors.pop(note.feed, None)
        elif note.cursor_kind is not None:
            cursors[note.feed] = cursor_text.from_text(note.cursor_kind, note.cursor_value or "")
    return {note.file_id for note in notes}, cursors


def write_notes(connection: Connection, state: RunState) -> None:
    """Store this run's notes, and delete those of objects that it has read again."""
    read = {(source.feed, "" if source.cursor is not None else source.name) for source in state.objects}
    for note in due_notes(connection, state.mapping.name, latest_possible_event(state.mapping, state.started_at)):
        if (note.feed, "" if note.cursor_kind is not None else note.name) in read:
            connection.execute(delete(tables.clock_rejections).where(tables.clock_rejections.c.file_id == note.file_id))
    insert_rows(connection, tables.clock_rejections, _notes(state))


def _notes(state: RunState) -> Iterator[dict[str, object]]:
    for source in state.objects:
        if source.number in state.retry_from:
            kind, value = _cursor_of(state, source)
            yield {
                "file_id": state.known.next_file_id + source.number,
                "source": state.mapping.name,
                "feed": source.feed,
                "name": source.name,
                "retry_from": state.retry_from[source.number],
                "cursor_kind": kind,
                "cursor_value": value,
            }


def _cursor_of(state: RunState, source: SourceObject) -> tuple[str | None, str | None]:
    """Return the cursor that an object was pulled from; None if it is no pull."""
    if source.cursor is None:
        return None, None
    if source.feed not in state.reading.cursors:
        return FROM_THE_START, None
    return cursor_text.to_text(state.reading.cursors[source.feed])
