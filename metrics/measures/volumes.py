"""Volumes and values: quantities ordered, received and billed; numbers of judged, pending and failed orders."""

from sqlalchemy import and_

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.orders.conditions import FAILED
from metrics.measures.formulas import line_amount_converted
from metrics.measures.needs import BILLING_FEEDS, CORE_FEEDS, NEEDS_BILLS, NEEDS_PRICE, NEEDS_RECEIPT, NO_RATE
from metrics.measures.windows import both_windows
from metrics.model.measure import Direction, Measure, Part, Total, Unit

o = order_facts_table.c
line = order_line_facts_table.c
m = money_facts_table.c
_sale = o.order_type == "sale"
_goods = line.line_kind == "goods"
_loaded_goods = and_(_goods, ~line.in_quarantine)
"""Quantities sum loaded lines only. Counts include lines in quarantine: R34 (impossible dates)."""


MEASURES = (
    Measure(
        name="orders",
        title="Orders",
        short="Orders",
        unit=Unit.COUNT,
        direction=Direction.NEITHER,
        facts=order_facts_table,
        date="ordered_day",
        formula=Total(Part(_sale, None)),
        definition="Sales orders placed.",
        numerator="sales orders placed",
        denominator="–",
        exclusions="Orders that are not sales.",
        source="own definition",
        feeds=CORE_FEEDS,
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
        formula=Total(Part(_goods, None)),
        definition="Goods lines ordered.",
        numerator="goods lines ordered",
        denominator="–",
        exclusions="Services and fees.",
        source="own definition",
        feeds=CORE_FEEDS,
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
        formula=Total(Part(_loaded_goods, line.ordered_qty)),
        definition="Units ordered on goods lines.",
        numerator="units ordered on goods lines",
        denominator="–",
        exclusions="Services and fees.",
        source="own definition",
        feeds=CORE_FEEDS,
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
                and_(line.ordered_amount.is_not(None), line.rate.is_not(None)),
                line_amount_converted(line.ordered_amount),
            )
        ),
        definition="Ordered quantity times agreed price, at the exchange rate of the order's day.",
        numerator="ordered quantity times agreed price, at the exchange rate of the order's day",
        denominator="–",
        exclusions="Lines without a price, and lines whose currency has no exchange rate on that day.",
        source="own definition",
        feeds=("orders", "order_lines"),
        needs=(NEEDS_PRICE,),
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
        formula=Total(Part(_loaded_goods, line.received_qty)),
        definition="Units received on goods lines, by the day they were due.",
        numerator="units received on goods lines, by the day they were due",
        denominator="–",
        exclusions="Services and fees.",
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
                and_(line.received_amount.is_not(None), line.rate.is_not(None)),
                line_amount_converted(line.received_amount),
            )
        ),
        definition=(
            "Counted quantity times agreed price, by the day it was due, at the exchange rate of the order's day."
        ),
        numerator="counted quantity times agreed price, by the day it was due, at the exchange rate of the order's day",
        denominator="–",
        exclusions="Lines without a price, and lines whose currency has no exchange rate on that day.",
        source="own definition",
        feeds=CORE_FEEDS,
        needs=(NEEDS_PRICE, NEEDS_RECEIPT),
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
        formula=Total(Part(and_(m.kind == "net_sales", m.of_goods_sold, m.amount.is_not(None)), m.amount)),
        definition=(
            "Invoices less credits and reversals of goods lines, without tax and charges, by the day of the order, at "
            "the exchange rate of each document's currency and day."
        ),
        numerator=(
            "invoices less credits and reversals of goods lines, without tax and charges, by the day of the order, at "
            "the exchange rate of each document's currency and day"
        ),
        denominator="–",
        exclusions=f"Services, fees and orders that are not sales. {NO_RATE}",
        source="own definition",
        feeds=(*BILLING_FEEDS, "fx_rates"),
        needs=(NEEDS_BILLS,),
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
        formula=Total(Part(o.state == "judged", None)),
        definition="Orders whose deadlines and promises have all passed.",
        numerator="orders whose deadlines and promises have all passed",
        denominator="–",
        exclusions="Pending and excluded orders.",
        source="own definition",
        feeds=CORE_FEEDS,
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
        formula=Total(Part(FAILED)),
        windows=both_windows(o.perfect_order),
        definition="Judged orders with a failed test, whatever the other tests are.",
        numerator="judged orders with a failed test",
        denominator="–",
        exclusions="Pending and excluded orders.",
        source="own definition",
        feeds=CORE_FEEDS,
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
        formula=Total(Part(o.state == "pending", None)),
        definition="Orders not due yet, delivered or not.",
        numerator="orders not due yet, delivered or not",
        denominator="–",
        exclusions="None.",
        source="own definition",
        feeds=CORE_FEEDS,
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
        formula=Total(Part(o.state == "excluded", None)),
        definition="Orders that are not sales, and orders of which the buyer cancelled all goods in time.",
        numerator="orders that are not sales, and orders of which the buyer cancelled all goods in time",
        denominator="–",
        exclusions="None.",
        source="own definition",
        feeds=CORE_FEEDS,
        product_rows=(16,),
    ),
)
