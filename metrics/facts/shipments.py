"""Received shipments and their advance notice.

Grain: one row per shipment received by `as_of`. Key: shipment_id.
Stale rows: those of shipments with a line of an order that the run judges again, and of shipments without lines.
Source: section 4 (g) (communications and dependability).
"""

from collections.abc import Sequence

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    FromClause,
    SelectBase,
    String,
    case,
    cast,
    false,
    func,
    literal,
    select,
    union,
)

from metrics.facts.customer_contacts import happened_by
from metrics.facts.fact_table import BuildContext, Changes, FactTable, fact_table, only_stale
from metrics.facts.orders import DIMENSION_COLUMNS, NONE, SEVERAL, order_facts_table
from metrics.facts.orders.receipts import buyer_collects
from metrics.schema import orders, shipment_lines, shipments
from metrics.sql.dialects import Rows, count_if
from metrics.sql.moments import either, moment_span

shipment_facts_table = fact_table(
    "shipment_facts",
    "shipment",
    "one row: one shipment received by as_of",
    Column("shipment_id", String, comment="shipments.shipment_id"),
    Column("received_day", Date, comment="local day it was received, or collected by the buyer"),
    Column(
        "notice_ahead",
        Boolean,
        comment="true: the ship notice was sent before the shipment arrived; null: a bare date leaves it open",
    ),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every received shipment of an order, or nothing if no source maps ship notices.

    A dimension is `(several)` if the orders of the shipment differ in it.
    """
    if not {"shipments.notice_sent_at", "shipments.received_at"} <= context.mapped:
        return ()
    s, carried = shipments.c, _carried(context).cte("carried")
    tables: FromClause = shipments.join(carried, carried.c.shipment_id == s.shipment_id)
    tables, shipped = moment_span(tables, dict(s.items()), "shipped_at", carried.c.zone)
    tables, received = moment_span(tables, dict(s.items()), "received_at", carried.c.zone)
    received = either(carried.c.collected, shipped, received)
    tables, notice = moment_span(tables, dict(s.items()), "notice_sent_at", carried.c.zone)
    ahead = case(
        (~happened_by(notice, context.as_of), false()),
        (notice.hi < received.lo, literal(True)),
        (notice.lo >= received.hi, false()),
        else_=None,
    )
    carrier = func.coalesce(s.carrier, literal(NONE, String))
    return (
        select(
            s.shipment_id,
            cast(received.day, Date).label("received_day"),
            cast(ahead, Boolean).label("notice_ahead"),
            *[carrier.label(name) if name == "carrier" else carried.c[name] for name in DIMENSION_COLUMNS],
        )
        .select_from(tables)
        .where(~s.deleted, happened_by(received, context.as_of)),
    )


def _carried(context: BuildContext) -> Rows:
    """Return per shipment the time zone and the dimensions of its orders, and whether the buyer collects all of it."""
    line, o = shipment_lines.c, order_facts_table.c
    first, last = (
        {name: func.min(o[name]) for name in DIMENSION_COLUMNS},
        {name: func.max(o[name]) for name in DIMENSION_COLUMNS},
    )
    several = literal(SEVERAL, String)
    joined = shipment_lines.join(order_facts_table, o.order_id == line.order_id).join(
        orders, orders.c.order_id == line.order_id
    )
    tables = only_stale(joined, line.shipment_id, context)
    delivered = ~buyer_collects(orders.c.delivery_term, context.mapped)
    return (
        select(
            line.shipment_id,
            func.min(o.ship_to_time_zone).label("zone"),
            (count_if(delivered) == 0).label("collected"),
            *[case((first[name] == last[name], first[name]), else_=several).label(name) for name in DIMENSION_COLUMNS],
        )
        .select_from(tables)
        .where(~line.deleted)
        .group_by(line.shipment_id)
    )


def _stale_keys(changed: Changes, _: BuildContext) -> SelectBase:
    """Select the shipments of the orders that changed, and the shipments that have no lines any more."""
    line, was = shipment_lines.c, shipment_facts_table.c
    carrying = select(line.shipment_id).join(changed.orders, changed.orders.c.order_id == line.order_id)
    left = shipment_facts_table.outerjoin(shipment_lines, line.shipment_id == was.shipment_id)
    return union(carrying, select(was.shipment_id).select_from(left).where(line.shipment_id.is_(None)))


FACT_TABLES: tuple[FactTable, ...] = (
    FactTable(shipment_facts_table, select_rows, key="shipment_id", stale_keys=_stale_keys),
)
