"""Facts and rollups brought up to date after a load: everything, or only the orders a run touched and those that have
come due since.

The cost of a run follows its delta: an order's verdicts change only when its records do, or when `as_of` passes its
`next_change_at`.
"""

import json
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import (
    Connection,
    Date,
    DateTime,
    FromClause,
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
    union,
)
from sqlalchemy import column as sql_column

from metrics.facts.fact_table import ENDS_WITHIN, BuildContext, Changes
from metrics.facts.fill import _fill, fill
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import (
    facts_metadata,
    facts_state,
    order_facts_from_lines,
    order_facts_table,
    order_line_facts,
    order_line_facts_table,
)
from metrics.facts.registry import FACT_TABLES
from metrics.facts.rejudge import batches
from metrics.policy import STRICT
from metrics.queries.rollups import rebuild_rollups, rollup_metadata, update_rollups
from metrics.schema import (
    FEEDS,
    invoice_lines,
    invoices,
    local_days,
    orders,
    quarantine,
    service_costs,
    shipment_lines,
    shipments,
)
from metrics.sql.dialects import Expression, Rows, analyze
from metrics.sql.local_days import refresh_local_days
from metrics.sql.temporary_tables import temporary_table
from metrics.warehouse.failpoint import failpoint

_COLUMNS = table(
    "columns",
    *[sql_column(name, String) for name in ("table_schema", "table_name", "column_name")],
    schema="information_schema",
)
"""Every column there is, as both engines list them."""

ORDERS_PER_BATCH = 50_000
"""Orders whose lines are judged in one statement: DuckDB holds all its steps at once, 25 kB an order, and would spill a
million to disk.
"""


def rebuild(connection: Connection, *, as_of: datetime, touched: str | None) -> None:
    """Bring facts and rollups to `as_of` (naive UTC), in the caller's transaction.

    touched: name of a table whose `order_id`s are the orders with changed records; None for everything. The whole is
    rebuilt too when there are no facts yet or an earlier version of Buyerview made them, when other columns are mapped
    than before, or when `as_of` went back. No stored event but a bare date may lie after the former `as_of` (ingest
    sees to that): it would come due unseen.
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
    for name, column in connection.execute(
        select(c.table_name, c.column_name).where(c.table_schema == func.current_schema())
    ):
        stored.setdefault(name, set()).add(column)
    declared = {
        table.name: set(table.c.keys())
        for metadata in (facts_metadata, rollup_metadata)
        for table in metadata.tables.values()
    }
    return {name for name, columns in declared.items() if stored.get(name, columns) != columns}


def _rebuild_all(connection: Connection, as_of: datetime, known: frozenset[str]) -> None:
    connection.execute(delete(order_line_facts_table))
    connection.execute(delete(order_facts_table))
    analyze(connection, *[feed.table for feed in FEEDS.values()])
    first, last = bindparam("first_order", type_=String), bindparam("last_order", type_=String)
    part = select(orders.c.order_id).where(orders.c.order_id.between(first, last)).subquery("part")
    lines = order_line_facts(STRICT, as_of, known, only=part)
    for first_order, last_order in batches(connection, orders, ORDERS_PER_BATCH):
        _fill(connection, order_line_facts_table, lines, {"first_order": first_order, "last_order": last_order})
    _fill(connection, order_facts_table, order_facts_from_lines(order_line_facts_table, as_of))
    failpoint("rebuild.ledgers")
    for fact_table in FACT_TABLES:
        fill(connection, fact_table, BuildContext(as_of, known))
    failpoint("rebuild.rollups")
    rebuild_rollups(connection)


def _rebuild_changed(
    connection: Connection, as_of: datetime, known: frozenset[str], since: datetime, touched: FromClause
) -> None:
    redo = temporary_table("orders_to_judge", {"order_id": orders.c.order_id.type})
    redo.create(connection)
    waiting = (
        order_facts_table,
        *[
            fact_table.table
            for fact_table in FACT_TABLES
            if fact_table.key == "order_id" and "next_change_at" in fact_table.table.c
        ],
    )
    due = [select(facts.c.order_id).where(facts.c.next_change_at <= literal(as_of, DateTime)) for facts in waiting]
    lately = _dated_lately(since, as_of) if as_of > since else ()
    held = select(quarantine.c.order_id).where(quarantine.c.order_id.is_not(None), quarantine.c.run_id == _latest_run())
    connection.execute(insert(redo).from_select(["order_id"], union(select(touched.c.order_id), *due, *lately, held)))
    analyze(connection, redo)
    before: dict[str, Table] = {}
    after: dict[str, Table] = {}
    tables = (order_line_facts_table, order_facts_table)
    for facts in tables:
        before[facts.name] = _copy(
            connection, f"{facts.name}_before", facts, select(*facts.c).join(redo, redo.c.order_id == facts.c.order_id)
        )
    for facts in tables:
        connection.execute(delete(facts).where(facts.c.order_id.in_(select(redo.c.order_id))))
    lines = _copy(
        connection, "order_line_facts_after", order_line_facts_table, order_line_facts(STRICT, as_of, known, only=redo)
    )
    whole = _copy(connection, "order_facts_after", order_facts_table, order_facts_from_lines(lines, as_of, only=redo))
    after = {order_line_facts_table.name: lines, order_facts_table.name: whole}
    for facts in tables:
        _fill(connection, facts, select(*after[facts.name].c))
    failpoint("rebuild.ledgers")
    customers = _copy(
        connection,
        "customers_changed",
        order_facts_table,
        _customers_of(before[order_facts_table.name], whole),
        "customer_id",
    )
    for fact_table in FACT_TABLES:
        fill(connection, fact_table, BuildContext(as_of, known), Changes(redo, customers, since))
    failpoint("rebuild.rollups")
    update_rollups(connection, before, after)
    for copied in (redo, customers, *before.values(), *after.values()):
        copied.drop(connection)


def _dated_lately(since: datetime, as_of: datetime) -> Iterator[Rows]:
    """order_id of records of the days from `since` to `as_of`: a bare date, or a day costs are booked on, may have been
    known before it had ended where its order is.
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
            yield (
                select(shipment_lines.c.order_id)
                .join(shipments, c.shipment_id == shipment_lines.c.shipment_id)
                .where(or_(*bare))
            )
        elif feed.table is invoices:
            for document in (c.invoice_id, c.reverses_invoice_id):
                yield (
                    select(invoice_lines.c.order_id)
                    .join(invoices, document == invoice_lines.c.invoice_id)
                    .where(or_(*bare))
                )


def _latest_run() -> Expression:
    return select(func.max(quarantine.c.run_id)).scalar_subquery()


def _customers_of(*facts: Table) -> Rows:
    found = union(*[select(one.c.customer_id) for one in facts]).subquery()
    return select(found.c.customer_id)


def _copy(connection: Connection, name: str, like: Table, rows: Rows, *columns: str) -> Table:
    """A temporary table of these rows: the columns of a fact table, or those named."""
    copied = temporary_table(
        name, {column.name: column.type for column in like.columns if not columns or column.name in columns}
    )
    copied.create(connection)
    _fill(connection, copied, rows)
    return copied
