"""Freight of shipments, as cost to serve, shared among their orders by quantity."""

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import groupby

from sqlalchemy import (
    Connection,
    Date,
    DateTime,
    FromClause,
    Integer,
    Row,
    String,
    and_,
    case,
    cast,
    false,
    func,
    insert,
    literal,
    select,
)

from metrics.facts.fact_table import BuildContext, only_stale
from metrics.facts.money.service_costs import FREIGHT, incurred_costs
from metrics.facts.money.table import STEP, cost_rows
from metrics.facts.orders import NONE, order_facts_table
from metrics.schema import AMOUNT, QTY, orders, shipment_lines, shipments
from metrics.sql.dialects import Rows
from metrics.sql.moments import moment_span
from metrics.sql.temporary_tables import temporary_table


def _carried(context: BuildContext) -> FromClause:
    """Select the quantity shipped per order of each shipment with freight."""
    s, body, o = shipments.c, shipment_lines.c, order_facts_table.c
    quantity = func.coalesce(body.shipped_qty, body.received_qty, cast(literal(0, Integer), QTY))
    tables: FromClause = shipments.join(shipment_lines, and_(body.shipment_id == s.shipment_id, ~body.deleted))
    tables = tables.join(order_facts_table, o.order_id == body.order_id)
    return (
        select(s.shipment_id, body.order_id, cast(func.sum(quantity), QTY).label("quantity"))
        .select_from(only_stale(tables, s.shipment_id, context))
        .where(~s.deleted, s.freight_amount.is_not(None))
        .group_by(s.shipment_id, body.order_id)
        .cte("carried")
    )


def _orders_carried(carried: FromClause) -> FromClause:
    c = carried.c
    counted = select(c.shipment_id, func.count().label("orders"), func.min(c.order_id).label("order_id")).group_by(
        c.shipment_id
    )
    return counted.subquery("orders_carried")


def freight_of_single_orders(context: BuildContext) -> FromClause:
    """Select the freight of shipments with one order."""
    counted = _orders_carried(_carried(context))
    freight = shipments.alias("freighted").c
    return (
        select(counted.c.shipment_id, counted.c.order_id, freight.freight_amount.label("amount"))
        .where(counted.c.orders == 1, freight.shipment_id == counted.c.shipment_id)
        .subquery("alone")
    )


def freight_of_shared_shipments(connection: Connection, context: BuildContext) -> Iterator[FromClause]:
    """Yield the freight of shipments with several orders, shared by quantity.

    Python divides it, because the engines round quotients differently.
    """
    carried = _carried(context)
    counted = _orders_carried(carried)
    c, s = carried.c, shipments.c
    carried_rows = connection.execute(
        select(c.shipment_id, c.order_id, c.quantity, s.freight_amount)
        .select_from(
            carried.join(counted, counted.c.shipment_id == c.shipment_id).join(
                shipments, s.shipment_id == c.shipment_id
            )
        )
        .where(counted.c.orders > 1)
        .order_by(c.shipment_id, c.order_id)
    ).all()
    shares = [
        (shipment_id, order_id, amount)
        for shipment_id, group in groupby(carried_rows, key=lambda row: str(row.shipment_id))
        for order_id, amount in _by_quantity(list(group))
    ]
    if not shares:
        return
    shared = temporary_table("freight_shares", {"shipment_id": String(), "order_id": String(), "amount": AMOUNT})
    shared.create(connection)
    connection.execute(insert(shared), [dict(zip(shared.c.keys(), share, strict=True)) for share in shares])
    yield shared
    shared.drop(connection)


def _by_quantity(carried: Sequence[Row[*tuple[object, ...]]]) -> list[tuple[str, Decimal]]:
    """Return each order's part of a shipment's freight."""
    whole = Decimal(carried[0].freight_amount)
    return list(
        zip(
            [row.order_id for row in carried],
            freight_parts(whole, [Decimal(row.quantity) for row in carried]),
            strict=True,
        )
    )


def freight_parts(whole: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """Divide an amount by weights (equally if all are 0), to four decimals.

    The parts are differences of rounded running totals, so they add up to the amount.
    """
    shares = [Fraction(weight) for weight in weights]
    if not sum(shares):
        shares = [Fraction(1)] * len(shares)
    total, running, before, made = sum(shares), Fraction(0), Decimal(0), []
    for share in shares:
        running += share
        exact = Fraction(whole) * running / total
        upto = (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(STEP, ROUND_HALF_UP)
        made.append(upto - before)
        before = upto
    return made


def freight_rows(carried: FromClause, context: BuildContext) -> Rows:
    """Select the freight of shipments that left or arrived, on the day they left, else the day they arrived."""
    s, part, now = shipments.c, carried.c, literal(context.as_of, DateTime)
    zone = orders.c.ship_to_time_zone
    tables: FromClause = carried.join(shipments, s.shipment_id == part.shipment_id).join(
        orders, orders.c.order_id == part.order_id
    )
    tables, shipped = moment_span(tables, dict(s.items()), "shipped_at", zone)
    tables, received = moment_span(tables, dict(s.items()), "received_at", zone)
    incurred = incurred_costs(context).subquery("incurred")
    charged = (
        select(incurred.c.order_id)
        .where(incurred.c.activity == FREIGHT, incurred.c.order_id.is_not(None))
        .distinct()
        .subquery("charged_freight")
    )
    left, arrived = func.coalesce(shipped.hi <= now, false()), func.coalesce(received.hi <= now, false())
    dated = (
        select(
            s.shipment_id,
            part.order_id,
            orders.c.customer_id,
            s.currency,
            s.carrier,
            cast(part.amount, AMOUNT).label("amount"),
            cast(case((left, shipped.day), else_=received.day), Date).label("day"),
        )
        .select_from(tables.outerjoin(charged, charged.c.order_id == part.order_id))
        .where(left | arrived, charged.c.order_id.is_(None))
        .subquery("dated_freight")
    )
    d = dated.c
    return cost_rows(
        dated,
        {
            "activity": literal(FREIGHT, String),
            "source": literal("freight", String),
            "document_id": d.shipment_id,
            "order_id": d.order_id,
            "original_amount": d.amount,
            "stands_for_document": func.row_number().over(partition_by=d.shipment_id, order_by=d.order_id) == 1,
            "carrier": func.coalesce(d.carrier, literal(NONE, String)),
        },
        customer=d.customer_id,
        currency=d.currency,
        day=d.day,
        context=context,
    )
