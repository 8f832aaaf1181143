"""Update facts and rollups after a load: all orders, or only those that may have changed.

The cost of a run depends on the number of changed records. A verdict of an order changes only if its records change or
`as_of` passes its `next_change_at`.
"""

import json
from collections.abc import Iterable, Iterator
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
    insert,
    literal,
    or_,
    select,
    table,
    union,
)
from sqlalchemy import column as sql_column

from metrics.facts.edited_feeds import DEPENDENT_TABLES
from metrics.facts.fact_table import ENDS_WITHIN, BuildContext, Changes
from metrics.facts.fill import fill, insert_rows
from metrics.facts.mapped_columns import mapped
from metrics.facts.orders import (
    facts_metadata,
    facts_state,
    order_facts_from_lines,
    order_facts_table,
    order_line_facts,
    order_line_facts_table,
)
from metrics.facts.orders.in_quarantine import lines_in_quarantine, orders_in_quarantine
from metrics.facts.orders.in_quarantine import refresh as refresh_quarantine
from metrics.facts.registry import FACT_TABLES
from metrics.facts.rejudge import order_batches
from metrics.policy import STRICT
from metrics.queries.rollups import rebuild_rollups, rollup_metadata, update_rollups
from metrics.schema import (
    FEEDS,
    PROVENANCE,
    invoice_lines,
    invoices,
    local_days,
    orders,
    service_costs,
    shipment_lines,
    shipments,
)
from metrics.sql.dialects import Rows, analyze
from metrics.sql.local_days import refresh_local_days
from metrics.sql.temporary_tables import temporary_table
from metrics.warehouse.failpoint import failpoint
from metrics.warehouse.missing_columns import stored_columns


def rebuild(
    connection: Connection, *, as_of: datetime, touched: str | None, feeds: frozenset[str] | None = None
) -> None:
    """Update facts and rollups to `as_of` (naive UTC), in the caller's transaction.

    touched: name of a table with the `order_id` of every order whose records changed; None to rebuild everything.
    feeds: the feeds whose records changed; None if any may have changed. If users can edit all of them, and `as_of` is
    the same as before, no order is judged and only the fact tables that depend on these feeds are updated.

    Orders whose quarantined records changed are updated as well.

    Everything is also rebuilt if there are no facts yet, if the columns of a table or the mapped columns have changed,
    or if `as_of` is earlier than before. A partial rebuild assumes that no stored instant lies after the previous
    `as_of`, since it would miss such an event. Ingest ensures this. Bare dates are an exception: they are checked here.
    """
    reshaped = reshaped_tables(connection)
    for metadata in (facts_metadata, rollup_metadata):
        metadata.drop_all(connection, [stored for stored in metadata.tables.values() if stored.name in reshaped])
        metadata.create_all(connection)
    known = _without_provenance(mapped(connection))
    before = connection.execute(select(facts_state)).one_or_none()
    remapped = known ^ _without_provenance(json.loads(before.mapped) if before is not None else ())
    edited = {name.partition(".")[0] for name in remapped}.union(feeds or ())
    only_edits = feeds is not None and edited <= DEPENDENT_TABLES.keys()
    loaded = table(touched, sql_column("order_id", String)) if touched is not None and not remapped else None
    if only_edits and before is not None and not reshaped and before.as_of == as_of:
        analyze(connection, *[FEEDS[name].table for name in edited])
        _refresh_days(connection)
        _rebuild_edited(connection, BuildContext(as_of, known), edited, loaded)
    else:
        analyze(connection, *[feed.table for feed in FEEDS.values()])
        quarantine_changed = refresh_quarantine(connection, as_of)
        _refresh_days(connection)
        failpoint("rebuild.facts")
        if loaded is None or before is None or reshaped or before.as_of > as_of:
            _rebuild_all(connection, as_of, known)
        else:
            changed = union(select(loaded.c.order_id), select(quarantine_changed.c.order_id)).subquery("changed")
            _rebuild_changed(connection, as_of, known, before.as_of, changed)
        quarantine_changed.drop(connection)
    connection.execute(delete(facts_state))
    connection.execute(insert(facts_state).values(as_of=as_of, mapped=json.dumps(sorted(known))))
    failpoint("rebuild.done")


def _without_provenance(names: Iterable[str]) -> frozenset[str]:
    """Return the "feed.column" names that facts can depend on."""
    return frozenset(name for name in names if name.partition(".")[2] not in PROVENANCE)


def _refresh_days(connection: Connection) -> None:
    refresh_local_days(connection, more=(orders_in_quarantine, lines_in_quarantine))
    analyze(connection, local_days)


def reshaped_tables(connection: Connection) -> set[str]:
    """Return the names of stored fact and rollup tables whose columns differ from those of this version."""
    stored = stored_columns(connection)
    declared = {
        table.name: set(table.c.keys())
        for metadata in (facts_metadata, rollup_metadata)
        for table in metadata.tables.values()
    }
    return {name for name, columns in declared.items() if stored.get(name, columns) != columns}


def _rebuild_all(connection: Connection, as_of: datetime, known: frozenset[str]) -> None:
    connection.execute(delete(order_line_facts_table))
    connection.execute(delete(order_facts_table))
    first, last = bindparam("first_order", type_=String), bindparam("last_order", type_=String)
    ids = union(select(orders.c.order_id), select(orders_in_quarantine.c.order_id)).subquery("order_ids")
    part = select(ids.c.order_id).where(ids.c.order_id.between(first, last)).subquery("part")
    lines = order_line_facts(STRICT, as_of, known, only=part)
    for first_order, last_order in order_batches(connection, ids):
        insert_rows(connection, order_line_facts_table, lines, {"first_order": first_order, "last_order": last_order})
    analyze(connection, order_line_facts_table)
    insert_rows(connection, order_facts_table, order_facts_from_lines(order_line_facts_table, as_of))
    analyze(connection, order_facts_table)
    failpoint("rebuild.ledgers")
    for fact_table in FACT_TABLES:
        fill(connection, fact_table, BuildContext(as_of, known))
    failpoint("rebuild.rollups")
    rebuild_rollups(connection)


def _rebuild_changed(
    connection: Connection, as_of: datetime, known: frozenset[str], since: datetime, touched: FromClause
) -> None:
    to_judge = _orders_to_judge(connection, as_of, since, touched)
    before: dict[str, Table] = {}
    tables = (order_line_facts_table, order_facts_table)
    for facts in tables:
        before[facts.name] = _copy(
            connection,
            f"{facts.name}_before",
            facts,
            select(*facts.c).join(to_judge, to_judge.c.order_id == facts.c.order_id),
        )
    for facts in tables:
        connection.execute(delete(facts).where(facts.c.order_id.in_(select(to_judge.c.order_id))))
    lines = _copy(
        connection,
        "order_line_facts_after",
        order_line_facts_table,
        order_line_facts(STRICT, as_of, known, only=to_judge),
    )
    judged_orders = _copy(
        connection, "order_facts_after", order_facts_table, order_facts_from_lines(lines, as_of, only=to_judge)
    )
    after = {order_line_facts_table.name: lines, order_facts_table.name: judged_orders}
    for facts in tables:
        insert_rows(connection, facts, select(*after[facts.name].c))
        analyze(connection, facts)
    failpoint("rebuild.ledgers")
    customers = _copy(
        connection,
        "customers_changed",
        order_facts_table,
        _customers_of(before[order_facts_table.name], judged_orders),
        "customer_id",
    )
    for fact_table in FACT_TABLES:
        fill(connection, fact_table, BuildContext(as_of, known), Changes(to_judge, customers, since))
    failpoint("rebuild.rollups")
    update_rollups(connection, before, after)
    for temporary in (to_judge, customers, *before.values(), *after.values()):
        temporary.drop(connection)


def _rebuild_edited(connection: Connection, context: BuildContext, feeds: set[str], touched: FromClause | None) -> None:
    """Update the fact tables that depend on edited feeds. Without a list of touched orders they are rebuilt whole."""
    changes, temporary = None, []
    if touched is not None:
        o = order_facts_table.c
        theirs = select(o.customer_id).join(touched, touched.c.order_id == o.order_id).distinct()
        customers = _copy(connection, "customers_changed", order_facts_table, theirs, "customer_id")
        changed = _copy(
            connection, "orders_changed", order_facts_table, select(touched.c.order_id).distinct(), "order_id"
        )
        changes, temporary = Changes(changed, customers, context.as_of), [changed, customers]
    dependent = {one.table for feed in feeds for one in DEPENDENT_TABLES[feed]}
    for fact_table in FACT_TABLES:
        if fact_table.table in dependent:
            fill(connection, fact_table, context, changes)
    for one in temporary:
        one.drop(connection)


def _orders_to_judge(connection: Connection, as_of: datetime, since: datetime, touched: FromClause) -> Table:
    """Create the temporary table of the orders that a partial rebuild judges again.

    These are the touched orders, orders whose `next_change_at` has passed, and orders with records dated around the
    runs.
    """
    to_judge = temporary_table("orders_to_judge", {"order_id": orders.c.order_id.type})
    to_judge.create(connection)
    judged_tables = (
        order_facts_table,
        *[
            fact_table.table
            for fact_table in FACT_TABLES
            if fact_table.key == "order_id" and "next_change_at" in fact_table.table.c
        ],
    )
    due = [
        select(facts.c.order_id).where(facts.c.next_change_at <= literal(as_of, DateTime)) for facts in judged_tables
    ]
    recent = _recently_dated(since, as_of) if as_of > since else ()
    connection.execute(insert(to_judge).from_select(["order_id"], union(select(touched.c.order_id), *due, *recent)))
    analyze(connection, to_judge)
    return to_judge


def _recently_dated(since: datetime, as_of: datetime) -> Iterator[Rows]:
    """Yield SELECTs of the orders whose records have a bare date, or a cost booked on a day, near `since` to `as_of`.

    Such a date may have been loaded before its day ended in the order's time zone.
    """
    first, last = literal(since - ENDS_WITHIN, DateTime), literal(as_of + ENDS_WITHIN, DateTime)
    for feed in FEEDS.values():
        c = feed.table.c
        dated = [
            and_(c[f"{column.name}_is_date"], column.between(first, last))
            for column in c
            if f"{column.name}_is_date" in c
        ]
        if feed.table is service_costs:
            dated = [c.incurred_on.between(cast(first, Date), cast(last, Date))]
        if not dated:
            continue
        if "order_id" in c:
            yield select(c.order_id).where(or_(*dated))
        elif feed.table is shipments:
            yield (
                select(shipment_lines.c.order_id)
                .join(shipments, c.shipment_id == shipment_lines.c.shipment_id)
                .where(or_(*dated))
            )
        elif feed.table is invoices:
            for document in (c.invoice_id, c.reverses_invoice_id):
                yield (
                    select(invoice_lines.c.order_id)
                    .join(invoices, document == invoice_lines.c.invoice_id)
                    .where(or_(*dated))
                )


def _customers_of(*facts: Table) -> Rows:
    customers = union(*[select(order_facts.c.customer_id) for order_facts in facts]).subquery()
    return select(customers.c.customer_id)


def _copy(connection: Connection, name: str, like: Table, rows: Rows, *columns: str) -> Table:
    """Create a temporary table with these rows and the columns of a fact table, or only the named columns."""
    copied = temporary_table(
        name, {column.name: column.type for column in like.columns if not columns or column.name in columns}
    )
    copied.create(connection)
    insert_rows(connection, copied, rows)
    analyze(connection, copied)
    return copied
