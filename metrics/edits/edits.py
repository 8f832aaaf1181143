"""What people change on the pages: assumed numbers, zone cuts, packages and targets, each with who, when, from what to
what, and why.

An edit is one row of a feed as a person wrote it. It is kept in the store, whose rows a run brings in beside those of
other sources (ingest/written.py): of two versions of a key the newer wins. What is in the store and not yet in a
generation is pending.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Integer, Numeric, Table, and_, func, insert, select, update

from metrics.errors import ChangedMeanwhile
from metrics.schema import FEEDS, PROVENANCE, quarantine, run_files, runs
from metrics.store import audit
from metrics.store.tables import assumption_edits, audit_trail, package_edits, run_history, target_edits

SOURCE = "written in Buyerview"
"""The source that rows people wrote have in the ledger."""

TABLES: dict[str, Table] = {"assumptions": assumption_edits, "service_packages": package_edits, "targets": target_edits}
"""Feeds people can write, and the store's table of each."""

Row = dict[str, Any]
Values = Mapping[str, str | None]


@dataclass(frozen=True)
class Edit:
    """One row of a feed as somebody wants it from a day on; `deleted`: as if they had never written it. Values as text.

    version: of the store's row it was made from (0: there was none), so that nobody's change is lost under another.
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
        """The feed's own columns, typed as the feed keeps them."""
        return typed(
            self.feed,
            {**dict(zip(key_columns(self.feed), self.key, strict=True)), **self.values, "valid_from": self.valid_from},
        )

    @property
    def name(self) -> str:
        """What is edited, in a line of the audit trail."""
        return scope_name(
            self.feed, {**dict(zip(key_columns(self.feed), self.key, strict=True)), "valid_from": self.valid_from}
        )


def key_columns(feed: str) -> tuple[str, ...]:
    """A feed's key without the day it holds from."""
    return tuple(name for name in FEEDS[feed].key if name != "valid_from")


def value_columns(feed: str) -> tuple[str, ...]:
    """What a feed says of a key."""
    return tuple(
        column.name for column in FEEDS[feed].table.columns if column.name not in (*FEEDS[feed].key, *PROVENANCE)
    )


def typed(feed: str, row: Mapping[str, Any]) -> Row:
    """A row of the store with the types its feed has."""
    columns = FEEDS[feed].table.c

    def value(name: str, given: Any) -> Any:
        if given is None:
            return None
        kind = columns[name].type
        return Decimal(given) if isinstance(kind, Numeric) else int(given) if isinstance(kind, Integer) else given

    return {name: value(name, row.get(name)) for name in (*FEEDS[feed].key, *value_columns(feed))}


# --- kept in the store --------------------------------------------------------------------------------------------------------------------


def saved_entries(store: Connection, feed: str) -> list[Row]:
    """Every row people wrote of a feed, taken-back ones included: typed, with `deleted`, `changed_at` and `version`."""
    rows = [dict(row) for row in store.execute(select(TABLES[feed])).mappings()]
    return [{**typed(feed, row), **{name: row[name] for name in ("deleted", "changed_at", "version")}} for row in rows]


def edit_from_row(store: Connection, edit: Edit) -> Edit:
    """The edit, as one that was made from the row the store has of its key now."""
    held = store.execute(select(TABLES[edit.feed].c.version).where(_is(edit))).scalar_one_or_none()
    return replace(edit, version=held or 0)


def save(store: Connection, who: str, edit: Edit, before: Values | None, was: Values | None = None) -> None:
    """Keep an edit, checked before. Raises ChangedMeanwhile.

    before: what the feed said of the very key and day, None: nothing; was: what was in force until then, for who reads
    the trail.
    """
    table = TABLES[edit.feed]
    own = {**dict(zip(key_columns(edit.feed), edit.key, strict=True)), "valid_from": edit.valid_from}
    now = datetime.now(UTC).replace(tzinfo=None)
    row = {**edit.values, "deleted": edit.deleted, "changed_at": now, "version": edit.version + 1}
    if edit.version:
        done = store.execute(update(table).where(_is(edit), table.c.version == edit.version).values(row)).rowcount
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


def _is(edit: Edit) -> Any:
    table = TABLES[edit.feed]
    names = zip(key_columns(edit.feed), edit.key, strict=True)
    return and_(table.c.valid_from == edit.valid_from, *(table.c[name] == value for name, value in names))


def changes(store: Connection, feed: str) -> list[Row]:
    """Who changed what of a feed when, newest first: `entry`, `at`, `who`, `what`, `key`, `before`, `after`."""
    told = select(audit_trail.c.key).where(audit_trail.c.what.in_((f"{feed} set", f"{feed} taken back"))).distinct()
    found = [change for key in store.scalars(told) for change in audit.entries_of(store, key)]
    return sorted(found, key=lambda one: -int(one["entry"]))


def latest_entry(store: Connection) -> int:
    """The number of the last change anybody made of anything; 0: nobody did."""
    return store.scalar(select(func.max(audit_trail.c.entry))) or 0


def reverting(store: Connection, change: Mapping[str, Any]) -> Edit:
    """The edit that puts back what a change replaced."""
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
        f"takes back what {change['who']} changed",
        deleted=before is None,
    )
    return edit_from_row(store, edit)


# --- what a generation makes of it --------------------------------------------------------------------------------------------------------


def rows_of(connection: Connection, feed: str) -> list[Row]:
    """Every row of a feed in a generation, withdrawn ones too."""
    return [dict(row) for row in connection.execute(select(FEEDS[feed].table)).mappings()]


def merged(feed: str, rows: Iterable[Row], wrote: Sequence[Row]) -> list[Row]:
    """The feed's rows once a run took in what was written: of two versions of a key the newer, a row without its moment
    being the older.
    """
    found = {_key(feed, row): row for row in rows}
    for one in wrote:
        held = found.get(_key(feed, one))
        if held is None and one["deleted"]:
            continue
        if held is None or held["source_updated_at"] is None or held["source_updated_at"] < one["changed_at"]:
            new = {
                **typed(feed, one),
                "source": SOURCE,
                "file_id": 0,
                "row_no": 0,
                "source_updated_at": one["changed_at"],
                "deleted": one["deleted"],
            }
            found[_key(feed, one)] = new
    return list(found.values())


def value_at(feed: str, rows: Iterable[Row], edit: Edit) -> dict[str, str | None] | None:
    """What the feed says of an edit's very key and day, as text; None: nothing."""
    wanted = _key(feed, edit.row)
    held = next((row for row in rows if _key(feed, row) == wanted and not row["deleted"]), None)
    return values_of(feed, held)


def effective_on(feed: str, rows: Iterable[Row], key: tuple[str, ...], on: date) -> Row | None:
    """The row of a key that holds on a day: of several the last to have begun."""
    names = key_columns(feed)
    mine = [
        row
        for row in rows
        if tuple(row[name] for name in names) == key and not row["deleted"] and row["valid_from"] <= on
    ]
    return max(mine, key=lambda row: row["valid_from"], default=None)


def values_of(feed: str, row: Mapping[str, Any] | None) -> dict[str, str | None] | None:
    """What a row says, as text; None of no row."""
    return None if row is None else {name: describe(row[name]) for name in value_columns(feed)}


def describe(value: Any) -> str | None:
    """A value of a feed as text."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value else "0"
    return None if value is None else str(value)


def pending(feed: str, rows: Sequence[Row], wrote: Sequence[Row]) -> list[Row]:
    """What was written and is not in the generation yet."""
    have = {_key(feed, row): _said(feed, row) for row in rows}
    after = {_key(feed, row): row for row in merged(feed, rows, wrote)}
    return [one for one in wrote if (key := _key(feed, one)) in after and _said(feed, after[key]) != have.get(key)]


def rejected(connection: Connection, feed: str, waiting: Iterable[Row]) -> dict[str, str]:
    """Why rows that wait were refused by the rules of the run that brought them, by the name of the edit; one changed
    since may yet do.
    """
    q = quarantine.c
    tables = quarantine.join(run_files, run_files.c.file_id == q.file_id).join(runs, runs.c.run_id == q.run_id)
    mine = (q.feed == feed, q.status == "rejected", run_files.c.source == SOURCE)
    refused = select(q.key, q.rules, runs.c.started_at).select_from(tables).where(*mine).order_by(q.run_id)
    found = {
        tuple(json.loads(row.key or "{}").get(name) for name in FEEDS[feed].key): row
        for row in connection.execute(refused)
    }
    told = {}
    for one in waiting:
        row = found.get(tuple(str(value) for value in _key(feed, one)))
        if row is not None and row.started_at >= one["changed_at"]:
            told[scope_name(feed, one)] = " ".join(rule["message"] for rule in json.loads(row.rules))
    return told


def scope_name(feed: str, row: Mapping[str, Any]) -> str:
    """A row people write, as its line of the audit trail names it."""
    return " ".join((feed, *(str(row[name]) for name in key_columns(feed)), f"from {row['valid_from']}"))


def failure(store: Connection, since: datetime) -> str | None:
    """Why the last run that was to bring in what was written did not; None: there was none since, or it went well."""
    mine = select(run_history).where(run_history.c.source == SOURCE, run_history.c.finished_at >= since)
    last = store.execute(mine.order_by(run_history.c.finished_at.desc()).limit(1)).mappings().one_or_none()
    return str(json.loads(last["report"])["message"]) if last is not None and last["outcome"] == "failed" else None


def _key(feed: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in FEEDS[feed].key)


def _said(feed: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (row["deleted"], *(row[name] for name in value_columns(feed)))
