"""Facts and rollups brought up to date after a load: everything, or only the orders a run touched and those that have come due since.

The cost of a run follows its delta: an order's verdicts change only when its records do, or when `as_of` passes its `next_change_at`.
"""

import json
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    FromClause,
    MetaData,
    Select,
    String,
    Table,
    Text,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    table,
    union,
)
from sqlalchemy import column as sql_column

from metrics.failpoint import failpoint
from metrics.facts import facts_metadata, order_facts_from_lines, order_facts_table, order_line_facts, order_line_facts_table
from metrics.policy import MOST_DAYS, STRICT
from metrics.query import mapped
from metrics.rollup import rebuild_rollups, rollup_metadata, shift_rollups
from metrics.schema import FEEDS, local_days, orders, quarantine

state_metadata = MetaData()
facts_state = Table(
    "facts_state",
    state_metadata,
    Column("as_of", DateTime, nullable=False, comment="instant the facts are judged at, UTC"),
    Column("mapped", Text, nullable=False, comment="JSON list of the feed.column mapped when they were built"),
    comment="one row: what the stored facts were built with",
)

ROWS_AN_INSERT = 2000


def rebuild(connection: Connection, *, as_of: datetime, touched: str | None) -> None:
    """Bring facts and rollups to `as_of` (naive UTC), in the caller's transaction.

    touched: name of a table whose `order_id`s are the orders with changed records; None for everything. The whole is rebuilt too when
    there are no facts yet, when other columns are mapped than before, or when `as_of` went back.
    """
    for metadata in (facts_metadata, rollup_metadata, state_metadata):
        metadata.create_all(connection)
    known = mapped(connection)
    before = connection.execute(select(facts_state)).one_or_none()
    refresh_local_days(connection)
    failpoint("rebuild.facts")
    if touched is None or before is None or before.as_of > as_of or set(json.loads(before.mapped)) != known:
        _rebuild_all(connection, as_of, known)
    else:
        _rebuild_changed(connection, as_of, known, table(touched, sql_column("order_id", String)))
    connection.execute(delete(facts_state))
    connection.execute(insert(facts_state).values(as_of=as_of, mapped=json.dumps(sorted(known))))
    failpoint("rebuild.done")


def _rebuild_all(connection: Connection, as_of: datetime, known: frozenset[str]) -> None:
    connection.execute(delete(order_line_facts_table))
    connection.execute(delete(order_facts_table))
    _fill(connection, order_line_facts_table, order_line_facts(STRICT, as_of, known))
    _fill(connection, order_facts_table, order_facts_from_lines(order_line_facts_table, as_of))
    failpoint("rebuild.rollups")
    rebuild_rollups(connection)


def _rebuild_changed(connection: Connection, as_of: datetime, known: frozenset[str], touched: FromClause) -> None:
    redo = _temporary("orders_to_judge", [Column("order_id", String)])
    redo.create(connection)
    due = select(order_facts_table.c.order_id).where(order_facts_table.c.next_change_at <= literal(as_of, DateTime))
    held = select(quarantine.c.order_id).where(quarantine.c.order_id.is_not(None), quarantine.c.run_id == _latest_run())
    connection.execute(insert(redo).from_select(["order_id"], union(select(touched.c.order_id), due, held)))
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
    failpoint("rebuild.rollups")
    shift_rollups(connection, before, after)
    for copied in (redo, *before.values(), *after.values()):
        copied.drop(connection)


def _latest_run() -> Select[tuple[int]]:
    return select(func.max(quarantine.c.run_id)).scalar_subquery()  # type: ignore[return-value]  # a scalar subquery compares like a value


def _temporary(name: str, columns: list[Column[object]]) -> Table:
    return Table(name, MetaData(), *columns, prefixes=["TEMPORARY"])


def _copy(connection: Connection, name: str, like: Table, rows: Select[tuple[object, ...]]) -> Table:
    copied = _temporary(name, [Column(c.name, c.type) for c in like.columns])
    copied.create(connection)
    _fill(connection, copied, rows)
    return copied


def _fill(connection: Connection, target: Table, rows: Select[tuple[object, ...]]) -> None:
    connection.execute(insert(target).from_select([c.name for c in target.columns], rows))


def refresh_local_days(connection: Connection) -> None:
    """Make `local_days` hold, for every zone orders are shipped to, each day in the data and as far beyond as a policy may reach."""
    zones = set(connection.scalars(select(orders.c.ship_to_time_zone).distinct()))
    wanted = {(zone, day) for zone in zones for day in _reached(_days_in_data(connection))}
    have = {(zone, day) for zone, day in connection.execute(select(local_days.c.zone, local_days.c.day))}
    rows = [_local_day(zone, day) for zone, day in sorted(wanted - have)]
    for start in range(0, len(rows), ROWS_AN_INSERT):
        connection.execute(insert(local_days).values(rows[start : start + ROWS_AN_INSERT]))


def _days_in_data(connection: Connection) -> set[date]:
    """Every calendar day (of the stored value) that any moment of any feed falls on."""
    days: set[date] = set()
    for feed in FEEDS.values():
        moments = [c for c in feed.table.columns if f"{c.name}_is_date" in feed.table.columns]
        for moment in moments:
            days.update(connection.scalars(select(cast(moment, Date)).where(moment.is_not(None)).distinct()))
    return days


def _reached(days: set[date]) -> set[date]:
    """The days themselves and all that tolerances, invoice windows and zones can lead to from them."""
    back, on = MOST_DAYS["early_tolerance_days"] + 2, MOST_DAYS["invoice_days"] + 2
    reached: set[date] = set()
    for day in days:
        if day + timedelta(days=on) in reached and day - timedelta(days=back) in reached and day in reached:
            continue
        reached.update(day + timedelta(days=n) for n in range(-back, on + 1))
    return reached


def _local_day(zone: str, day: date) -> dict[str, object]:
    starts, following = _midnight(zone, day), _midnight(zone, day + timedelta(days=1))
    return {"zone": zone, "day": day, "starts_at": starts, "ends_at": following - timedelta(microseconds=1)}


def _midnight(zone: str, day: date) -> datetime:
    """First instant of a local day, naive UTC. fold=0 is the earlier of a repeated midnight, and moves a skipped one on by the gap."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None)

