"""Stockouts and their outcome.

Grain: one row per stockout event. Key: order_id and line_no for an order line, stockout_id for unordered demand.
Stale rows: all events of a customer, if anything that decides them has changed (see `_stale_keys`).
Source: R38 (stockouts), R40 (orders that are not sales), section 4 (d) (stockouts); docs/judgement.md.

There are two kinds of event:

- A line of a sale order that was not shipped in full by its first promise. It does not count if the order was on
  credit hold at that moment, because the stock was not the reason.
- A row of the feed `stockouts`, which is demand that never became an order.

The outcome is the first that applies:

- buyer_lost: the horizon has passed, and the buyer has placed no order since the event.
- sale_lost: a part of the short quantity was cancelled.
- back_ordered: it arrived in a later shipment, after an earlier shipment of the order had left.
- waited: it arrived without an earlier shipment.
- sale_lost: the horizon has passed and it has not arrived.
- open: none of these.

The horizon is the assumption `lost_k` times the buyer's median gap between order days up to the event. A buyer with
fewer than three such days gets the median gap of the segment. An outcome is provisional while it can still change
because the horizon has not passed.

A row of `stockouts` keeps the outcome of its source. The exception is `buyer_lost` of a buyer who has ordered since.

The future margin of a lost buyer is charged once, on their last stockout. No order came after it.

Amounts are in the reporting currency. They are null if an input is not known.
"""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import (
    CTE,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
    FromClause,
    Integer,
    SelectBase,
    String,
    and_,
    case,
    cast,
    literal,
    or_,
    select,
    union,
)

from metrics.facts.assumptions import assumed_column
from metrics.facts.fact_table import ENDS_WITHIN, BuildContext, Changes, FactTable, fact_table, is_new
from metrics.facts.order_intervals import segment_intervals_table
from metrics.facts.orders import order_facts_table
from metrics.facts.stockout_costs import buyer_margins, extra_costs, last_of_buyer
from metrics.facts.stockout_events import BUYER_LOST, stockout_events
from metrics.facts.stockout_outcomes import lines_left, with_horizon, with_outcome
from metrics.schema import (
    EXACT_AMOUNT,
    QTY,
    assumptions,
    customers,
    shipment_lines,
    stockouts,
)
from metrics.sql.dialects import (
    Expression,
    Rows,
    times,
    typed_null,
)

stockout_facts_table = fact_table(
    "stockout_facts",
    "stockout",
    "one row: one stockout event and its outcome",
    Column("stockout_source", String, comment="first pass, receipt or unordered"),
    Column("order_id", String, comment="order line that was short; empty for unordered demand"),
    Column("line_no", String, comment="order line that was short; empty for unordered demand"),
    Column("stockout_id", String, comment="stockouts.stockout_id; empty for order lines"),
    Column("product_id", String, comment="product that was short"),
    Column("event_at", DateTime, comment="first promise, or when the product was wanted, UTC"),
    Column("event_day", Date, comment="due day of the line, or day the product was wanted"),
    Column("short_qty", QTY, comment="missing quantity, base unit; empty: not known"),
    Column(
        "gap_days",
        Integer,
        comment="median days between order days, of the buyer or else the segment; empty: not known",
    ),
    Column("gap_is_own", Boolean, comment="true: `gap_days` is the buyer's; false: the segment's"),
    Column("horizon_day", Date, comment="last day on which a new order shows that the buyer is not lost"),
    Column("outcome", String, comment="waited, back_ordered, sale_lost, buyer_lost or open"),
    Column("provisional", Boolean, comment="true: the horizon has not passed and the outcome can still change"),
    Column(
        "contradicted",
        Boolean,
        comment="true: the source says buyer_lost, but the buyer has ordered since; the outcome follows the orders",
    ),
    Column("margin_amount", EXACT_AMOUNT, comment="margin of the short quantity, reporting currency"),
    Column(
        "extra_amount",
        EXACT_AMOUNT,
        comment="extra freight and handling of the order's back-order shipments, on its first back-ordered line",
    ),
    Column(
        "buyer_margin_amount",
        EXACT_AMOUNT,
        comment="lost buyers: margin of the 12 months before, times the assumed years, on the buyer's last stockout; "
        "0 on their others",
    ),
    Column("cost_amount", EXACT_AMOUNT, comment="cost of the event by its outcome; empty: open, or not known"),
)


def select_rows(connection: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return all events by `as_of`, in one SELECT."""
    on = context.as_of.date()
    events = stockout_events(context)
    left = lines_left(events, context) if "shipments.shipped_at" in context.mapped else None
    timed = with_horizon(connection, events, context, on).cte("timed_stockouts")
    decided = with_outcome(timed, left).cte("decided_stockouts")
    return (_costed(connection, decided, left, context, on),)


def _stale_keys(changed: Changes, context: BuildContext) -> SelectBase:
    """Select the customers whose events may have changed.

    - Their orders have changed, or share a shipment with an order that has changed.
    - The horizon of an event has passed.
    - The median gap of their segment has changed and is used for them.
    - Rows of `stockouts` or of the customer are new.
    - An assumption has changed. In this case all customers with events are selected.
    """
    e, o, line, other = stockout_facts_table.c, order_facts_table.c, shipment_lines.c, shipment_lines.alias("beside").c
    of_changed = shipment_lines.join(changed.orders, changed.orders.c.order_id == line.order_id)
    seldom = stockout_facts_table.outerjoin(segment_intervals_table, segment_intervals_table.c.segment == e.segment)
    assumed = assumptions.c
    valid_since = assumed.valid_from.between(literal(changed.since.date(), Date), literal(context.as_of.date(), Date))
    reassumed = select(assumed.assumption).where(or_(is_new(assumptions), valid_since)).exists()
    demand = stockout_facts_table.join(stockouts, stockouts.c.stockout_id == e.stockout_id)
    around = literal(changed.since - ENDS_WITHIN, DateTime)
    newly_wanted = or_(is_new(stockouts), and_(stockouts.c.wanted_at_is_date, stockouts.c.wanted_at > around))
    return union(
        select(changed.customers.c.customer_id),
        select(o.customer_id)
        .select_from(of_changed)
        .where(other.shipment_id == line.shipment_id, other.order_id != line.order_id, o.order_id == other.order_id),
        select(e.customer_id).where(
            e.provisional, e.horizon_day <= literal((context.as_of + ENDS_WITHIN).date(), Date)
        ),
        select(e.customer_id)
        .select_from(seldom)
        .where(~e.gap_is_own, e.gap_days.is_distinct_from(segment_intervals_table.c.gap_days)),
        select(stockouts.c.customer_id).where(newly_wanted),
        select(e.customer_id).select_from(demand).where(is_new(stockouts)),
        select(customers.c.customer_id).where(is_new(customers)),
        select(e.customer_id).where(reassumed),
    )


def _costed(connection: Connection, decided: CTE, left: CTE | None, context: BuildContext, on: date) -> Rows:
    """Return the events with their costs, in the columns of `stockout_facts`."""
    d = decided.c
    tables: FromClause = decided
    extra: Expression = typed_null(EXACT_AMOUNT)
    if left is not None and {"shipments.freight_amount", "service_costs.amount"} & context.mapped:
        of_order = extra_costs(decided, left, context)
        tables = tables.outerjoin(of_order, and_(of_order.c.order_id == d.order_id, of_order.c.line_no == d.line_no))
        extra = of_order.c.amount
    buyer_margin: Expression = typed_null(EXACT_AMOUNT)
    if "invoice_lines.line_amount" in context.mapped:
        of_buyer = buyer_margins(decided)
        tables = tables.outerjoin(of_buyer, of_buyer.c.customer_id == d.customer_id)
        years = assumed_column(connection, "customer_years", customer_id=d.customer_id, segment=d.segment, on=on)
        buyer_margin = case(
            (d.outcome != BUYER_LOST, None),
            (last_of_buyer(decided), cast(times(of_buyer.c.amount, years), EXACT_AMOUNT)),
            else_=cast(literal(0, Integer), EXACT_AMOUNT),
        )
    wait = cast(
        assumed_column(connection, "wait_cost", customer_id=d.customer_id, segment=d.segment, on=on), EXACT_AMOUNT
    )
    costs = {
        "waited": wait,
        "back_ordered": extra,
        "sale_lost": d.margin_amount,
        "buyer_lost": d.margin_amount + buyer_margin,
    }
    calculated = {
        "extra_amount": extra,
        "buyer_margin_amount": buyer_margin,
        "cost_amount": case(*[(d.outcome == outcome, cost) for outcome, cost in costs.items()], else_=None),
    }
    return select(
        *[
            cast(calculated.get(column.name, d.get(column.name)), column.type).label(column.name)
            for column in stockout_facts_table.columns
        ]
    ).select_from(tables)


FACT_TABLES = (FactTable(stockout_facts_table, select_rows, key="customer_id", stale_keys=_stale_keys),)
