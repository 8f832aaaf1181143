"""The audit trail: who changed what, when, from what to what. Written in the transaction of the change itself."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from metrics.store.tables import audit_trail


def record(
    connection: Connection,
    who: str,
    what: str,
    key: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
) -> None:
    """Write one change down; None before: it is new, None after: it was deleted."""
    now = datetime.now(UTC).replace(tzinfo=None)
    connection.execute(
        insert(audit_trail).values(at=now, who=who, what=what, key=key, before=_json(before), after=_json(after))
    )


def entries_of(connection: Connection, key: str) -> list[dict[str, Any]]:
    """The changes of one thing, newest first."""
    rows = connection.execute(
        select(audit_trail).where(audit_trail.c.key == key).order_by(audit_trail.c.entry.desc())
    ).mappings()
    return [{**row, "before": _read(row["before"]), "after": _read(row["after"])} for row in rows]


def _json(values: Mapping[str, Any] | None) -> str | None:
    return None if values is None else json.dumps(values, ensure_ascii=False, default=str)


def _read(text: str | None) -> dict[str, Any] | None:
    return None if text is None else json.loads(text)
