"""Facts and rollups brought up to date after a load: everything, or only the orders a run touched and those that have come due since.

The cost of a run follows its delta: an order's verdicts change only when its records do, or when `as_of` passes its `next_change_at`.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    Connection,
    Date,
    DateTime,
    FromClause,
    Integer,
    Select,
    String,
    Table,
    and_,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    table,
    true,
    union,
    values,
)
from sqlalchemy import column as sql_column
from sqlalchemy.types import TypeEngine

from metrics.facts import facts_metadata, facts_state, order_facts_from_lines, order_facts_table, order_line_facts, order_line_facts_table
from metrics.failpoint import failpoint
from metrics.ledgers import LEDGERS
from metrics.ledgers.judged_again import bounds
from metrics.ledgers.ledger import ENDS_WITHIN, Changed, Ledger, Setting
from metrics.policy import MOST_DAYS, STRICT
from metrics.query import mapped
from metrics.rollup import rebuild_rollups, rollup_metadata, shift_rollups
from metrics.schema import FEEDS, invoice_lines, invoices, local_days, orders, quarantine, service_costs, shipment_lines, shipments
from metrics.sqltools import Expression, analyze, plus_days, plus_microseconds
from metrics.temporary import temporary_table

ROWS_AN_INSERT = 2000
_OFFSETS: dict[str, TypeEngine[Any]] = {"zone": String(), "from_day": Date(), "to_day": Date(), "offset_us": BigInteger()}

_COLUMNS = table("columns", *[sql_column(name, String) for name in ("table_schema", "table_name", "column_name")], schema="information_schema")
"""Every column there is, as both engines list them."""

ORDERS_A_PART = 50_000
"""Orders whose lines are judged in one statement: DuckDB holds all its steps at once, 25 kB an order, and would spill a million to disk."""


def rebuild(connection: Connection, *, as_of: datetime, touched: str | None) -> None:
    """Bring facts and rollups to `as_of` (naive UTC), in the caller's transaction.

    touched: name of a table whose `order_id`s are the orders with changed records; None for everything. The whole is rebuilt too when
    there are no facts yet or an earlier version of Buyerview made them, when other columns are mapped than before, or when `as_of` went back.
    No stored event but a bare date may lie after the former `as_of` (ingest sees to that): it would come due unseen.
    """
    reshaped = _of_other_columns(connection)
    for metadata in (facts_metadata, rollup_metadata):
        metadata.drop_all(connection, [one for one in metadata.tables.values() if one.name in reshaped])
        metadata.create_all(connection)
    known = mapped(connection)
    before = connection.execute(select(facts_state)).one_or_none()
    refresh_local_days(connection)
    analyze(connection, local_days)
    failpoint("rebuild.facts")
    if touched is None or before is None or reshaped or before.as_of > as_of or set(json.loads(before.mapped)) != known:
        _rebuild_all(connection, as_of, known)
    else:
        _rebuild_changed(connection, as_of, known, before.as_of, table(touched, sql_column("order_id", String)))
    connection.execute(delete(facts_state))
    connection.execute(insert(facts_state).values(as_of=as_of, mapped=json.dumps(sorted(known))))
    failpoint("rebuild.done")


def _of_other_columns(connection: Connection) -> set[str]:
    """Names of the stored tables of facts and rollups that have other columns than this version gives them."""
    c = _COLUMNS.c
    stored: dict[str, set[str]] = {}
    for name, column in connection.execute(select(c.table_name, c.column_name).where(c.table_schema == func.current_schema())):
        stored.setdefault(name, set()).add(column)
    declared = {table.name: set(table.c.keys()) for metadata in (facts_metadata, rollup_metadata) for table in metadata.tables.values()}
    return {name for name, columns in declared.items() if stored.get(name, columns) != columns}


def _rebuild_all(connection: Connection, as_of: datetime, known: frozenset[str]) -> None:
    connection.execute(delete(order_line_facts_table))
    connection.execute(delete(order_facts_table))
    analyze(connection, *[feed.table for feed in FEEDS.values()])
    first, last = bindparam("first_order", type_=String), bindparam("last_order", type_=String)
    part = select(orders.c.order_id).where(orders.c.order_id.between(first, last)).subquery("part")
    lines = order_line_facts(STRICT, as_of, known, only=part)
    for first_order, last_order in bounds(connection, orders, ORDERS_A_PART):
        _fill(connection, order_line_facts_table, lines, {"first_order": first_order, "last_order": last_order})
    _fill(connection, order_facts_table, order_facts_from_lines(order_line_facts_table, as_of))
    failpoint("rebuild.ledgers")
    for ledger in LEDGERS:
        fill_ledger(connection, ledger, Setting(as_of, known))
    failpoint("rebuild.rollups")
    rebuild_rollups(connection)


def fill_ledger(connection: Connection, ledger: Ledger, setting: Setting, changed: Changed | None = None) -> None:
    """Fill a ledger anew, or where it has a key and the changes are known only the rows that may be others now."""
    if changed is None or ledger.key is None:
        connection.execute(delete(ledger.table))
        _fill_rows(connection, ledger, setting)
        return
    if ledger.again is None:
        _fill_again(connection, ledger, replace(setting, only=changed.orders))
        return
    again = temporary_table(f"{ledger.table.name}_again", {ledger.key: ledger.table.c[ledger.key].type})
    again.create(connection)
    connection.execute(insert(again).from_select([ledger.key], ledger.again(changed, setting)))
    analyze(connection, again)
    _fill_again(connection, ledger, replace(setting, only=again))
    again.drop(connection)


def _fill_again(connection: Connection, ledger: Ledger, setting: Setting) -> None:
    assert setting.only is not None
    assert ledger.key is not None
    connection.execute(delete(ledger.table).where(ledger.table.c[ledger.key].in_(select(setting.only.c[ledger.key]))))
    _fill_rows(connection, ledger, setting)


def _fill_rows(connection: Connection, ledger: Ledger, setting: Setting) -> None:
    for rows in ledger.rows(connection, setting):
        _fill(connection, ledger.table, rows)


def _rebuild_changed(connection: Connection, as_of: datetime, known: frozenset[str], since: datetime, touched: FromClause) -> None:
    redo = temporary_table("orders_to_judge", {"order_id": orders.c.order_id.type})
    redo.create(connection)
    waiting = (order_facts_table, *[ledger.table for ledger in LEDGERS if ledger.key == "order_id" and "next_change_at" in ledger.table.c])
    due = [select(facts.c.order_id).where(facts.c.next_change_at <= literal(as_of, DateTime)) for facts in waiting]
    if as_of > since:
        due += _dated_lately(since, as_of)
    lately = _dated_lately(since, as_of) if as_of > since else ()
    held = select(quarantine.c.order_id).where(quarantine.c.order_id.is_not(None), quarantine.c.run_id == _latest_run())
    connection.execute(insert(redo).from_select(["order_id"], union(select(touched.c.order_id), *due, *lately, held)))
    analyze(connection, redo)
    before: dict[str, Table] = {}
    after: dict[str, Table] = {}
    tables = (order_line_facts_table, order_facts_table)
    for facts in tables:
        before[facts.name] = _copy(connection, f"{facts.name}_before", facts, select(*facts.c).join(redo, redo.c.order_id == facts.c.order_id))
    for facts in tables:
        connection.execute(delete(facts).where(facts.c.order_id.in_(select(redo.c.order_id))))
    lines = _copy(connection, "order_line_facts_after", order_line_facts_table, order_line_facts(STRICT, as_of, known, only=redo))
    whole = _copy(connection, "order_facts_after", order_facts_table, order_facts_from_lines(lines, as_of, only=redo))
    after = {order_line_facts_table.name: lines, order_facts_table.name: whole}
    for facts in tables:
        _fill(connection, facts, select(*after[facts.name].c))
    failpoint("rebuild.ledgers")
    customers = _copy(connection, "customers_changed", order_facts_table, _customers_of(before[order_facts_table.name], whole), "customer_id")
    for ledger in LEDGERS:
        fill_ledger(connection, ledger, Setting(as_of, known), Changed(redo, customers, since))
    failpoint("rebuild.rollups")
    shift_rollups(connection, before, after)
    for copied in (redo, customers, *before.values(), *after.values()):
        copied.drop(connection)


def _dated_lately(since: datetime, as_of: datetime) -> Iterator[Select[Any]]:
    """order_id of records of the days from `since` to `as_of`: a bare date, or a day costs are booked on, may have been known before it had ended
    where its order is.
    """
    first, last = literal(since - ENDS_WITHIN, DateTime), literal(as_of + ENDS_WITHIN, DateTime)
    for feed in FEEDS.values():
        c = feed.table.c
        bare = [and_(c[f"{one.name}_is_date"], one.between(first, last)) for one in c if f"{one.name}_is_date" in c]
        if feed.table is service_costs:
            bare = [c.incurred_on.between(cast(first, Date), cast(last, Date))]
        if not bare:
            continue
        if "order_id" in c:
            yield select(c.order_id).where(or_(*bare))
        elif feed.table is shipments:
            yield select(shipment_lines.c.order_id).join(shipments, c.shipment_id == shipment_lines.c.shipment_id).where(or_(*bare))
        elif feed.table is invoices:
            for document in (c.invoice_id, c.reverses_invoice_id):
                yield select(invoice_lines.c.order_id).join(invoices, document == invoice_lines.c.invoice_id).where(or_(*bare))


def _latest_run() -> Select[tuple[int]]:
    return select(func.max(quarantine.c.run_id)).scalar_subquery()  # type: ignore[return-value]  # a scalar subquery compares like a value


def _customers_of(*facts: Table) -> Select[Any]:
    found = union(*[select(one.c.customer_id) for one in facts]).subquery()
    return select(found.c.customer_id)


def _copy(connection: Connection, name: str, like: Table, rows: Select[Any], *columns: str) -> Table:
    """A temporary table of these rows: the columns of a fact table, or those named."""
    copied = temporary_table(name, {column.name: column.type for column in like.columns if not columns or column.name in columns})
    copied.create(connection)
    _fill(connection, copied, rows)
    return copied


def _fill(connection: Connection, target: Table, rows: Select[tuple[object, ...]], parameters: dict[str, str] | None = None) -> None:
    connection.execute(insert(target).from_select([c.name for c in target.columns], rows), parameters or {})
    analyze(connection, target)


def refresh_local_days(connection: Connection) -> None:
    """Make `local_days` hold, for every zone orders are shipped to, each day from the first in the data to the last, and as far beyond as a policy
    may reach. Nothing is done while it already does.
    """
    zones = set(connection.scalars(select(orders.c.ship_to_time_zone).distinct()))
    first, last = _days_in_data(connection)
    if first is None or last is None:
        return
    reach = MOST_DAYS["invoice_days"] + 2
    first, last = max(first, date.min + timedelta(reach)) - timedelta(reach), min(last, date.max - timedelta(reach)) + timedelta(reach)
    have = select(func.min(local_days.c.day), func.max(local_days.c.day)).group_by(local_days.c.zone)
    covered = set(connection.scalars(select(local_days.c.zone).distinct()))
    if zones <= covered and all(low <= first and last <= high for low, high in connection.execute(have)):
        return
    connection.execute(delete(local_days))
    offsets = temporary_table("zone_offsets", _OFFSETS)
    offsets.create(connection)
    rows = [row for zone in sorted(zones) for row in _midnight_offsets(zone, first, last + timedelta(1))]
    for start in range(0, len(rows), ROWS_AN_INSERT):
        connection.execute(insert(offsets).values(rows[start : start + ROWS_AN_INSERT]))
    connection.execute(insert(local_days).from_select(["zone", "day", "starts_at", "ends_at"], _every_day(offsets, first, last)))
    offsets.drop(connection)


def _days_in_data(connection: Connection) -> tuple[date | None, date | None]:
    """First and last calendar day that any stored moment falls on."""
    found: list[date] = []
    for feed in FEEDS.values():
        moments = [c for c in feed.table.columns if f"{c.name}_is_date" in feed.table.columns]
        if moments:
            ends = connection.execute(select(*[end(cast(moment, Date)) for moment in moments for end in (func.min, func.max)])).one()
            found += [day for day in ends if day is not None]
    return (min(found), max(found)) if found else (None, None)


def _midnight_offsets(zone: str, first: date, last: date) -> list[dict[str, object]]:
    """Runs of days whose midnight lies equally far from UTC: local day start = midnight less offset."""
    rows: list[dict[str, object]] = []
    day, begun, offset = first, first, _midnight_offset(zone, first)
    while day <= last:
        here = _midnight_offset(zone, day)
        if here != offset:
            rows.append({"zone": zone, "from_day": begun, "to_day": day - timedelta(1), "offset_us": offset})
            begun, offset = day, here
        day += timedelta(1)
    return [*rows, {"zone": zone, "from_day": begun, "to_day": last, "offset_us": offset}]


def _midnight_offset(zone: str, day: date) -> int:
    """Microseconds that the day's first instant lies before its midnight in UTC. fold=0 is the earlier of a repeated midnight, and moves a skipped
    one on by the gap (R3).
    """
    midnight = datetime.combine(day, time())
    start = midnight.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)
    return (midnight - start) // timedelta(microseconds=1)


def _every_day(offsets: Table, first: date, last: date) -> Select[tuple[object, ...]]:
    """zone, day, starts_at, ends_at of every day; days are counted up with digits, which every engine can."""
    digit = values(sql_column("n", Integer), name="digits").data([(n,) for n in range(10)])
    digits = [digit.alias(f"digit_{place}") for place in range(5)]
    number: Expression = sum((cast(one.c.n, Integer) * 10**place for place, one in enumerate(digits)), literal(0, Integer))
    count = (last - first).days
    together: FromClause = digits[0]
    for one in digits[1:]:
        together = together.join(one, true())
    counted = select(number.label("n")).select_from(together).where(number <= count).subquery()
    day = plus_days(cast(literal(first, Date), Date), counted.c.n)
    days = select(cast(day, Date).label("day"), cast(plus_days(day, literal(1, Integer)), Date).label("next_day")).subquery()
    today, tomorrow = offsets.alias("today"), offsets.alias("tomorrow")
    return (
        select(
            today.c.zone,
            days.c.day,
            plus_microseconds(cast(days.c.day, DateTime), -today.c.offset_us),
            plus_microseconds(cast(days.c.next_day, DateTime), -tomorrow.c.offset_us - 1),
        )
        .select_from(days)
        .join(today, days.c.day.between(today.c.from_day, today.c.to_day))
        .join(tomorrow, and_(tomorrow.c.zone == today.c.zone, days.c.next_day.between(tomorrow.c.from_day, tomorrow.c.to_day)))
    )
