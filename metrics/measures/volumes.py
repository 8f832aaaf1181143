"""Volumes and values: how much was ordered, received and billed, and how many orders are judged, pending or failed."""

from sqlalchemy import Table, and_

from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.orders.conditions import FAILED
from metrics.measures.needs import BILLING_FEEDS, CORE_FEEDS, NEEDS_BILLS, NEEDS_PRICE, NEEDS_RECEIPT
from metrics.model.measure import Direction, Measure, Need, Part, Total, Unit
from metrics.sql.dialects import Expression
from metrics.sql.exchange_rates import converted

o = order_facts_table.c
line = order_line_facts_table.c
_sale = o.order_type == "sale"
_goods_sale = and_(line.line_kind == "goods", line.owed_qty.is_not(None))


def _reporting(amount: Expression) -> Expression:
    """An amount of an order line in the reporting currency, at the rate of the order's day; itself while no rates are
    fed.
    """
    return converted(amount, line.rate)


def _volume(
    name: str,
    title: str,
    unit: Unit,
    facts: Table,
    date: str,
    condition: Expression,
    amount: Expression | None,
    definition: str,
    *,
    direction: Direction = Direction.NEITHER,
    exclusions: str = "None.",
    needs: tuple[Need, ...] = (),
    feeds: tuple[str, ...] = CORE_FEEDS,
    rows: tuple[int, ...] = (16,),
) -> Measure:
    return Measure(
        name=name,
        title=title,
        unit=unit,
        direction=direction,
        facts=facts,
        date=date,
        formula=Total(Part(condition, amount)),
        definition=definition,
        numerator=definition[0].lower() + definition[1:].rstrip("."),
        denominator="–",
        exclusions=exclusions,
        source="own",
        feeds=feeds,
        product_rows=rows,
        needs=needs,
        short=title,
    )


MEASURES = (
    _volume(
        "orders",
        "Orders",
        Unit.COUNT,
        order_facts_table,
        "ordered_day",
        _sale,
        None,
        "Sales orders placed.",
        exclusions="Orders that are not sales.",
    ),
    _volume(
        "order_lines",
        "Order lines",
        Unit.COUNT,
        order_line_facts_table,
        "ordered_day",
        _goods_sale,
        None,
        "Goods lines ordered.",
        exclusions="Services and fees.",
    ),
    _volume(
        "ordered_units",
        "Units ordered",
        Unit.UNITS,
        order_line_facts_table,
        "ordered_day",
        _goods_sale,
        line.ordered_qty,
        "Units ordered on goods lines.",
        exclusions="Services and fees.",
    ),
    _volume(
        "ordered_value",
        "Value ordered",
        Unit.MONEY,
        order_line_facts_table,
        "ordered_day",
        and_(line.ordered_amount.is_not(None), line.rate.is_not(None)),
        _reporting(line.ordered_amount),
        "Ordered quantity times agreed price, at the rate of the day ordered.",
        exclusions="Lines without a price, or whose currency has no rate of that day.",
        needs=(NEEDS_PRICE,),
    ),
    _volume(
        "received_units",
        "Units received",
        Unit.UNITS,
        order_line_facts_table,
        "due_day",
        _goods_sale,
        line.received_qty,
        "Units received on goods lines, by the day they were due.",
        exclusions="Services and fees.",
        needs=(NEEDS_RECEIPT,),
    ),
    _volume(
        "received_value",
        "Value received",
        Unit.MONEY,
        order_line_facts_table,
        "due_day",
        and_(line.received_amount.is_not(None), line.rate.is_not(None)),
        _reporting(line.received_amount),
        "Counted quantity times agreed price, by the day it was due, at the rate of the day ordered.",
        exclusions="Lines without a price, or whose currency has no rate of that day.",
        needs=(NEEDS_PRICE, NEEDS_RECEIPT),
    ),
    _volume(
        "billed_value",
        "Value billed",
        Unit.MONEY,
        order_line_facts_table,
        "ordered_day",
        and_(line.billed_amount.is_not(None), line.rate.is_not(None)),
        _reporting(line.billed_amount),
        "Invoices less credits and reversals by the original order's day and its rate, without tax and charges.",
        exclusions="Lines never billed, or whose currency has no rate of the day ordered.",
        needs=(NEEDS_BILLS,),
        feeds=BILLING_FEEDS,
    ),
    _volume(
        "judged_orders",
        "Orders judged",
        Unit.COUNT,
        order_facts_table,
        "due_day",
        o.state == "judged",
        None,
        "Orders whose every deadline and promise has passed.",
        exclusions="Pending and excluded orders.",
    ),
    _volume(
        "failed_orders",
        "Orders that failed",
        Unit.COUNT,
        order_facts_table,
        "due_day",
        and_(o.state == "judged", FAILED),
        None,
        "Judged orders that failed at least one of the five tests.",
        direction=Direction.LOWER,
        exclusions="Pending and excluded orders.",
        rows=(14, 16),
    ),
    _volume(
        "pending_orders",
        "Orders pending",
        Unit.COUNT,
        order_facts_table,
        "due_day",
        o.state == "pending",
        None,
        "Orders not due yet, delivered or not.",
    ),
    _volume(
        "excluded_orders",
        "Orders excluded",
        Unit.COUNT,
        order_facts_table,
        "due_day",
        o.state == "excluded",
        None,
        "Orders that are not sales, or of which the buyer cancelled all goods in time.",
    ),
)
