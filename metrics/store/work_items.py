"""Work items: what people do about orders that failed or are about to. One item an order; none is kept until somebody
does something.

Who saves names the item as they read it. Where another came first nothing is written and ChangedMeanwhile says who, so
that no change is lost under another; comments are only ever added. The item stays when its order leaves the data, and
any generation can be read beside it.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from metrics.errors import ChangedMeanwhile
from metrics.store import audit
from metrics.store.tables import work_comments, work_items

REMEDIES = {
    "apology": "Apologised",
    "replaced": "Replaced",
    "credited": "Credited",
    "reshipped": "Shipped again",
    "other": "Something else",
}
"""What can be done about a failed order, by its code."""

OPEN, RESOLVED = "open", "resolved"


@dataclass(frozen=True)
class Item:
    """What people do about one order; version 0: nothing yet."""

    order_id: str
    customer: str | None = None
    status: str = OPEN
    owner: str | None = None
    detected_at: datetime | None = None
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    remedy: str | None = None
    remedy_note: str | None = None
    resolved_by: str | None = None
    changed_at: datetime | None = None
    version: int = 0


def items(connection: Connection, order_ids: Iterable[str]) -> dict[str, Item]:
    """The items of these orders by order; orders nobody has touched are left out."""
    rows = connection.execute(select(work_items).where(work_items.c.order_id.in_(list(order_ids)))).mappings()
    return {row["order_id"]: Item(**row) for row in rows}


def item(connection: Connection, order_id: str) -> Item:
    """The item of one order, touched or not."""
    return items(connection, [order_id]).get(order_id, Item(order_id))


def order_ids(
    connection: Connection, *, status: str | None = None, owner: str | None = None, owned: bool = False
) -> list[str]:
    """Orders whose item has a status, an owner, or any owner, in their order."""
    w = work_items.c
    wanted: list[ColumnElement[bool]] = []
    if status is not None:
        wanted.append(w.status == status)
    if owner is not None:
        wanted.append(w.owner == owner)
    if owned:
        wanted.append(w.owner.is_not(None))
    return list(connection.scalars(select(w.order_id).where(*wanted).order_by(w.order_id)))


def owners(connection: Connection) -> list[str]:
    """Everybody who owns something, in alphabetical order."""
    w = work_items.c
    return [
        str(name)
        for name in connection.scalars(select(w.owner).where(w.owner.is_not(None)).distinct().order_by(w.owner))
    ]


def counts(connection: Connection) -> dict[str, int]:
    """How many items there are by status."""
    found = connection.execute(select(work_items.c.status, func.count()).group_by(work_items.c.status))
    return {status: int(number) for status, number in found}


def comments(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """What was said about an order, oldest first: `at`, `who`, `text`."""
    c = work_comments.c
    return [
        dict(row)
        for row in connection.execute(
            select(c.at, c.who, c.text).where(c.order_id == order_id).order_by(c.comment_id)
        ).mappings()
    ]


def history(connection: Connection, order_id: str) -> list[dict[str, Any]]:
    """The changes of an order's item, newest first."""
    return audit.entries_of(connection, _key(order_id))


def assign(
    connection: Connection, who: str, chosen: Sequence[Item], owner: str | None, *, at: datetime
) -> list[ChangedMeanwhile]:
    """Give orders to somebody, or (None) to nobody; what others changed meanwhile is left as it is and returned.

    To take an order up is to have noticed its failure: `at` is that moment unless there is one.
    """
    refused = []
    for one in chosen:
        try:
            _change(connection, who, "assigned", one, owner=owner, detected_at=one.detected_at or at)
        except ChangedMeanwhile as error:
            refused.append(error)
    return refused


def comment(connection: Connection, who: str, one: Item, text: str, *, at: datetime) -> None:
    """Say something about an order. Two who do so at once are both heard."""
    if not item(connection, one.order_id).version:
        with suppress(ChangedMeanwhile):  # somebody else has just begun it
            _change(connection, who, "begun", replace(one, version=0), detected_at=at)
    now = datetime.now(UTC).replace(tzinfo=None)
    connection.execute(insert(work_comments).values(order_id=one.order_id, at=now, who=who, text=text.strip()))


def resolve(
    connection: Connection,
    who: str,
    one: Item,
    *,
    remedy: str,
    note: str | None,
    detected_at: datetime,
    acknowledged_at: datetime | None,
    resolved_at: datetime,
) -> Item:
    """Say what was done about an order, and when. Raises ChangedMeanwhile, and ValueError where the moments cannot have
    been so.
    """
    told = [moment for moment in (detected_at, acknowledged_at, resolved_at) if moment is not None]
    if told != sorted(told):
        raise ValueError("noticed, answered and put right must follow one another in time")
    if remedy not in REMEDIES:
        raise ValueError(f"{remedy} is none of {', '.join(REMEDIES)}")
    return _change(
        connection,
        who,
        "resolved",
        one,
        status=RESOLVED,
        owner=one.owner or who,
        remedy=remedy,
        remedy_note=(note or "").strip() or None,
        detected_at=detected_at,
        acknowledged_at=acknowledged_at or resolved_at,
        resolved_at=resolved_at,
        resolved_by=who,
    )


def reopen(connection: Connection, who: str, one: Item) -> Item:
    """Take a resolution back: it was not put right after all. What had been said of it stays in the history. Raises
    ChangedMeanwhile.
    """
    return _change(
        connection, who, "reopened", one, status=OPEN, resolved_at=None, remedy=None, remedy_note=None, resolved_by=None
    )


def _change(connection: Connection, who: str, what: str, one: Item, **values: Any) -> Item:
    new = replace(one, **values, changed_at=datetime.now(UTC).replace(tzinfo=None), version=one.version + 1)
    row = asdict(new)
    if one.version:
        held = (work_items.c.order_id == one.order_id) & (work_items.c.version == one.version)
        written = connection.execute(update(work_items).where(held).values(row)).rowcount
    else:
        written = _inserted(connection, row)
    if not written:
        latest = history(connection, one.order_id)[0]
        raise ChangedMeanwhile(f"order {one.order_id}", latest["who"], latest["at"])
    before = asdict(one)
    changed = [name for name, value in row.items() if value != before[name] and name not in ("version", "changed_at")]
    audit.record(
        connection,
        who,
        f"work item {what}",
        _key(one.order_id),
        {name: before[name] for name in changed} if one.version else None,
        {name: row[name] for name in changed},
    )
    return new


def _inserted(connection: Connection, row: dict[str, Any]) -> int:
    try:
        with connection.begin_nested():
            return connection.execute(insert(work_items).values(row)).rowcount
    except IntegrityError:  # there is one by now
        return 0


def _key(order_id: str) -> str:
    return f"order {order_id}"
