"""Order intervals: the usual days between two order days of a buyer, per segment.

Grain: one row per segment with sale orders. Key: segment.
Stale rows: not tracked. Every run rebuilds the whole table.
Source: R38 (stockouts).
"""

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import Column, Connection, Integer, String, cast, func, literal, select

from metrics.facts.fact_table import BuildContext, FactTable, fact_table, only_stale
from metrics.facts.orders import DIMENSION_COLUMNS, NONE, order_facts_table
from metrics.sql.dialects import Rows, days_between, percentile

HALF = literal(Decimal("0.5"), literal_execute=True)
"""The fraction of the median, for `percentile`."""

segment_intervals_table = fact_table(
    "segment_gaps",
    "segment",
    "one row: one segment's gap, used for buyers with too few orders of their own",
    Column(
        "gap_days",
        Integer,
        comment="median days between the order days of its buyers; empty: nobody ordered on two days",
    ),
)


def select_rows(_connection: Connection, _context: BuildContext) -> Sequence[Rows]:
    """Return the median gap of every segment."""
    gaps = customer_intervals().subquery("order_gaps")
    others = [gaps.c.segment if name == "segment" else literal(NONE, String).label(name) for name in DIMENSION_COLUMNS]
    return (select(cast(percentile(HALF, gaps.c.gap), Integer).label("gap_days"), *others).group_by(gaps.c.segment),)


def customer_intervals(context: BuildContext | None = None) -> Rows:
    """Return per customer and order day the segment and the days since the previous order day."""
    o = order_facts_table.c
    tables = order_facts_table if context is None else only_stale(order_facts_table, o.customer_id, context)
    order_days = (
        select(o.customer_id, o.ordered_day, func.max(o.segment).label("segment"))
        .select_from(tables)
        .where(o.order_type == "sale", o.ordered_day.is_not(None), o.customer_id != NONE)
        .group_by(o.customer_id, o.ordered_day)
        .subquery("order_days")
    )
    d = order_days.c
    before = func.lag(d.ordered_day).over(partition_by=d.customer_id, order_by=d.ordered_day)
    return select(d.customer_id, d.segment, d.ordered_day, days_between(before, d.ordered_day).label("gap"))


FACT_TABLES = (FactTable(segment_intervals_table, select_rows),)
