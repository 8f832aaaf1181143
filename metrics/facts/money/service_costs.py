"""Cost to serve from booked service costs and from customer cases."""

from sqlalchemy import (
    Date,
    DateTime,
    FromClause,
    Integer,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    select,
    true,
)

from metrics.facts.fact_table import BuildContext, only_stale
from metrics.facts.money.table import cost_rows
from metrics.facts.orders import NONE
from metrics.schema import orders, service_cases, service_costs
from metrics.sql.dialects import Expression, Rows, plus_days, plus_microseconds
from metrics.sql.moments import day_bounds, moment_span

FREIGHT, CASE = "freight", "case"
"""Activities of shipments and cases. They count only if no service cost has the same activity."""


def incurred_costs(context: BuildContext) -> Rows:
    """Select the service costs of days that ended by `as_of`, in the order's time zone or, without an order, in UTC."""
    c = service_costs.c
    tables: FromClause = service_costs.outerjoin(orders, and_(orders.c.order_id == c.order_id, ~orders.c.deleted))
    tables, _, ends = day_bounds(tables, c.incurred_on, orders.c.ship_to_time_zone)
    ended = func.coalesce(ends, _utc_end(c.incurred_on))
    return (
        select(
            c.cost_id,
            c.customer_id,
            c.order_id,
            func.lower(c.activity).label("activity"),
            c.amount,
            c.currency,
            c.incurred_on,
        )
        .select_from(tables)
        .where(~c.deleted, ended <= literal(context.as_of, DateTime))
    )


def _utc_end(day: Expression) -> Expression:
    return plus_microseconds(cast(plus_days(day, literal(1, Integer)), DateTime), literal(-1, Integer))


def service_cost_rows(context: BuildContext) -> Rows:
    """Select the booked service costs, on the day of booking."""
    incurred = incurred_costs(context).subquery("incurred")
    c = incurred.c
    return cost_rows(
        only_stale(incurred, c.cost_id, context),
        {
            "activity": func.coalesce(c.activity, literal(NONE, String)),
            "source": literal("service_cost", String),
            "document_id": c.cost_id,
            "order_id": c.order_id,
            "original_amount": c.amount,
            "stands_for_document": true(),
        },
        customer=c.customer_id,
        currency=c.currency,
        day=c.incurred_on,
        context=context,
    )


def case_rows(context: BuildContext) -> Rows:
    """Select the costs of cases, on the day they were resolved, or opened if they are unresolved."""
    dated = _dated_cases(context)
    # A case and a service cost of the same customer, both without an order, count as the same work and count once.
    incurred, d = incurred_costs(context).cte("incurred"), dated.c
    i = incurred.c
    by_order = (
        select(i.order_id).where(i.activity == CASE, i.order_id.is_not(None)).distinct().subquery("charged_orders")
    )
    by_customer = (
        select(i.customer_id).where(i.activity == CASE, i.order_id.is_(None)).distinct().subquery("charged_customers")
    )
    charged = case((d.order_id.is_(None), by_customer.c.customer_id), else_=by_order.c.order_id).is_not(None)
    joined = dated.outerjoin(by_order, by_order.c.order_id == d.order_id).outerjoin(
        by_customer, by_customer.c.customer_id == d.customer_id
    )
    return cost_rows(
        joined,
        {
            "activity": literal(CASE, String),
            "source": literal("case", String),
            "document_id": d.case_id,
            "order_id": d.order_id,
            "original_amount": d.cost_amount,
            "stands_for_document": true(),
        },
        customer=d.customer_id,
        currency=d.currency,
        day=d.day,
        context=context,
    ).where(~charged)


def _dated_cases(context: BuildContext) -> FromClause:
    """Select the cases opened by `as_of` that have costs, with the local day on which the costs count."""
    c, now = service_cases.c, literal(context.as_of, DateTime)
    tables: FromClause = service_cases.outerjoin(orders, and_(orders.c.order_id == c.order_id, ~orders.c.deleted))
    zone = orders.c.ship_to_time_zone
    tables, opened = moment_span(tables, dict(c.items()), "opened_at", zone)
    tables, resolved = moment_span(tables, dict(c.items()), "resolved_at", zone)

    def instant(name: str, end: Expression) -> Expression:
        """Return the end of a moment; in UTC for a case without an order."""
        return func.coalesce(end, case((c[f"{name}_is_date"], _utc_end(cast(c[name], Date))), else_=c[name]))

    settled = func.coalesce(instant("resolved_at", resolved.hi) <= now, false())
    day = case(
        (settled, func.coalesce(resolved.day, cast(c.resolved_at, Date))),
        else_=func.coalesce(opened.day, cast(c.opened_at, Date)),
    )
    return (
        select(
            c.case_id,
            c.order_id,
            func.coalesce(c.customer_id, orders.c.customer_id).label("customer_id"),
            c.currency,
            c.cost_amount,
            cast(day, Date).label("day"),
        )
        .select_from(only_stale(tables, c.case_id, context))
        .where(~c.deleted, c.cost_amount.is_not(None), instant("opened_at", opened.hi) <= now)
        .subquery("dated_cases")
    )
