"""One row: one segment: how long its buyers usually take from one day they order on to the next. Source: rules R38."""

from collections.abc import Sequence
from decimal import Decimal

from sqlalchemy import Column, Connection, Integer, String, cast, func, literal, select

from metrics.facts.fact_table import BuildContext, FactTable, fact_table, only_stale
from metrics.facts.orders import DIMENSION_COLUMNS, NONE, order_facts_table
from metrics.sql.dialects import Rows, days_between, percentile

HALF = literal(Decimal("0.5"), literal_execute=True)
"""The share below a median, for `percentile`."""

segment_intervals_table = fact_table(
    "segment_gaps",
    "segment",
    "one row: one segment's gap, which stands in for that of buyers who ordered too seldom",
    Column(
        "gap_days",
        Integer,
        comment="median days between the days on which its buyers ordered; empty: nobody ordered twice",
    ),
)


def select_rows(_connection: Connection, _context: BuildContext) -> Sequence[Rows]:
    """The median gap of every segment."""
    gaps = customer_intervals().subquery("order_gaps")
    others = [gaps.c.segment if name == "segment" else literal(NONE, String).label(name) for name in DIMENSION_COLUMNS]
    return (select(cast(percentile(HALF, gaps.c.gap), Integer).label("gap_days"), *others).group_by(gaps.c.segment),)


def customer_intervals(context: BuildContext | None = None) -> Rows:
    """One row for each day a customer ordered on, with their segment and the days since they last had."""
    o = order_facts_table.c
    tables = order_facts_table if context is None else only_stale(order_facts_table, o.customer_id, context)
    order_days = (
        select(o.customer_id, o.ordered_day, func.max(o.segment).label("segment"))
        .select_from(tables)
        .where(o.order_type == "sale", o.ordered_day.is_not(None))
        .group_by(o.customer_id, o.ordered_day)
        .subquery("order_days")
    )
    d = order_days.c
    before = func.lag(d.ordered_day).over(partition_by=d.customer_id, order_by=d.ordered_day)
    return select(d.customer_id, d.segment, d.ordered_day, days_between(before, d.ordered_day).label("gap"))


FACT_TABLES = (FactTable(segment_intervals_table, select_rows),)
