"""Orders and order lines that only quarantined records name, and the orders whose verdicts those records leave unknown.

`refresh` derives three small tables from the quarantine. The SELECTs of the facts read them together with the feeds.
Source: docs/rules.md, R34 (impossible dates); docs/judgement.md, Quarantine.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    CompoundSelect,
    Connection,
    DateTime,
    FromClause,
    Integer,
    String,
    Table,
    and_,
    case,
    cast,
    delete,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    union,
)

from metrics.facts.orders.tables import NONE, facts_metadata
from metrics.policy import DAMAGE_REASONS
from metrics.schema import (
    PROVENANCE,
    invoices,
    order_lines,
    orders,
    quarantine,
    quarantine_values,
    runs,
)
from metrics.sql.dialects import MICROSECONDS_A_DAY, Expression, Rows, SqlType, analyze, plus_microseconds
from metrics.sql.temporary_tables import temporary_table

GOODS_FEEDS = ("orders", "order_lines", "shipments", "shipment_lines", "promises", "returns")
BILL_FEEDS = ("invoices", "invoice_lines")
"""Feeds whose quarantined records make verdicts unknown: all verdicts, or `billed_accurately`. No others do."""
ALL, BILLS, DAMAGE = "all", "bills", "damage"
UNKNOWN_LINE = "(unknown)"
"""Line number of an order without any readable line number."""


def _copied(name: str, feed: Table, comment: str) -> Table:
    columns = [
        Column(column.name, column.type, comment=column.comment)
        for column in feed.columns
        if column.name not in PROVENANCE
    ]
    return Table(name, facts_metadata, *columns, comment=comment)


orders_in_quarantine = _copied(
    "orders_in_quarantine", orders, "one row: one order that only quarantined records name; unreadable values are empty"
)
lines_in_quarantine = _copied(
    "lines_in_quarantine", order_lines, "one row: one order line that only quarantined records name"
)
quarantine_effects = Table(
    "quarantine_effects",
    facts_metadata,
    Column("order_id", String, comment="the order"),
    Column("line_no", String, comment="empty: every line of the order"),
    Column("bills_only", Boolean, comment="true: only billed_accurately is unknown"),
    Column("may_be_damage_credit", Boolean, comment="true: the record may be a credit for damage"),
    comment="one row: one order or order line whose verdicts a quarantined record leaves unknown",
)
_DUE = tuple(f"{name}{flag}" for name in ("requested_by", "promised_by") for flag in ("", "_is_date"))
TABLES = (orders_in_quarantine, lines_in_quarantine, quarantine_effects)

_VALUES = [column for column in quarantine_values.columns if column.name not in ("file_id", "row_no")]
_READINGS: dict[str, SqlType] = {
    "feed": String(),
    "file_id": BigInteger(),
    "row_no": BigInteger(),
    "order_id": String(),
    "line_no": String(),
    "received_at": DateTime(),
    "order_is_loaded": Boolean(),
    "line_is_loaded": Boolean(),
    **{column.name: column.type for column in _VALUES},
}
"""Columns of the temporary table of open quarantined records."""


def all_orders() -> FromClause:
    """Select the loaded orders and those in quarantine, with the flag `order_in_quarantine`."""
    return _together(orders, orders_in_quarantine, "order_in_quarantine").subquery("all_orders")


def all_order_lines() -> FromClause:
    """Select the loaded order lines and those in quarantine, with the flag `in_quarantine`."""
    return _together(order_lines, lines_in_quarantine, "in_quarantine").subquery("all_order_lines")


def _together(feed: Table, kept_out: Table, flag: str) -> CompoundSelect[*tuple[Any, ...]]:
    # Any: columns of any SQL type
    loaded = select(*[feed.c[column.name] for column in kept_out.columns], false().label(flag)).where(~feed.c.deleted)
    return loaded.union_all(select(*kept_out.columns, literal(True, Boolean).label(flag)))


def affected(effect: str, *, whole: bool) -> FromClause:
    """Select the orders (`whole`) or order lines with an effect: ALL, BILLS or DAMAGE is unknown."""
    e = quarantine_effects.c
    names = ("order_id",) if whole else ("order_id", "line_no")
    line = e.line_no.is_(None) if whole else e.line_no.is_not(None)
    of_effect = {ALL: e.bills_only.is_(False), BILLS: e.bills_only.is_(True), DAMAGE: e.may_be_damage_credit.is_(True)}
    return select(*[e[name] for name in names]).where(of_effect[effect], line).distinct().subquery()


def refresh(connection: Connection, as_of: datetime) -> Table:
    """Derive the three tables from the quarantine at `as_of`. Return a temporary table of the orders that changed.

    The caller drops it.
    """
    former = [_former(connection, table) for table in TABLES]
    for table in TABLES:
        connection.execute(delete(table))
    if connection.execute(select(literal(1)).select_from(quarantine).where(*_open()).limit(1)).first() is not None:
        readings = _readings(connection, as_of)
        connection.execute(insert(quarantine_effects).from_select(_names(quarantine_effects), _effects(readings)))
        connection.execute(insert(lines_in_quarantine).from_select(_names(lines_in_quarantine), _lines(readings)))
        more = _lines_of_other_records(readings)
        connection.execute(insert(lines_in_quarantine).from_select(["order_id", "line_no", "line_kind"], more))
        connection.execute(insert(orders_in_quarantine).from_select(_names(orders_in_quarantine), _orders(readings)))
        analyze(connection, *TABLES)
        readings.drop(connection)
    changed = temporary_table("orders_quarantine_changed", {"order_id": orders.c.order_id.type})
    changed.create(connection)
    differences = [
        select(rows.subquery().c.order_id)
        for table, before in zip(TABLES, former, strict=True)
        for rows in (select(*table.c).except_(select(*before.c)), select(*before.c).except_(select(*table.c)))
    ]
    connection.execute(insert(changed).from_select(["order_id"], union(*differences)))
    for before in former:
        before.drop(connection)
    return changed


def _former(connection: Connection, table: Table) -> Table:
    copy = temporary_table(f"{table.name}_former", {column.name: column.type for column in table.columns})
    copy.create(connection)
    connection.execute(insert(copy).from_select(_names(copy), select(*table.c)))
    return copy


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _open() -> tuple[Expression, ...]:
    """Return the conditions on a quarantined record that leaves verdicts unknown."""
    q = quarantine.c
    return (
        q.status.in_(("rejected", "waiting")),
        q.order_id.is_not(None),
        q.feed.in_((*GOODS_FEEDS, *BILL_FEEDS)),
    )


def _readings(connection: Connection, as_of: datetime) -> Table:
    """Create the temporary table of open records: the order they belong to, and their readable values.

    A record whose order is not known belongs to the orders whose number differs only by leading zeros or case.
    Otherwise its order is known from quarantine alone.
    """
    readings = temporary_table("quarantine_readings", _READINGS)
    readings.create(connection)
    q, v, now = quarantine.c, quarantine_values.c, literal(as_of, DateTime)
    own = select(q.order_id).where(*_open(), q.feed == "orders").distinct().subquery("orders_by_own_record")
    received = func.coalesce(runs.c.data_as_of, now)
    named = select(q.order_id).where(*_open())
    loaded = select(orders.c.order_id).where(orders.c.order_id.in_(named)).distinct().subquery("loaded_orders")
    missing = and_(loaded.c.order_id.is_(None), own.c.order_id.is_(None))
    found = (
        select(
            *[q[name] for name in ("feed", "file_id", "row_no", "order_id", "line_no")],
            case((received < now, received), else_=now).label("received_at"),
            case((missing, alike(q.order_id)), else_=None).label("alike"),
            loaded.c.order_id.is_not(None).label("order_is_loaded"),
            *[v[column.name] for column in _VALUES],
        )
        .select_from(
            quarantine.outerjoin(quarantine_values, and_(v.file_id == q.file_id, v.row_no == q.row_no))
            .outerjoin(runs, runs.c.run_id == q.run_id)
            .outerjoin(loaded, loaded.c.order_id == q.order_id)
            .outerjoin(own, own.c.order_id == q.order_id)
        )
        .where(*_open())
        .subquery("open_records")
    )
    near = (
        select(orders.c.order_id, alike(orders.c.order_id).label("alike"))
        .where(alike(orders.c.order_id).in_(select(alike(q.order_id)).where(*_open())))
        .distinct()
        .cte("near_orders")
    )
    theirs = union(named, select(near.c.order_id))
    line = (
        select(order_lines.c.order_id, order_lines.c.line_no)
        .where(order_lines.c.order_id.in_(theirs))
        .distinct()
        .subquery("loaded_lines")
    )
    order_id = func.coalesce(near.c.order_id, found.c.order_id)
    rows = select(
        *[found.c[name] for name in ("feed", "file_id", "row_no")],
        order_id,
        found.c.line_no,
        found.c.received_at,
        or_(found.c.order_is_loaded, near.c.order_id.is_not(None)),
        line.c.order_id.is_not(None),
        *[found.c[column.name] for column in _VALUES],
    ).select_from(
        found.outerjoin(near, near.c.alike == found.c.alike).outerjoin(
            line, and_(line.c.order_id == order_id, line.c.line_no == found.c.line_no)
        )
    )
    connection.execute(insert(readings).from_select(list(_READINGS), rows))
    analyze(connection, readings)
    return readings


def alike(key: Expression) -> Expression:
    """Return a key without leading zeros and in upper case: keys that differ only by these are alike."""
    return func.upper(func.ltrim(key, "0"))


def _effects(readings: Table) -> Rows:
    """Select the orders and lines with unknown verdicts.

    A record of the order or of an order line, and a record without a known line, leave the whole order unknown. A
    billing record may be a credit for damage, unless its document is loaded and is none.
    """
    r, document = readings.c, invoices.c
    is_credit = and_(document.invoice_kind == "credit", document.credit_reason.in_(DAMAGE_REASONS))
    is_bill = r.feed.in_(BILL_FEEDS)
    may_be_credit = and_(is_bill, or_(document.invoice_id.is_(None), func.coalesce(is_credit, false())))
    whole = or_(r.feed.in_(("orders", "order_lines")), r.line_no.is_(None), ~r.line_is_loaded)
    of_document = and_(document.invoice_id == r.document_id, ~document.deleted)
    return (
        select(r.order_id, case((whole, None), else_=r.line_no), is_bill, may_be_credit)
        .select_from(readings.outerjoin(invoices, of_document))
        .distinct()
    )


def _lines(readings: Table) -> Rows:
    """Select the order lines that only a quarantined order line names: the values of its latest record."""
    r = readings.c
    unread = (
        literal("(record ") + cast(r.row_no, String) + literal(" of file ") + cast(r.file_id, String) + literal(")")
    )
    line_no = func.coalesce(r.line_no, unread)
    named = (
        select(
            *[column for column in r if column.name != "line_no"],
            line_no.label("line_no"),
            func.row_number()
            .over(partition_by=[r.order_id, line_no], order_by=[r.file_id.desc(), r.row_no.desc()])
            .label("place"),
        )
        .where(r.feed == "order_lines", ~r.line_is_loaded, ~func.coalesce(r.deleted, false()))
        .subquery("named_lines")
    )
    n = named.c
    values: dict[str, Expression] = {"line_kind": func.coalesce(n.line_kind, "goods")}
    kept = ("order_id", "line_no", "product_id", "ordered_qty", "unit_price_amount", *_DUE)
    values |= {name: n[name] for name in kept}
    return _filled(lines_in_quarantine, values).select_from(named).where(n.place == 1)


def _lines_of_other_records(readings: Table) -> Rows:
    """Select one line per line number that other records name, for orders without any order line."""
    r, other = readings.c, readings.alias("other_readings")
    numbered = select(literal(1)).where(other.c.order_id == r.order_id, other.c.line_no.is_not(None)).exists()
    without_lines = and_(
        ~select(literal(1)).where(order_lines.c.order_id == r.order_id).exists(),
        ~select(literal(1)).where(lines_in_quarantine.c.order_id == r.order_id).exists(),
    )
    return (
        select(r.order_id, func.coalesce(r.line_no, UNKNOWN_LINE).label("line_no"), literal("goods"))
        .where(
            r.feed.in_(GOODS_FEEDS),
            ~func.coalesce(r.deleted, false()),
            without_lines,
            or_(r.line_no.is_not(None), ~numbered),
        )
        .distinct()
    )


def _orders(readings: Table) -> Rows:
    """Select the orders that only quarantined records name.

    An order without a readable order day is dated by its earliest due date, if that lies before the day it was
    received. Otherwise it is dated by the day it was received.
    """
    r = readings.c
    ours = and_(r.feed.in_(GOODS_FEEDS), ~r.order_is_loaded, ~func.coalesce(r.deleted, false()))
    by_promise = r.promised_by.is_not(None)
    dated = (
        select(
            *r,
            case((by_promise, r.promised_by), else_=r.requested_by).label("due_by"),
            case((by_promise, r.promised_by_is_date), else_=r.requested_by_is_date).label("due_by_is_date"),
        )
        .where(ours)
        .subquery("dated_readings")
    )
    d = dated.c
    own_first = case((d.feed == "orders", 0), else_=1)
    ranked = select(
        *d,
        func.row_number()
        .over(partition_by=d.order_id, order_by=[own_first, d.file_id.desc(), d.row_no.desc()])
        .label("place"),
        *[
            func.first_value(value)
            .over(partition_by=d.order_id, order_by=[d.due_by.nulls_last(), d.file_id, d.row_no])
            .label(f"first_{value.name}")
            for value in (d.due_by, d.due_by_is_date)
        ],
    ).subquery("ranked_readings")
    n = ranked.c
    # Two days, because a bare date ends up to a day and a half after its midnight in UTC.
    long_ago = plus_microseconds(n.first_due_by, literal(2 * MICROSECONDS_A_DAY, BigInteger)) <= n.received_at
    due_first = func.coalesce(long_ago, false())
    ordered = n.ordered_at.is_not(None)
    values = {
        "order_id": n.order_id,
        "customer_id": func.coalesce(n.customer_id, NONE),
        "ordered_at": case((ordered, n.ordered_at), (due_first, n.first_due_by), else_=n.received_at),
        "ordered_at_is_date": case((ordered, n.ordered_at_is_date), (due_first, n.first_due_by_is_date), else_=false()),
        "order_type": func.coalesce(n.order_type, "sale"),
        "ship_to_time_zone": func.coalesce(n.ship_to_time_zone, "UTC"),
        "time_zone_assumed": literal(True, Boolean),
    }
    own = n.feed == "orders"
    kept = ("region", "channel", "fulfilment_model", "currency", *_DUE)
    values |= {name: case((own, n[name]), else_=None) for name in kept}
    return _filled(orders_in_quarantine, values).select_from(ranked).where(n.place == literal(1, Integer))


def _filled(table: Table, values: dict[str, Expression]) -> Rows:
    """Select the columns of a table: the given values, and null for the others."""
    empty = null()
    return select(*[cast(values.get(column.name, empty), column.type).label(column.name) for column in table.columns])
