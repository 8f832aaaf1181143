"""Records that changed since a run, and their orders: arrived, corrected, deleted, released from or put into
quarantine.

Changed records are found through the file of their current version, so the work grows with the new records only.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, and_, select

from metrics.schema import (
    FEEDS,
    invoice_lines,
    order_lines,
    orders,
    quarantine,
    restatements,
    run_files,
    shipment_lines,
)

T = TypeVar("T")

LED_BY = {
    "shipments": (shipment_lines, "shipment_id"),
    "invoices": (invoice_lines, "invoice_id"),
    "payments": (invoice_lines, "invoice_id"),
    "customers": (orders, "customer_id"),
    "products": (order_lines, "product_id"),
}
"""Feeds without an order column: the table that links their rows to orders, and the linking column."""
FOR_ALL = ("calendars", "fx_rates", "unit_factors", "service_packages", "policies", "assumptions")
"""Feeds of which one record may affect every order."""
AT_ONCE = 1_000
OPEN = ("rejected", "waiting")

ARRIVED, RELEASED, QUARANTINED = "arrived", "released from quarantine", "put into quarantine"


@dataclass(frozen=True)
class RecordChange:
    """One changed record. how: arrived, correction, deletion, undeletion, or into or out of quarantine.

    before, after: JSON of the changed columns.
    """

    feed: str
    key: str
    order_id: str | None
    how: str
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True)
class RecordChanges:
    """Records changed after a run, in the newest generation. released: (file_id, row_no) of records that were in
    quarantine.
    """

    connection: Connection
    run_id: int
    released: frozenset[tuple[int, int]]


def changes_since(connection: Connection, run_id: int, then: Connection | None) -> RecordChanges:
    """Return the changes after a run. Without the older generation `then`, records released from quarantine are not
    listed.
    """
    q = quarantine.c
    open_records = select(q.file_id, q.row_no).where(q.status.in_(OPEN))
    before = set(map(tuple, then.execute(open_records))) if then is not None else set()
    out = set(map(tuple, connection.execute(select(q.file_id, q.row_no).where(q.status == "released"))))
    return RecordChanges(connection, run_id, frozenset(before & out))


def orders_changed(found: RecordChanges) -> set[str]:
    """Return the orders of all changed records."""
    ids: set[str] = set()
    for feed in FEEDS:
        rows = _rows(feed).subquery("of_feed")
        if "order_id" in rows.c:
            ids.update(found.connection.scalars(select(rows.c.order_id).where(rows.c.file_id.in_(_later(found)))))
    q = quarantine.c
    ids.update(found.connection.scalars(select(q.order_id).where(q.run_id > found.run_id)))
    ids.update(row.order_id for row in _let_out(found))
    return {identifier for identifier in ids if identifier is not None}


def affects_all_orders(found: RecordChanges) -> bool:
    """Return true if a changed record may affect every order."""
    changed = (
        select(FEEDS[feed].table.c.file_id).where(FEEDS[feed].table.c.file_id.in_(_later(found))).limit(1)
        for feed in FOR_ALL
    )
    return any(found.connection.execute(row).first() is not None for row in changed)


def of_orders(found: RecordChanges, order_ids: Collection[str]) -> dict[str, list[RecordChange]]:
    """Return the changed records of these orders, by order."""
    by_order: dict[str, list[RecordChange]] = {}
    for some in batched(sorted(order_ids)):
        for one in _of(found, some):
            by_order.setdefault(one.order_id or "", []).append(one)
    return by_order


def not_of_an_order(found: RecordChanges) -> dict[str, list[RecordChange]]:
    """Return the changed records that belong to no order, by feed."""
    listed = {
        feed: [*_changes(found, feed, _rows(feed))] for feed in FEEDS if "order_id" not in _rows(feed).selected_columns
    }
    return {feed: changes for feed, changes in listed.items() if changes}


def _of(found: RecordChanges, order_ids: Sequence[str]) -> Iterator[RecordChange]:
    for feed in FEEDS:
        rows = _rows(feed)
        if "order_id" in rows.selected_columns:
            yield from _changes(found, feed, rows.where(rows.selected_columns.order_id.in_(order_ids)))
    q = quarantine.c
    rejected = select(q.feed, q.key, q.order_id, q.rules).where(
        q.run_id > found.run_id, q.status.in_(OPEN), q.order_id.in_(order_ids)
    )
    for row in found.connection.execute(rejected):
        yield RecordChange(
            row.feed, row.key or "", row.order_id, QUARANTINED, after="; ".join(map(_refused, json.loads(row.rules)))
        )
    wanted = set(order_ids)
    yield from (
        RecordChange(row.feed, row.key or "", row.order_id, RELEASED)
        for row in _let_out(found)
        if row.order_id in wanted
    )


def _refused(rule: dict[str, Any]) -> str:
    """The reason why a record was quarantined: column and value if one is wrong, and the message."""
    named = f"{rule['column']} {rule['value']!r}: " if rule.get("column") and rule.get("value") is not None else ""
    return f"{named}{rule['message']}"


def _rows(feed: str) -> Select[Any]:
    """A feed's records: key, file_id, and the orders they belong to if there is a link."""
    about = FEEDS[feed]
    columns = [about.table.c[name] for name in dict.fromkeys((*about.key, "file_id"))]
    if feed in LED_BY:
        leading, by = LED_BY[feed]
        return (
            select(*columns, leading.c.order_id)
            .distinct()
            .join_from(about.table, leading, leading.c[by] == about.table.c[by])
        )
    if "order_id" in about.table.c and "order_id" not in about.key:
        columns.append(about.table.c.order_id)
    return select(*columns)


def _changes(found: RecordChanges, feed: str, rows: Select[Any]) -> Iterator[RecordChange]:
    """The changed records of a feed; corrected ones with their former values."""
    key = FEEDS[feed].key
    later = rows.where(FEEDS[feed].table.c.file_id.in_(_later(found)))
    listed = list(found.connection.execute(later.order_by(*(FEEDS[feed].table.c[name] for name in key))).mappings())
    corrected = _corrected(found, feed) if listed else {}
    for row in listed:
        named = {name: str(row[name]) for name in key}
        how, before, after = corrected.get(tuple(named.values()), (ARRIVED, None, None))
        yield RecordChange(feed, json.dumps(named, ensure_ascii=False), row.get("order_id"), how, before, after)


def _corrected(found: RecordChanges, feed: str) -> dict[tuple[str, ...], tuple[str, str, str]]:
    """Restatements of a feed by key: the reason, the columns before the first and after the last of them."""
    r = restatements.c
    later_changes = (
        select(r.key, r.why, r.before, r.after).where(r.run_id > found.run_id, r.feed == feed).order_by(r.run_id)
    )
    by_key: dict[tuple[str, ...], tuple[str, str, str]] = {}
    for row in found.connection.execute(later_changes):
        values = json.loads(row.key)
        key = tuple(str(values[name]) for name in FEEDS[feed].key)
        if earlier := by_key.get(key):
            by_key[key] = (row.why, _merged(row.before, earlier[1]), _merged(earlier[2], row.after))
        else:
            by_key[key] = (row.why, row.before, row.after)
    return by_key


def _merged(one: str, other: str) -> str:
    """Combine the columns of two corrections; the second applies if both have a column."""
    return json.dumps({**json.loads(one), **json.loads(other)}, ensure_ascii=False)


def _later(found: RecordChanges) -> Select[tuple[int]]:
    return select(run_files.c.file_id).where(run_files.c.run_id > found.run_id)


def _let_out(found: RecordChanges) -> Iterator[Any]:
    """Quarantined records that were released since."""
    q = quarantine.c
    for some in batched(sorted(found.released)):
        files = {file_id for file_id, _ in some}
        listed = select(q.feed, q.key, q.order_id, q.file_id, q.row_no).where(
            and_(q.status == "released", q.file_id.in_(files))
        )
        yield from (row for row in found.connection.execute(listed) if (row.file_id, row.row_no) in some)


def batched(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """Split values into batches that fit into one statement."""
    return (values[at : at + AT_ONCE] for at in range(0, len(values), AT_ONCE))
