"""Waiting records whose parent has a key that differs only by leading zeros or case."""

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, FromClause, String, Table, and_, cast, func, literal, select

from metrics.facts.orders.in_quarantine import alike
from metrics.schema import invoices, order_lines, orders, quarantine, quarantine_values, shipments
from metrics.sql.dialects import Expression, Rows


@dataclass(frozen=True)
class AlikeKeys:
    """The waiting records of a feed whose parents differ only by leading zeros or case, with an example."""

    feed: str
    parent: str
    column: str
    records: int
    key: str
    parent_key: str

    @property
    def message(self) -> str:
        """Return what was found and the remedy."""
        many = f"{self.records:,} waiting {'record' if self.records == 1 else 'records'}"
        return (
            f"{many} of {self.feed}: the {self.parent} differ only by leading zeros or case ({self.key!r} here, "
            f"{self.parent_key!r} there). Write strip_zeros = true, pad = LENGTH or upper = true on {self.column} in "
            "both feeds."
        )


def alike_keys(connection: Connection) -> list[AlikeKeys]:
    """Return the waiting records with such parents, by feed and parent."""
    waiting = select(quarantine.c.feed).where(quarantine.c.status == "waiting").limit(1)
    if connection.execute(waiting).first() is None:
        return []
    return [
        AlikeKeys(row.feed, parent, column, int(row.records), str(row.key), str(row.parent_key))
        for parent, column, rows in _searches()
        for row in connection.execute(rows)
    ]


def _searches() -> Iterator[tuple[str, str, Rows]]:
    """Yield the parent feed, the key column, and a SELECT of the records with such parents by feed."""
    q, document = quarantine.c, quarantine_values.c.document_id
    yield "orders", "order_id", _search(orders, {"order_id": q.order_id})
    yield "order_lines", "line_no", _search(order_lines, {"order_id": q.order_id, "line_no": q.line_no})
    for table, feeds in ((shipments, ("shipment_lines",)), (invoices, ("invoice_lines", "payments"))):
        (key,) = (column.name for column in table.columns if column.name in ("shipment_id", "invoice_id"))
        yield table.name, key, _search(table, {key: document}, feeds)


def _search(parent: Table, keys: dict[str, Expression], feeds: tuple[str, ...] = ()) -> Rows:
    q, v = quarantine.c, quarantine_values.c
    tables: FromClause = quarantine.outerjoin(quarantine_values, and_(v.file_id == q.file_id, v.row_no == q.row_no))
    last = list(keys)[-1]
    known = parent.alias("known")
    missing = ~select(literal(1)).where(*[known.c[name] == key for name, key in keys.items()]).exists()
    same = and_(*[alike(parent.c[name]) == alike(key) for name, key in keys.items()])
    if parent is order_lines:
        # A record of an order that is not known either is found by its order.
        missing = and_(missing, select(literal(1)).where(orders.c.order_id == keys["order_id"]).exists())
    return (
        select(
            q.feed,
            func.count(func.distinct(cast(q.file_id, String) + literal("/") + cast(q.row_no, String))).label("records"),
            func.min(keys[last]).label("key"),
            func.min(parent.c[last]).label("parent_key"),
        )
        .select_from(tables.join(parent, same))
        .where(q.status == "waiting", missing, *([q.feed.in_(feeds)] if feeds else []))
        .group_by(q.feed)
        .order_by(q.feed)
    )
