"""Freight of shipments, as cost to serve, shared among their orders by quantity."""

from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    FromClause,
    Integer,
    Numeric,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    select,
)

from metrics.facts.fact_table import BuildContext, only_stale
from metrics.facts.money.service_costs import FREIGHT, incurred_costs
from metrics.facts.money.table import STEP, cost_rows
from metrics.facts.orders import NONE, order_facts_table
from metrics.schema import AMOUNT, QTY, orders, shipment_lines, shipments
from metrics.sql.dialects import Expression, Rows, times, whole_quotient
from metrics.sql.moments import moment_span

WHOLE = Numeric(38, 0)


def shared_freight(context: BuildContext) -> FromClause:
    """Select the part of each order in the freight of its shipments, by quantity shipped (equally if all are 0).

    The parts are differences of rounded running totals, so they add up to the freight. The totals are whole numbers
    of steps, because the engines round quotients differently.
    """
    s, body = shipments.c, shipment_lines.c
    quantity = func.sum(func.coalesce(body.shipped_qty, body.received_qty, cast(literal(0, Integer), QTY)))
    all_quantities = func.sum(quantity).over(partition_by=s.shipment_id)
    tables: FromClause = shipments.join(shipment_lines, and_(body.shipment_id == s.shipment_id, ~body.deleted))
    tables = tables.join(order_facts_table, order_facts_table.c.order_id == body.order_id)
    carried = (
        select(
            s.shipment_id,
            body.order_id,
            _steps(s.freight_amount).label("freight"),
            case((all_quantities == 0, literal(1, Integer)), else_=_steps(cast(quantity, QTY))).label("weight"),
        )
        .select_from(only_stale(tables, s.shipment_id, context))
        .where(~s.deleted, s.freight_amount.is_not(None))
        .group_by(s.shipment_id, body.order_id, s.freight_amount)
        .subquery("carried")
    )
    c = carried.c
    running = func.sum(c.weight).over(partition_by=c.shipment_id, order_by=c.order_id)
    total = func.sum(c.weight).over(partition_by=c.shipment_id)
    totals = select(*c, cast(running, WHOLE).label("running"), cast(total, WHOLE).label("total")).subquery("totals")
    t = totals.c
    upto, before = (
        cast(whole_quotient(t.freight * weight * 2 + t.total, t.total * 2), BigInteger)
        for weight in (t.running, t.running - t.weight)
    )
    amount = times(cast(upto - before, WHOLE), literal(STEP, AMOUNT))
    return select(t.shipment_id, t.order_id, amount.label("amount")).subquery("shared")


def _steps(value: Expression) -> Expression:
    """Return an amount or quantity as a whole number of ten-thousandths."""
    return cast(times(value, literal(10_000, Integer)), WHOLE)


def freight_rows(context: BuildContext) -> Rows:
    """Select the freight of shipments that left or arrived, on the day they left, else the day they arrived."""
    shared = shared_freight(context)
    s, part, now = shipments.c, shared.c, literal(context.as_of, DateTime)
    zone = orders.c.ship_to_time_zone
    tables: FromClause = shared.join(shipments, s.shipment_id == part.shipment_id).join(
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
