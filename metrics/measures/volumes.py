"""Volumes and values: quantities ordered, received and billed; numbers of judged, pending and failed orders."""

from sqlalchemy import and_, false, func

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.orders.conditions import FAILED
from metrics.measures.formulas import GOODS_OF_SALES, line_amount_converted
from metrics.measures.needs import (
    BILLING_FEEDS,
    CORE_FEEDS,
    NEEDS_ANY_TEST,
    NEEDS_BILL_CURRENCY,
    NEEDS_BILLS,
    NEEDS_CURRENCY,
    NEEDS_ORDER_LINES,
    NEEDS_ORDERS,
    NEEDS_PRICE,
    NEEDS_RECEIPT,
    NO_RATE,
)
from metrics.measures.profitability import amounts_of
from metrics.measures.windows import both_windows
from metrics.model.measure import Direction, Measure, Part, Total, Unit

o = order_facts_table.c
line = order_line_facts_table.c
m = money_facts_table.c


NOT_GOODS = "Services, fees, and orders that are not sales."
NO_PRICE = "Also lines without a price, and lines whose currency has no exchange rate on that day."
_sale = o.order_type == "sale"
_loaded_goods = and_(GOODS_OF_SALES, ~line.in_quarantine)
"""Quantities sum loaded lines only. Counts include lines in quarantine: R34 (impossible dates)."""
_QUARANTINED = Part(GOODS_OF_SALES), Part(and_(GOODS_OF_SALES, line.in_quarantine))
"""The lines of a quantity, and those of which it is not known."""


MEASURES = (
    Measure(
        name="orders",
        title="Orders",
        short="Orders",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=order_facts_table,
        date="ordered_day",
        formula=Total(Part(_sale)),
        definition="Sales orders placed.",
        numerator="count of sales orders",
        denominator="–",
        exclusions="Orders that are not sales.",
        source="own definition",
        feeds=("orders",),
        needs=(NEEDS_ORDERS,),
        product_rows=(16,),
    ),
    Measure(
        name="order_lines",
        title="Order lines",
        short="Order lines",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=order_line_facts_table,
        date="ordered_day",
        formula=Total(Part(GOODS_OF_SALES)),
        definition="Goods lines of sales orders.",
        numerator="count of those lines",
        denominator="–",
        exclusions=NOT_GOODS,
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_ORDER_LINES,),
        product_rows=(16,),
    ),
    Measure(
        name="ordered_units",
        title="Units ordered",
        short="Units ordered",
        unit=Unit.UNITS,
        direction=Direction.NEITHER,
        facts=order_line_facts_table,
        date="ordered_day",
        formula=Total(Part(_loaded_goods, line.ordered_qty), *_QUARANTINED),
        definition="Units ordered on goods lines.",
        numerator="Σ ordered_qty",
        denominator="–",
        exclusions=NOT_GOODS,
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_ORDER_LINES,),
        product_rows=(16,),
    ),
    Measure(
        name="ordered_value",
        title="Value ordered",
        short="Value ordered",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=order_line_facts_table,
        date="ordered_day",
        formula=Total(
            Part(
                and_(GOODS_OF_SALES, line.ordered_amount.is_not(None), line.rate.is_not(None)),
                line_amount_converted(line.ordered_amount),
            )
        ),
        definition="Ordered quantity times agreed price, at the exchange rate of the order's day.",
        numerator="Σ ordered_qty × unit_price × rate",
        denominator="–",
        exclusions=f"{NOT_GOODS} {NO_PRICE}",
        source="own definition",
        feeds=("orders", "order_lines"),
        needs=(NEEDS_PRICE, NEEDS_CURRENCY, NEEDS_ORDER_LINES),
        product_rows=(16,),
    ),
    Measure(
        name="received_units",
        title="Units received",
        short="Units received",
        unit=Unit.UNITS,
        direction=Direction.NEITHER,
        facts=order_line_facts_table,
        date="due_day",
        formula=Total(Part(_loaded_goods, line.received_qty), *_QUARANTINED),
        definition="Units received on goods lines, by the day they were due.",
        numerator="Σ received_qty",
        denominator="–",
        exclusions=NOT_GOODS,
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_RECEIPT,),
        product_rows=(16,),
    ),
    Measure(
        name="received_value",
        title="Value received",
        short="Value received",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=order_line_facts_table,
        date="due_day",
        formula=Total(
            Part(
                and_(GOODS_OF_SALES, line.received_amount.is_not(None), line.rate.is_not(None)),
                line_amount_converted(line.received_amount),
            )
        ),
        definition=(
            "Counted quantity times agreed price, by the day it was due, at the exchange rate of the order's day."
        ),
        numerator="Σ counted_qty × unit_price × rate",
        denominator="–",
        exclusions=f"{NOT_GOODS} {NO_PRICE}",
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_PRICE, NEEDS_CURRENCY, NEEDS_RECEIPT),
        product_rows=(16,),
    ),
    Measure(
        name="billed_value",
        title="Value billed",
        short="Value billed",
        unit=Unit.MONEY,
        direction=Direction.NEITHER,
        facts=money_facts_table,
        date="cohort_day",
        formula=amounts_of(and_(m.kind == "net_sales", m.of_goods_sold)),
        definition=(
            "Invoices less credits and reversals of goods lines, without tax and charges, by the day of the order, at "
            "the exchange rate of each document's currency and day."
        ),
        numerator="Σ line_amount of invoices - credits - reversals, × rate",
        denominator="–",
        exclusions=f"{NOT_GOODS} {NO_RATE}",
        source="own definition",
        feeds=(*BILLING_FEEDS, "fx_rates"),
        needs=(NEEDS_BILLS, NEEDS_BILL_CURRENCY),
        product_rows=(16,),
    ),
    Measure(
        name="judged_orders",
        title="Judged orders",
        short="Judged orders",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=order_facts_table,
        date="due_day",
        formula=Total(Part(o.state == "judged")),
        definition=(
            "Orders whose deadlines and promises have all passed. An order without any date is judged once it was "
            "received, or 30 days after the order."
        ),
        numerator="count of those orders",
        denominator="–",
        exclusions="Pending and excluded orders.",
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_ORDER_LINES,),
        product_rows=(16,),
    ),
    Measure(
        name="failed_orders",
        title="Failed orders",
        short="Failed orders",
        unit=Unit.COUNT,
        direction=Direction.LOWER,
        facts=order_facts_table,
        date="due_day",
        formula=Total(
            Part(FAILED),
            judged=Part(o.state == "judged"),
            unknown=Part(and_(o.state == "judged", ~func.coalesce(FAILED, false()), o.perfect_order.is_(None))),
        ),
        windows=both_windows(o.perfect_order),
        definition="Judged orders with a failed test, whatever the other tests are.",
        numerator="count of those orders",
        denominator="–",
        exclusions="Pending and excluded orders.",
        source="own definition",
        feeds=(*CORE_FEEDS, *BILLING_FEEDS),
        needs=(NEEDS_ANY_TEST,),
        product_rows=(14, 16),
    ),
    Measure(
        name="pending_orders",
        title="Pending orders",
        short="Pending orders",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=order_facts_table,
        date="due_day",
        formula=Total(Part(o.state == "pending")),
        definition=(
            "Orders not due yet, delivered or not. An order without any date waits until it is received, at most 30 "
            "days."
        ),
        numerator="count of those orders",
        denominator="–",
        exclusions="None.",
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_ORDER_LINES,),
        product_rows=(16,),
    ),
    Measure(
        name="excluded_orders",
        title="Excluded orders",
        short="Excluded orders",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=order_facts_table,
        date="due_day",
        formula=Total(Part(o.state == "excluded")),
        definition=(
            "Orders that are not sales, orders with only services or fees, and orders of which the buyer cancelled all "
            "goods in time. Services, fees and bills of such sales still count in billed accurately."
        ),
        numerator="count of those orders",
        denominator="–",
        exclusions="None.",
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_ORDER_LINES,),
        product_rows=(16,),
    ),
)
