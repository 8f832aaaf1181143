"""Notes on numbers and trends: a measure (or every measure), a segment, days, a text, and who wrote it.

A note without days is a comment on a number. A note with a day is drawn on trends too. Only its author changes or
deletes it. A person with a row scope sees the notes about rows that the person may see: see `is_visible`.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from metrics.access import Scope, covers
from metrics.errors import ChangedMeanwhile, NotYours
from metrics.store import audit
from metrics.store.tables import notes as table

LONGEST = 1_000
"""Longest text of a note, in characters."""


@dataclass(frozen=True)
class Note:
    """One note. Number and version 0: not saved yet. `scope`: the rows that its author sees."""

    text: str
    who: str
    measure: str | None = None
    segment: str | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    scope: Scope = ()
    note_id: int = 0
    created_at: datetime | None = None
    changed_at: datetime | None = None
    version: int = 0

    @property
    def days(self) -> tuple[date, date] | None:
        """First and last day; None without a day."""
        return None if self.starts_on is None else (self.starts_on, self.ends_on or self.starts_on)


def problem(note: Note) -> str:
    """Return why a note cannot be saved, with the next step; "" if it can."""
    if not note.text.strip():
        return "Enter the text of the note."
    if len(note.text) > LONGEST:
        return f"The text has {len(note.text):,} characters. Shorten it to {LONGEST:,}."
    if note.ends_on is not None and (note.starts_on is None or note.ends_on < note.starts_on):
        return "The last day is before the first day. Choose another day."
    return ""


def is_visible(note: Note, scope: Scope) -> bool:
    """Return True if a person with a scope sees a note: every row that it is about is a row of the person."""
    own = dict(note.scope)
    if note.segment is not None:
        own["segment"] = (note.segment,)
    return covers(scope, tuple(own.items()))


def notes(connection: Connection, scope: Scope) -> list[Note]:
    """Return the notes that a person with a scope sees: by day, those without one first."""
    rows = connection.execute(select(table)).mappings()
    found = [Note(**{**row, "scope": _read(row["scope"])}) for row in rows]
    seen = (note for note in found if is_visible(note, scope))
    return sorted(seen, key=lambda note: (note.starts_on or date.min, note.note_id))


def about(found: Iterable[Note], measure: str, *, every: bool = True) -> list[Note]:
    """Return the notes about a measure, with those about every measure unless `every` is False."""
    return [note for note in found if note.measure == measure or (every and note.measure is None)]


def in_view(found: Iterable[Note], start: date, end: date, segments: Iterable[str] = ()) -> list[Note]:
    """Return the notes about some days and segments (none: all of them). Notes without days or segment always count."""
    chosen = set(segments)
    return [
        note
        for note in found
        if (note.days is None or (note.days[0] <= end and note.days[1] >= start))
        and (not chosen or note.segment is None or note.segment in chosen)
    ]


def save(connection: Connection, who: str, note: Note) -> Note:
    """Save a new or changed note. Raises ValueError, NotYours or ChangedMeanwhile."""
    if why := problem(note):
        raise ValueError(why)
    now = datetime.now(UTC).replace(tzinfo=None)
    if not note.note_id:
        last = int(connection.scalar(select(func.coalesce(func.max(table.c.note_id), 0))) or 0)
        new = replace(note, note_id=last + 1, who=who, created_at=now, changed_at=now, version=1)
        connection.execute(insert(table).values(_row(new)))
        audit.record(connection, who, "note added", _key(new), None, _told(new))
        return new
    before = _own(connection, who, note)
    new = replace(
        note, who=who, scope=note.scope, created_at=before.created_at, changed_at=now, version=note.version + 1
    )
    connection.execute(update(table).where(table.c.note_id == note.note_id).values(_row(new)))
    audit.record(connection, who, "note changed", _key(new), _told(before), _told(new))
    return new


def remove(connection: Connection, who: str, note: Note) -> None:
    """Delete a note. Raises NotYours or ChangedMeanwhile."""
    before = _own(connection, who, note)
    connection.execute(delete(table).where(table.c.note_id == note.note_id))
    audit.record(connection, who, "note deleted", _key(before), _told(before), None)


def _own(connection: Connection, who: str, read: Note) -> Note:
    """Return the stored note, if it is the person's and nobody has changed it since it was read."""
    row = connection.execute(select(table).where(table.c.note_id == read.note_id)).mappings().first()
    if row is None or row["version"] != read.version:
        latest = audit.entries_of(connection, _key(read))[0]
        raise ChangedMeanwhile(f"note {read.note_id}", latest["who"], latest["at"])
    if row["who"] != who:
        raise NotYours(f"note {read.note_id}", row["who"])
    return Note(**{**row, "scope": _read(row["scope"])})


def _row(note: Note) -> dict[str, object]:
    return {**asdict(note), "text": note.text.strip(), "scope": json.dumps(note.scope)}


def _told(note: Note) -> dict[str, object]:
    """Return the values of a note in the audit trail."""
    names = ("measure", "segment", "starts_on", "ends_on", "text")
    return {name: getattr(note, name) for name in names if getattr(note, name) is not None}


def _key(note: Note) -> str:
    return f"note {note.note_id}"


def _read(text: str) -> Scope:
    return tuple((name, tuple(values)) for name, values in json.loads(text))
