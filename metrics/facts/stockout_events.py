"""Stockout events: order lines that were short, and demand that never became an order.

It contains no fact table; `stockout_outcomes.py` adds the outcome of each event. Source: R38 (stockouts).
"""

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    FromClause,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    select,
    union_all,
)

from metrics.facts.fact_table import BuildContext, only_stale
from metrics.facts.holds import credit_holds
from metrics.facts.orders import DIMENSION_COLUMNS, NONE, order_facts_table, order_line_facts_table
from metrics.facts.versions import valid_on, versions
from metrics.schema import EXACT_AMOUNT, QTY, customers, stockouts
from metrics.sql.dialects import MICROSECONDS_A_DAY, Expression, Rows, plus_microseconds, times, typed_null
from metrics.sql.exchange_rates import converted

FIRST_PASS, RECEIPT, UNORDERED = "first pass", "receipt", "unordered"
"""Sources of an event: a line short at its first promise; a line short at receipt, if no source maps shipped_at;
demand without an order.
"""
WAITED, BACK_ORDERED, SALE_LOST, BUYER_LOST = "waited", "back_ordered", "sale_lost", "buyer_lost"
OUTCOMES = (WAITED, BACK_ORDERED, SALE_LOST, BUYER_LOST)
"""Outcomes of an event that has ended."""
OPEN = "open"
"""Outcome of an event that has not ended."""


def stockout_events(context: BuildContext) -> CTE:
    """Return all events by `as_of` as the CTE `stockout_events`."""
    events = _short_lines(context)
    if "stockouts.wanted_at" in context.mapped:
        events = select(union_all(events, _unordered(context)).subquery("both_kinds"))
    return events.cte("stockout_events")


def _short_lines(context: BuildContext) -> Rows:
    """Return the events of order lines.

    came: the line is complete by now. closed: a part of the short quantity was cancelled.
    """
    line = order_line_facts_table.c
    if "shipments.shipped_at" in context.mapped:
        source, is_short, arrived = FIRST_PASS, line.first_pass_full.is_(False), line.first_pass_qty
    else:
        source, is_short, arrived = RECEIPT, line.complete.is_(False), line.filled_qty
    short = cast(line.owed_qty - arrived, QTY)
    tables = only_stale(order_line_facts_table, line.customer_id, context)
    conditions: list[Expression] = [line.state == "judged", is_short]
    if (on_hold := credit_holds(context)) is not None:
        tables = tables.outerjoin(on_hold, and_(on_hold.c.order_id == line.order_id, on_hold.c.line_no == line.line_no))
        conditions.append(on_hold.c.order_id.is_(None))
    values: dict[str, Expression] = {
        "stockout_source": literal(source, String),
        "order_id": line.order_id,
        "line_no": line.line_no,
        "stockout_id": typed_null(String()),
        "product_id": line.product_id,
        "event_at": line.first_due_at,
        "event_day": line.due_day,
        "short_qty": short,
        "margin_amount": _margin(short, order_line_facts_table),
    }
    return (
        select(
            *[value.label(name) for name, value in values.items()],
            func.coalesce(line.complete, false()).label("came"),
            (line.cancelled_short_qty > 0).label("closed"),
            typed_null(String()).label("own_outcome"),
            typed_null(Boolean()).label("ordered_later"),
            *[line[name] for name in DIMENSION_COLUMNS],
        )
        .select_from(tables)
        .where(*conditions)
    )


def _margin(quantity: Expression, lines: FromClause) -> Expression:
    """Return the margin of a quantity at the price and unit cost of a line, in the reporting currency.

    Unit costs are always in the reporting currency.
    """
    line = lines.c
    price = converted(cast(times(quantity, line.unit_price_amount), EXACT_AMOUNT), line.rate)
    return cast(price - cast(times(quantity, line.unit_cost_amount), EXACT_AMOUNT), EXACT_AMOUNT)


def _unordered(context: BuildContext) -> Rows:
    """Return the events of the feed `stockouts`.

    Price, cost, currency and category are those of the buyer's latest order line of the product before the event. A
    buyer who has never ordered the product, but always orders in one currency, gets that currency.
    """
    s, line = stockouts.c, order_line_facts_table.c
    wanted_day = cast(s.wanted_at, Date)
    wanted_end = case(
        (s.wanted_at_is_date, plus_microseconds(s.wanted_at, literal(MICROSECONDS_A_DAY - 1, BigInteger))),
        else_=s.wanted_at,
    )
    instants = and_(~line.ordered_at_is_date, ~s.wanted_at_is_date)
    later = case((instants, line.ordered_at > s.wanted_at), else_=line.ordered_day > wanted_day)
    same = and_(line.customer_id == s.customer_id, line.product_id == s.product_id, line.state != "excluded")
    wanted = only_stale(stockouts, s.customer_id, context)
    ordered = wanted.join(order_line_facts_table, same)
    bought_later = select(s.stockout_id).select_from(ordered).where(later).distinct().subquery("bought_later")
    bought_before = _bought_before(ordered, later).subquery("bought_before")
    version = versions(customers, ("customer_id",), ("service_segment", "region"))
    only_currency = _only_currencies(context).subquery("only_currencies")
    v, last = version.c, bought_before.c
    known = {
        "customer_id": s.customer_id,
        "segment": v.service_segment,
        "region": v.region,
        "currency": func.coalesce(last.currency, only_currency.c.currency),
        "product_category": last.product_category,
    }
    values: dict[str, Expression] = {
        "stockout_source": literal(UNORDERED, String),
        "order_id": typed_null(String()),
        "line_no": typed_null(String()),
        "stockout_id": s.stockout_id,
        "product_id": s.product_id,
        "event_at": wanted_end,
        "event_day": wanted_day,
        "short_qty": s.wanted_qty,
        "margin_amount": _margin(s.wanted_qty, bought_before),
        "came": false(),
        "closed": false(),
        "own_outcome": case((s.outcome.in_(OUTCOMES), s.outcome), else_=None),
        "ordered_later": bought_later.c.stockout_id.is_not(None),
    }
    values |= {
        name: func.coalesce(known.get(name, literal(NONE, String)), literal(NONE, String)) for name in DIMENSION_COLUMNS
    }
    return (
        select(*[value.label(name) for name, value in values.items()])
        .select_from(
            wanted.outerjoin(version, valid_on(version, wanted_day, customer_id=s.customer_id))
            .outerjoin(bought_before, and_(last.stockout_id == s.stockout_id, last.place == 1))
            .outerjoin(bought_later, bought_later.c.stockout_id == s.stockout_id)
            .outerjoin(only_currency, only_currency.c.customer_id == s.customer_id)
        )
        .where(~s.deleted, wanted_end <= literal(context.as_of, DateTime))
    )


def _bought_before(ordered: FromClause, later: Expression) -> Rows:
    """Return the order lines placed before each event, ranked by `place` from the latest."""
    s, line = stockouts.c, order_line_facts_table.c
    place = (
        func.row_number()
        .over(partition_by=s.stockout_id, order_by=(line.ordered_day.desc(), line.order_id, line.line_no))
        .label("place")
    )
    return (
        select(
            s.stockout_id,
            line.unit_price_amount,
            line.unit_cost_amount,
            line.rate,
            line.currency,
            line.product_category,
            place,
        )
        .select_from(ordered)
        .where(~later)
    )


def _only_currencies(context: BuildContext) -> Rows:
    """Return the currency of every customer whose orders all have the same currency."""
    o = order_facts_table.c
    return (
        select(o.customer_id, func.min(o.currency).label("currency"))
        .select_from(only_stale(order_facts_table, o.customer_id, context))
        .group_by(o.customer_id)
        .having(func.min(o.currency) == func.max(o.currency))
    )
