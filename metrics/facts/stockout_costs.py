"""Costs of stockouts: extra cost of back-orders and the margin of lost buyers. It contains no fact table.

The margin of the short quantity itself is in `stockout_events.py`. Source: R38 (stockouts), R40 (orders that are not
sales).
"""

from sqlalchemy import CTE, Date, FromClause, Integer, and_, case, cast, func, literal, select, union_all

from metrics.facts.fact_table import BuildContext
from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table
from metrics.facts.stockout_events import BACK_ORDERED, BUYER_LOST
from metrics.schema import EXACT_AMOUNT, shipment_lines, shipments
from metrics.sql.dialects import Expression, Rows, count_if, plus_days, sum_if
from metrics.sql.exchange_rates import converted, join_rate

DAYS_OF_MARGIN = 365
EXTRA_WORK = ("handling", "expedite")
"""Activities of the feed service_costs that a back-order causes."""


def extra_costs(decided: CTE, left: CTE, context: BuildContext) -> FromClause:
    """Return the extra cost of the back-ordered lines: order_id, line_no, amount in the reporting currency.

    The first back-ordered line of an order has the whole amount and the others have 0, so that sums count it once. The
    amount is null for all lines of the order if a part of it is not known. left: the shipment lines that have left.

    The freight of a shipment with several orders is the order's share in the money facts.
    """
    d, m = decided.c, money_facts_table.c
    back = select(d.order_id, d.line_no).where(d.outcome == BACK_ORDERED).subquery("back_ordered_lines")
    b = back.c
    parts: list[Rows] = []
    if "shipments.freight_amount" in context.mapped:
        parts.append(_extra_freight(back, left, context))
    if "service_costs.amount" in context.mapped:
        orders_back = select(b.order_id).distinct().subquery("back_ordered_orders")
        parts.append(
            select(m.order_id, m.amount)
            .join(orders_back, orders_back.c.order_id == m.order_id)
            .where(m.source == "service_cost", m.activity.in_(EXTRA_WORK))
        )
    spent = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery("extra_parts")
    s = spent.c
    of_order = (
        select(
            s.order_id,
            count_if(s.amount.is_(None)).label("unknown_n"),
            sum_if(s.amount.is_not(None), cast(s.amount, EXACT_AMOUNT)).label("amount"),
        )
        .group_by(s.order_id)
        .subquery("extra_of_orders")
    )
    place = func.row_number().over(partition_by=b.order_id, order_by=b.line_no)
    zero = cast(literal(0, Integer), EXACT_AMOUNT)
    amount = case((of_order.c.unknown_n > 0, None), (place == 1, func.coalesce(of_order.c.amount, zero)), else_=zero)
    return (
        select(b.order_id, b.line_no, amount.label("amount"))
        .select_from(back.outerjoin(of_order, of_order.c.order_id == b.order_id))
        .subquery("extra_costs")
    )


def _extra_freight(back: FromClause, lines_left: CTE, context: BuildContext) -> Rows:
    """Return the freight of every later shipment of an order that carried a back-ordered line.

    Columns: order_id and amount (reporting currency; null: not known).
    """
    o, header, m = order_facts_table.c, shipments.c, money_facts_table.c
    left = lines_left.c
    first = (
        select(left.order_id, func.min(left.left_at).label("first_at"))
        .group_by(left.order_id)
        .subquery("first_consignments")
    )
    back_line = and_(back.c.order_id == left.order_id, back.c.line_no == left.line_no)
    further = (
        select(left.order_id, left.shipment_id, func.max(cast(left.left_at, Date)).label("left_day"))
        .join(back, back_line)
        .join(first, first.c.order_id == left.order_id)
        .where(left.left_at > first.c.first_at)
        .group_by(left.order_id, left.shipment_id)
        .subquery("further_consignments")
    )
    body = shipment_lines.alias("carried").c
    alone = (
        select(body.shipment_id)
        .join(further, further.c.shipment_id == body.shipment_id)
        .where(~body.deleted)
        .group_by(body.shipment_id)
        .having(func.min(body.order_id) == func.max(body.order_id))
        .subquery("carrying_one_order")
    )
    shared = and_(m.document_id == further.c.shipment_id, m.order_id == further.c.order_id, m.source == "freight")
    tables: FromClause = (
        further.join(shipments, header.shipment_id == further.c.shipment_id)
        .join(order_facts_table, o.order_id == further.c.order_id)
        .outerjoin(alone, alone.c.shipment_id == further.c.shipment_id)
        .outerjoin(money_facts_table, shared)
    )
    tables, rate = join_rate(tables, func.coalesce(header.currency, o.currency), further.c.left_day, context.mapped)
    whole = converted(header.freight_amount, rate)
    return select(
        further.c.order_id, case((alone.c.shipment_id.is_not(None), whole), else_=m.amount).label("amount")
    ).select_from(tables)


def last_of_buyer(decided: CTE) -> Expression:
    """Return whether an event is the last of the events that lost the buyer. Sums then count a buyer once."""
    d = decided.c
    key = [func.coalesce(column, "").desc() for column in (d.order_id, d.line_no, d.stockout_id)]
    newest = func.row_number().over(
        partition_by=(d.customer_id, d.outcome), order_by=(d.event_day.desc(), d.event_at.desc(), *key)
    )
    return and_(d.outcome == BUYER_LOST, newest == 1)


def buyer_margins(decided: CTE) -> FromClause:
    """Return the margin of each lost buyer in the 12 months up to their last stockout, in the reporting currency.

    The margin is net sales less product cost, of sales whose cost is known. It is 0 without such sales.
    """
    d, m = decided.c, money_facts_table.c
    lost = (
        select(d.customer_id, func.max(d.event_day).label("event_day"))
        .where(d.outcome == BUYER_LOST)
        .group_by(d.customer_id)
        .subquery("lost_buyers")
    )
    since = cast(plus_days(lost.c.event_day, literal(-DAYS_OF_MARGIN, Integer)), Date)
    in_time = and_(m.day > since, m.day <= lost.c.event_day)
    sales = and_(in_time, m.kind == "net_sales", m.cost_known.is_(True), m.amount.is_not(None))
    cost = and_(in_time, m.kind == "product_cost", m.amount.is_not(None))
    return (
        select(
            lost.c.customer_id,
            cast(sum_if(sales, m.amount) - sum_if(cost, m.amount), EXACT_AMOUNT).label("amount"),
        )
        .select_from(lost.outerjoin(money_facts_table, m.customer_id == lost.c.customer_id))
        .group_by(lost.c.customer_id)
        .subquery("buyer_margins")
    )
