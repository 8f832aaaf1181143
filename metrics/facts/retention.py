"""Retention: the customer's next order after a judged order, and the margin of the following days.

It contains no fact table; `recoveries.py` joins these SELECTs. Source: section 4 (i) (service recovery).
"""

from sqlalchemy import (
    CTE,
    BigInteger,
    Date,
    FromClause,
    Integer,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)

from metrics.facts.fact_table import BuildContext
from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import NONE, order_facts_table
from metrics.schema import EXACT_AMOUNT
from metrics.sql.dialects import Expression, Rows, count_if, plus_days, sum_if, typed_null
from metrics.sql.moments import moment_span

RETAINED_DAYS = 90
"""Days after a failure whose margin counts as retained."""


def following_orders(grouped: CTE, context: BuildContext) -> Rows:
    """Return order_id and next_day, the day of the customer's first sale order after the wait began.

    A window function runs backwards through the orders and waits of each customer.
    """
    g, o = grouped.c, order_facts_table.c
    tables = _of_their_customers(order_facts_table, grouped, context)
    tables, ordered = moment_span(tables, dict(o.items()), "ordered_at", o.ship_to_time_zone)
    placed = select(
        o.customer_id,
        ordered.hi.label("at"),
        literal(0, Integer).label("waits"),
        typed_null(String()).label("order_id"),
        o.ordered_day.label("day"),
    )
    waits = select(g.customer_id, g.start_at, literal(1, Integer), g.order_id, typed_null(Date())).where(
        g.start_at.is_not(None)
    )
    events = union_all(placed.select_from(tables).where(o.order_type == "sale"), waits).cte("orders_and_waits")
    e = events.c
    # At equal instants the waits come first, so that an order placed at the same instant does not count as later.
    later = func.min(e.day).over(partition_by=e.customer_id, order_by=[e.at.desc(), e.waits.desc()], rows=(None, 0))
    running = select(e.order_id, e.waits, later.label("next_day")).subquery("running")
    return select(running.c.order_id, running.c.next_day).where(running.c.waits == 1)


def _of_their_customers(tables: FromClause, grouped: CTE, context: BuildContext) -> FromClause:
    """Limit order facts to the customers of the given orders. A full rebuild returns them unchanged."""
    if context.only is None:
        return tables
    theirs = select(grouped.c.customer_id).distinct().subquery("their_customers")
    return tables.join(theirs, theirs.c.customer_id == order_facts_table.c.customer_id)


def margin_after_failure(grouped: CTE, context: BuildContext) -> Rows:
    """Return order_id, amount and unknown_n: the customer's margin in the RETAINED_DAYS days after the wait began.

    unknown_n: number of billed lines in these days whose margin is not known. Margins are in the reporting currency.
    Without exchange rates, only documents in the currency of the failed order count.

    The margins of each customer are summed up day by day. The sum on the last day less the sum on the first day is the
    margin of the days between.
    """
    by_currency = "fx_rates.rate" not in context.mapped
    events = union_all(
        _earned(grouped, context, by_currency=by_currency), *_looks(grouped, by_currency=by_currency)
    ).cte("margins_and_looks")
    e = events.c

    def total_so_far(amount: Expression) -> Expression:
        return func.sum(amount).over(partition_by=[e.customer_id, e.money], order_by=[e.day, e.looks], rows=(None, 0))

    so_far = select(
        e.order_id,
        e.looks,
        total_so_far(e.amount).label("amount"),
        total_so_far(e.unknown_n).label("unknown_n"),
    ).subquery("so_far")
    s = so_far.c

    def between(name: str) -> Expression:
        return func.max(case((s.looks == 2, s[name]), else_=None)) - func.max(case((s.looks == 1, s[name]), else_=None))

    return (
        select(
            s.order_id,
            cast(between("amount"), EXACT_AMOUNT).label("amount"),
            cast(between("unknown_n"), BigInteger).label("unknown_n"),
        )
        .where(s.looks > 0)
        .group_by(s.order_id)
    )


def _earned(grouped: CTE, context: BuildContext, *, by_currency: bool) -> Rows:
    """Return the margin of every sale order on its order day: net sales of goods less their product cost.

    Each document has the rate of its own currency and day. R25 (currencies).
    """
    m, o = money_facts_table.c, order_facts_table.c
    sales, cost = m.kind == "net_sales", m.kind == "product_cost"
    known = and_(m.amount.is_not(None), or_(cost, m.cost_known.is_(True)))
    signed = case((cost, -m.amount), else_=m.amount)
    by_order = (
        select(
            m.order_id,
            m.currency,
            sum_if(known, signed).label("amount"),
            count_if(and_(sales, ~known)).label("unknown_n"),
        )
        .where(m.of_goods_sold.is_(True), or_(sales, cost))
        .group_by(m.order_id, m.currency)
        .subquery("order_margins")
    )
    return select(
        o.customer_id,
        (by_order.c.currency if by_currency else literal(NONE, String)).label("money"),
        o.ordered_day.label("day"),
        literal(0, Integer).label("looks"),
        typed_null(String()).label("order_id"),
        by_order.c.amount,
        by_order.c.unknown_n,
    ).select_from(
        _of_their_customers(order_facts_table.join(by_order, by_order.c.order_id == o.order_id), grouped, context)
    )


def _looks(grouped: CTE, *, by_currency: bool) -> list[Rows]:
    """Return the two days per failed order at which the sum of margins is read: looks 1 (first) and looks 2 (last)."""
    g = grouped.c
    no_money = cast(literal(0), EXACT_AMOUNT)
    return [
        select(
            g.customer_id,
            g.currency if by_currency else literal(NONE, String),
            cast(plus_days(g.start_day, literal(days, Integer)), Date),
            literal(look, Integer),
            g.order_id,
            no_money,
            literal(0, BigInteger),
        ).where(g.failed, g.start_day.is_not(None))
        for look, days in ((1, 0), (2, RETAINED_DAYS))
    ]
