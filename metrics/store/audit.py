"""The audit trail: who changed what, when, and the values before and after.

Callers record a change in the transaction that makes it.
"""

import json
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select

from metrics.schema import Row, RowValues
from metrics.store.tables import audit_trail


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
    connection.execute(
        insert(audit_trail).values(at=now, who=who, what=what, key=key, before=_json(before), after=_json(after))
    )


def entries_of(connection: Connection, key: str) -> list[Row]:
    """Return the changes of one thing, newest first."""
    rows = connection.execute(
        select(audit_trail).where(audit_trail.c.key == key).order_by(audit_trail.c.entry.desc())
    ).mappings()
    return [{**row, "before": _read(row["before"]), "after": _read(row["after"])} for row in rows]


def _json(values: RowValues | None) -> str | None:
    return None if values is None else json.dumps(values, ensure_ascii=False, default=str)


def _read(text: str | None) -> Row | None:
    return None if text is None else json.loads(text)
