"""User edits of assumptions, zone cuts, service packages and targets: store, revert, and merge with the feeds.

An edit is one row of a feed, entered by a user. The store keeps it, and an ingest run loads it next to the rows of
other sources (`ingest/saved_edits.py`). Of two versions of a key, the newer one applies. An edit that is in the store
and not yet in the generation is pending. What may be entered is in `validation.py`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from sqlalchemy import Connection, Integer, Numeric, Table, and_, func, insert, select, update

from metrics.errors import ChangedMeanwhile
from metrics.facts.mapped_columns import SOURCE_OF_EDITS
from metrics.schema import FEEDS, PROVENANCE, Row, RowValues, quarantine, run_files, runs
from metrics.sql.dialects import Expression
from metrics.store import audit
from metrics.store.tables import assumption_edits, audit_trail, package_edits, run_history, target_edits

SOURCE = SOURCE_OF_EDITS

TABLES: dict[str, Table] = {"assumptions": assumption_edits, "service_packages": package_edits, "targets": target_edits}
"""Feeds that users can edit, each with its table in the store."""

Values = Mapping[str, str | None]


@dataclass(frozen=True)
class Edit:
    """One row of a feed as a user wants it from a day on. Values are text. `deleted` removes the row the user had
    saved.

    version: version of the stored row that the edit replaces (0: none), so that no other change is overwritten.
    """

    feed: str
    key: tuple[str, ...]
    valid_from: date
    values: Mapping[str, str | None] = field(hash=False)
    note: str = ""
    deleted: bool = False
    version: int = 0

    @property
    def row(self) -> Row:
        """The row with the feed's own columns and types."""
        return typed(
            self.feed,
            {**dict(zip(key_columns(self.feed), self.key, strict=True)), **self.values, "valid_from": self.valid_from},
        )

    @property
    def name(self) -> str:
        """Name of the edited row in the audit trail."""
        return scope_name(
            self.feed, {**dict(zip(key_columns(self.feed), self.key, strict=True)), "valid_from": self.valid_from}
        )


def key_columns(feed: str) -> tuple[str, ...]:
    """Return a feed's key columns without `valid_from`."""
    return tuple(name for name in FEEDS[feed].key if name != "valid_from")


def value_columns(feed: str) -> tuple[str, ...]:
    """Return the columns of a feed that are neither key nor provenance."""
    return tuple(
        column.name for column in FEEDS[feed].table.columns if column.name not in (*FEEDS[feed].key, *PROVENANCE)
    )


def typed(feed: str, row: RowValues) -> Row:
    """Convert a row of the store to the types of its feed."""
    columns = FEEDS[feed].table.c

    def converted(name: str) -> object:
        value, column_type = row.get(name), columns[name].type
        if value is None:
            return None
        if isinstance(column_type, Numeric):
            return Decimal(value)
        return int(value) if isinstance(column_type, Integer) else value

    return {name: converted(name) for name in (*FEEDS[feed].key, *value_columns(feed))}


# --- in the store -----------------------------------------------------------------------------------------------------


def saved_entries(store: Connection, feed: str) -> list[Row]:
    """Return all saved edits of a feed, reverted ones included: typed, with `deleted`, `changed_at` and `version`."""
    rows = [dict(row) for row in store.execute(select(TABLES[feed])).mappings()]
    return [{**typed(feed, row), **{name: row[name] for name in ("deleted", "changed_at", "version")}} for row in rows]


def edit_from_row(store: Connection, edit: Edit) -> Edit:
    """Return the edit with the version that the store has of its key now."""
    version = store.execute(select(TABLES[edit.feed].c.version).where(_matches(edit))).scalar_one_or_none()
    return replace(edit, version=version or 0)


def save(store: Connection, who: str, edit: Edit, before: Values | None, was: Values | None = None) -> None:
    """Save a validated edit and record it. Raises ChangedMeanwhile if another user saved the key first.

    before: the feed's values of the same key and day (None: none); was: the values in effect until now, recorded for
    readers of the audit trail.
    """
    table = TABLES[edit.feed]
    own = {**dict(zip(key_columns(edit.feed), edit.key, strict=True)), "valid_from": edit.valid_from}
    now = datetime.now(UTC).replace(tzinfo=None)
    row = {**edit.values, "deleted": edit.deleted, "changed_at": now, "version": edit.version + 1}
    if edit.version:
        done = store.execute(update(table).where(_matches(edit), table.c.version == edit.version).values(row)).rowcount
    else:
        done = 0 if edit_from_row(store, edit).version else store.execute(insert(table).values({**own, **row})).rowcount
    if not done:
        latest = audit.entries_of(store, edit.name)[0]
        raise ChangedMeanwhile(edit.name, latest["who"], latest["at"])
    about = {
        **{name: str(value) for name, value in own.items()},
        "note": edit.note or None,
        "was": dict(was) if was else None,
    }
    after = {**about, **(dict.fromkeys(edit.values) if edit.deleted else edit.values)}
    audit.record(store, who, f"{edit.feed} {'taken back' if edit.deleted else 'set'}", edit.name, before, after)


def _matches(edit: Edit) -> Expression:
    table = TABLES[edit.feed]
    names = zip(key_columns(edit.feed), edit.key, strict=True)
    return and_(table.c.valid_from == edit.valid_from, *(table.c[name] == value for name, value in names))


def changes(store: Connection, feed: str) -> list[Row]:
    """Return the changes of a feed, newest first: `entry`, `at`, `who`, `what`, `key`, `before`, `after`."""
    keys = select(audit_trail.c.key).where(audit_trail.c.what.in_((f"{feed} set", f"{feed} taken back"))).distinct()
    entries = [change for key in store.scalars(keys) for change in audit.entries_of(store, key)]
    return sorted(entries, key=lambda entry: -int(entry["entry"]))


def latest_entry(store: Connection) -> int:
    """Return the number of the last change in the audit trail, or 0."""
    return store.scalar(select(func.max(audit_trail.c.entry))) or 0


def reverting(store: Connection, change: RowValues) -> Edit:
    """Return the edit that reverts a change."""
    feed = str(change["what"]).split(" ", 1)[0]
    after, before = change["after"], change["before"]
    names = value_columns(feed)
    key = tuple(after[name] for name in key_columns(feed))
    latest = next(iter(audit.entries_of(store, change["key"])), change)["after"]
    values = {name: (before or latest).get(name) for name in names}
    edit = Edit(
        feed,
        key,
        date.fromisoformat(after["valid_from"]),
        values,
        f"reverts the change by {change['who']}",
        deleted=before is None,
    )
    return edit_from_row(store, edit)


# --- merged with a generation -----------------------------------------------------------------------------------------


def rows_of(connection: Connection, feed: str) -> list[Row]:
    """Return all rows of a feed in a generation, deleted ones included."""
    return [dict(row) for row in connection.execute(select(FEEDS[feed].table)).mappings()]


def merged(feed: str, rows: Iterable[Row], saved: Sequence[Row]) -> list[Row]:
    """Return the feed's rows after a run has loaded the saved edits.

    Of two versions of a key the newer one applies. A row without `source_updated_at` counts as older.
    """
    by_key = {_key(feed, row): row for row in rows}
    for entry in saved:
        row = by_key.get(_key(feed, entry))
        if row is None and entry["deleted"]:
            continue
        if row is None or row["source_updated_at"] is None or row["source_updated_at"] < entry["changed_at"]:
            new = {
                **typed(feed, entry),
                "source": SOURCE,
                "file_id": 0,
                "row_no": 0,
                "source_updated_at": entry["changed_at"],
                "deleted": entry["deleted"],
            }
            by_key[_key(feed, entry)] = new
    return list(by_key.values())


def value_at(feed: str, rows: Iterable[Row], edit: Edit) -> dict[str, str | None] | None:
    """Return the feed's values of the edit's key and day as text, or None if it has no such row."""
    wanted = _key(feed, edit.row)
    row = next((row for row in rows if _key(feed, row) == wanted and not row["deleted"]), None)
    return values_of(feed, row)


def effective_on(feed: str, rows: Iterable[Row], key: tuple[str, ...], day: date) -> Row | None:
    """Return the row of a key that applies on a day: the one with the latest `valid_from` up to it."""
    names = key_columns(feed)
    candidates = [
        row
        for row in rows
        if tuple(row[name] for name in names) == key and not row["deleted"] and row["valid_from"] <= day
    ]
    return max(candidates, key=lambda row: row["valid_from"], default=None)


def values_of(feed: str, row: RowValues | None) -> dict[str, str | None] | None:
    """Return the values of a row as text."""
    return None if row is None else {name: describe(row[name]) for name in value_columns(feed)}


def describe(value: object) -> str | None:
    """Return a value of a feed as text."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    return None if value is None else str(value)


def pending(feed: str, rows: Sequence[Row], saved: Sequence[Row]) -> list[Row]:
    """Return the saved edits that the generation does not contain yet."""
    loaded = {_key(feed, row): _content(feed, row) for row in rows}
    after = {_key(feed, row): row for row in merged(feed, rows, saved)}
    return [
        entry
        for entry in saved
        if (key := _key(feed, entry)) in after and _content(feed, after[key]) != loaded.get(key)
    ]


def rejected(connection: Connection, feed: str, waiting: Iterable[Row]) -> dict[str, str]:
    """Return the reasons why a run rejected pending edits, by name of the edit.

    An edit that changed after that run is left out, because the next run may accept it.
    """
    c = quarantine.c
    tables = quarantine.join(run_files, run_files.c.file_id == c.file_id).join(runs, runs.c.run_id == c.run_id)
    mine = (c.feed == feed, c.status == "rejected", run_files.c.source == SOURCE)
    refused = select(c.key, c.rules, runs.c.started_at).select_from(tables).where(*mine).order_by(c.run_id)
    rejections = {
        tuple(json.loads(rejection.key or "{}").get(name) for name in FEEDS[feed].key): rejection
        for rejection in connection.execute(refused)
    }
    reasons = {}
    for entry in waiting:
        rejection = rejections.get(tuple(str(value) for value in _key(feed, entry)))
        if rejection is not None and rejection.started_at >= entry["changed_at"]:
            reasons[scope_name(feed, entry)] = " ".join(rule["message"] for rule in json.loads(rejection.rules))
    return reasons


def scope_name(feed: str, row: RowValues) -> str:
    """Return the name of an edited row in the audit trail."""
    return " ".join((feed, *(str(row[name]) for name in key_columns(feed)), f"from {row['valid_from']}"))


def failure(store: Connection, since: datetime) -> str | None:
    """Return the error of the last run of saved edits since a moment; None if there is no run or no error."""
    runs_of_edits = select(run_history).where(run_history.c.source == SOURCE, run_history.c.finished_at >= since)
    last = store.execute(runs_of_edits.order_by(run_history.c.finished_at.desc()).limit(1)).mappings().one_or_none()
    return str(json.loads(last["report"])["message"]) if last is not None and last["outcome"] == "failed" else None


def _key(feed: str, row: RowValues) -> tuple[object, ...]:
    return tuple(row[name] for name in FEEDS[feed].key)


def _content(feed: str, row: RowValues) -> tuple[object, ...]:
    return (row["deleted"], *(row[name] for name in value_columns(feed)))
