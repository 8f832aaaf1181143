"""Work items: assignments, comments and resolutions of orders that failed or are at risk.

An order has at most one item; the first action on it creates the item. A save names the version it read. If another
user saved first, nothing is written and ChangedMeanwhile names that user. Comments are only added. The item stays when
its order leaves the data, and any generation can be read next to it.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from metrics.errors import ChangedMeanwhile
from metrics.schema import Row
from metrics.store import audit
from metrics.store.tables import work_comments, work_items

REMEDIES = {
    "apology": "Apologised",
    "replaced": "Replaced",
    "credited": "Credited",
    "reshipped": "Shipped again",
    "other": "Something else",
}
"""Remedies for a failed order, by code."""

OPEN, RESOLVED = "open", "resolved"


@dataclass(frozen=True)
class Item:
    """The work item of one order. Version 0: not created yet."""

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
    """Return the items of these orders by order. Orders without an item are left out."""
    rows = connection.execute(select(work_items).where(work_items.c.order_id.in_(list(order_ids)))).mappings()
    return {row["order_id"]: Item(**row) for row in rows}


def item(connection: Connection, order_id: str) -> Item:
    """Return the item of one order. An order without an item gets a new, unsaved one."""
    return items(connection, [order_id]).get(order_id, Item(order_id))


def order_ids(
    connection: Connection, *, status: str | None = None, owner: str | None = None, owned: bool = False
) -> list[str]:
    """Return the orders whose item has a status, an owner, or any owner, in order of their numbers."""
    c = work_items.c
    wanted: list[ColumnElement[bool]] = []
    if status is not None:
        wanted.append(c.status == status)
    if owner is not None:
        wanted.append(c.owner == owner)
    if owned:
        wanted.append(c.owner.is_not(None))
    return list(connection.scalars(select(c.order_id).where(*wanted).order_by(c.order_id)))


def owners(connection: Connection) -> list[str]:
    """Return everybody who owns an item, in alphabetical order."""
    c = work_items.c
    return [
        str(name)
        for name in connection.scalars(select(c.owner).where(c.owner.is_not(None)).distinct().order_by(c.owner))
    ]


def counts(connection: Connection) -> dict[str, int]:
    """Return the number of items by status."""
    rows = connection.execute(select(work_items.c.status, func.count()).group_by(work_items.c.status))
    return {status: int(number) for status, number in rows}


def comments(connection: Connection, order_id: str) -> list[Row]:
    """Return the comments on an order, oldest first: `at`, `who`, `text`."""
    c = work_comments.c
    return [
        dict(row)
        for row in connection.execute(
            select(c.at, c.who, c.text).where(c.order_id == order_id).order_by(c.comment_id)
        ).mappings()
    ]


def history(connection: Connection, order_id: str) -> list[Row]:
    """Return the changes of an order's item, newest first."""
    return audit.entries_of(connection, _key(order_id))


def assign(
    connection: Connection, who: str, selected: Sequence[Item], owner: str | None, *, at: datetime
) -> list[ChangedMeanwhile]:
    """Assign orders to a user, or to nobody (None). Return the refusals: orders that another user changed meanwhile.

    Assigning an order implies that its failure was noticed: `at` becomes its `detected_at` if it has none.
    """
    refused = []
    for work_item in selected:
        try:
            _change(connection, who, "assigned", work_item, owner=owner, detected_at=work_item.detected_at or at)
        except ChangedMeanwhile as error:
            refused.append(error)
    return refused


def comment(connection: Connection, who: str, work_item: Item, text: str, *, at: datetime) -> None:
    """Add a comment to an order. Comments added at the same time are all stored."""
    if not item(connection, work_item.order_id).version:
        with suppress(ChangedMeanwhile):  # another user has just created it
            _change(connection, who, "begun", replace(work_item, version=0), detected_at=at)
    now = datetime.now(UTC).replace(tzinfo=None)
    connection.execute(insert(work_comments).values(order_id=work_item.order_id, at=now, who=who, text=text.strip()))


def resolve(
    connection: Connection,
    who: str,
    work_item: Item,
    *,
    remedy: str,
    note: str | None,
    detected_at: datetime,
    acknowledged_at: datetime | None,
    resolved_at: datetime,
) -> Item:
    """Resolve an order: store the remedy and the moments.

    Raises ChangedMeanwhile if another user changed the item, and ValueError for moments out of order or an unknown
    remedy.
    """
    moments = [moment for moment in (detected_at, acknowledged_at, resolved_at) if moment is not None]
    if moments != sorted(moments):
        raise ValueError("the times are out of order: detected, then buyer informed, then resolved")
    if remedy not in REMEDIES:
        raise ValueError(f"unknown remedy {remedy!r}: choose one of {', '.join(REMEDIES)}")
    return _change(
        connection,
        who,
        "resolved",
        work_item,
        status=RESOLVED,
        owner=work_item.owner or who,
        remedy=remedy,
        remedy_note=(note or "").strip() or None,
        detected_at=detected_at,
        acknowledged_at=acknowledged_at or resolved_at,
        resolved_at=resolved_at,
        resolved_by=who,
    )


def reopen(connection: Connection, who: str, work_item: Item) -> Item:
    """Reopen a resolved order. The history keeps the former resolution. Raises ChangedMeanwhile."""
    return _change(
        connection,
        who,
        "reopened",
        work_item,
        status=OPEN,
        resolved_at=None,
        remedy=None,
        remedy_note=None,
        resolved_by=None,
    )


def _change(connection: Connection, who: str, what: str, read: Item, **values: Any) -> Item:  # Any: fields of Item
    new = replace(read, **values, changed_at=datetime.now(UTC).replace(tzinfo=None), version=read.version + 1)
    row = asdict(new)
    if read.version:
        unchanged = (work_items.c.order_id == read.order_id) & (work_items.c.version == read.version)
        rows_written = connection.execute(update(work_items).where(unchanged).values(row)).rowcount
    else:
        rows_written = _inserted(connection, row)
    if not rows_written:
        latest = history(connection, read.order_id)[0]
        raise ChangedMeanwhile(f"order {read.order_id}", latest["who"], latest["at"])
    before = asdict(read)
    changed = [name for name, value in row.items() if value != before[name] and name not in ("version", "changed_at")]
    audit.record(
        connection,
        who,
        f"work item {what}",
        _key(read.order_id),
        {name: before[name] for name in changed} if read.version else None,
        {name: row[name] for name in changed},
    )
    return new


def _inserted(connection: Connection, row: Row) -> int:
    try:
        with connection.begin_nested():
            return connection.execute(insert(work_items).values(row)).rowcount
    except IntegrityError:  # another user created the item first
        return 0


def _key(order_id: str) -> str:
    return f"order {order_id}"
