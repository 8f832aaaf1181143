"""The audit trail: who changed what, when, and the values before and after.

Callers record a change in the transaction that makes it. Each entry has a hash of its content and of the hash before
it, so that a changed, added or deleted entry breaks the chain. Entries that are deleted at the end together with their
hashes leave no trace: compare the last hash with a noted one.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select

from metrics.schema import Row, RowValues
from metrics.store.tables import audit_chain, audit_trail

LOCK = 0x6275796175646974
"""Key of the advisory lock of writers on a server: "buyaudit" as a number."""


def record(
    connection: Connection,
    who: str,
    what: str,
    key: str,
    before: RowValues | None,
    after: RowValues | None,
) -> None:
    """Record one change. `before` is None for a new thing, `after` is None for a deleted one."""
    now = datetime.now(UTC).replace(tzinfo=None)
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
    values = {"at": now, "who": who, "what": what, "key": key, "before": _json(before), "after": _json(after)}
    entry = connection.execute(insert(audit_trail).values(values).returning(audit_trail.c.entry)).scalar_one()
    last = connection.scalar(select(audit_chain.c.sha256).order_by(audit_chain.c.entry.desc()).limit(1))
    connection.execute(insert(audit_chain).values(entry=entry, sha256=_hash(values, last)))


@dataclass(frozen=True)
class Chain:
    """The state of the hash chain. broken: entries that were changed or added by hand, or follow a deleted entry."""

    entries: int
    without_hash: int
    last: str | None
    broken: tuple[int, ...]


def check_chain(connection: Connection) -> Chain:
    """Compute the hash of every entry again. Entries before the first hash are those of earlier versions."""
    joined = audit_trail.outerjoin(audit_chain, audit_chain.c.entry == audit_trail.c.entry)
    rows = connection.execute(
        select(audit_trail, audit_chain.c.sha256).select_from(joined).order_by(audit_trail.c.entry)
    ).mappings()
    entries, without_hash, broken = 0, 0, []
    last: str | None = None
    for row in rows:
        entries += 1
        if row["sha256"] is None and last is None:
            without_hash += 1
            continue
        if row["sha256"] != _hash(dict(row), last):
            broken.append(int(row["entry"]))
        last = row["sha256"] or last
    kept = select(audit_trail.c.entry)
    gone = connection.scalars(select(audit_chain.c.entry).where(audit_chain.c.entry.not_in(kept)))
    return Chain(entries, without_hash, last, tuple(sorted({*broken, *gone})))


def _hash(values: RowValues, before: str | None) -> str:
    parts = [before, values["at"].isoformat(), *[values[name] for name in ("who", "what", "key", "before", "after")]]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


def entries_of(connection: Connection, key: str) -> list[Row]:
    """Return the changes of one thing, newest first."""
    rows = connection.execute(
        select(audit_trail).where(audit_trail.c.key == key).order_by(audit_trail.c.entry.desc())
    ).mappings()
    return [{**row, "before": _read(row["before"]), "after": _read(row["after"])} for row in rows]


def latest_entries(connection: Connection, action: str, *, limit: int) -> list[Row]:
    """Return the latest changes whose action begins with this word, newest first."""
    chosen = select(audit_trail).where(audit_trail.c.what.startswith(f"{action} ", autoescape=True))
    rows = connection.execute(chosen.order_by(audit_trail.c.entry.desc()).limit(limit)).mappings()
    return [{**row, "before": _read(row["before"]), "after": _read(row["after"])} for row in rows]


def _json(values: RowValues | None) -> str | None:
    return None if values is None else json.dumps(values, ensure_ascii=False, default=str)


def _read(text: str | None) -> Row | None:
    return None if text is None else json.loads(text)
