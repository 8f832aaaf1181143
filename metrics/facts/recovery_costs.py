"""Recovery costs: cases, replacements and goodwill credits, each on its order.

Grain: one row per cost. Key: none, a cost has no id.
Stale rows: not tracked. Every run rebuilds the whole table.
Source: section 4 (i) (service recovery).
"""

from collections.abc import Sequence

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    FromClause,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    select,
)

from metrics.facts.customer_contacts import contact, day_at
from metrics.facts.fact_table import BuildContext, FactTable, fact_table, order_dimensions
from metrics.facts.orders import NONE, order_facts_table, order_line_facts_table
from metrics.facts.recoveries import recovery_facts_table
from metrics.facts.service_cases import REQUEST_KINDS
from metrics.schema import EXACT_AMOUNT, invoice_lines, invoices, service_cases, service_costs
from metrics.sql.dialects import Expression, Rows, times
from metrics.sql.exchange_rates import join_rate
from metrics.sql.moments import moment_span

recovery_cost_facts_table = fact_table(
    "recovery_cost_facts",
    "cost",
    "one row: one cost of recovery: a case, goods or service of a replacement order, or a goodwill credit",
    Column("order_id", String, comment="the order of the cost; empty: none"),
    Column("activity", String, comment="case, replacement or goodwill"),
    Column(
        "cost_day",
        Date,
        comment="day the case was settled (opened, if open), replacement ordered, cost incurred or credit dated",
    ),
    Column("amount", EXACT_AMOUNT, comment="reporting currency; null: no rate or no unit cost"),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return the costs by as_of from every mapped feed, or nothing if no source maps the costs of cases."""
    if "service_cases.cost_amount" not in context.mapped:
        return ()
    selects = [_case_costs(context), _replaced_goods()]
    if "service_costs.amount" in context.mapped:
        selects.append(_replacement_service(context))
    if "invoices.credit_reason" in context.mapped:
        selects.append(_goodwill(context))
    return selects


def _cost(
    activity: str,
    tables: FromClause,
    order_id: Expression,
    day: Expression,
    amount: Expression,
    dimensions: list[Expression],
) -> Rows:
    columns = [
        order_id.label("order_id"),
        literal(activity, String).label("activity"),
        cast(day, Date).label("cost_day"),
    ]
    return select(*columns, cast(amount, EXACT_AMOUNT).label("amount"), *dimensions).select_from(tables)


def _paid_in(currency: Expression, of_order: Expression) -> Expression:
    """Return the currency of a document, or of its order if the document has none."""
    return func.coalesce(currency, func.nullif(of_order, NONE))


def _in_currency(currency: Expression, dimensions: list[Expression]) -> list[Expression]:
    """Return the dimensions with the currency of the cost."""
    return [
        func.coalesce(currency, literal(NONE, String)).label("currency") if dimension.name == "currency" else dimension
        for dimension in dimensions
    ]


def _case_costs(context: BuildContext) -> Rows:
    """Return the costs of cases of failed orders, without requests."""
    c, failure = service_cases.c, recovery_facts_table.c
    about = contact(service_cases)
    about, opened = about.span(service_cases, "opened_at")
    about, resolved = about.span(service_cases, "resolved_at")
    now = literal(context.as_of, DateTime)
    day = case((resolved.hi <= now, resolved.day), else_=opened.day)
    tables, dimensions = about.dimensions(opened.day)
    tables = tables.join(recovery_facts_table, and_(failure.order_id == c.order_id, failure.failed))
    paid_in = _paid_in(c.currency, failure.currency)
    tables, rate = join_rate(tables, paid_in, cast(day, Date), context.mapped)
    rows = _cost("case", tables, c.order_id, day, times(c.cost_amount, rate), _in_currency(paid_in, dimensions))
    kind = func.coalesce(c.kind, literal(NONE, String))
    return rows.where(~c.deleted, c.cost_amount.is_not(None), opened.hi <= now, kind.not_in(REQUEST_KINDS))


def _replaced_goods() -> Rows:
    """Return the unit cost of goods shipped on replacement orders."""
    o, line = order_facts_table.c, order_line_facts_table.c
    tables = order_line_facts_table.join(order_facts_table, o.order_id == line.order_id)
    amount = times(line.shipped_qty, line.unit_cost_amount)
    # The other costs are known by order. Replaced goods therefore have the dimensions of their order, not of the line.
    rows = _cost("replacement", tables, line.order_id, line.ordered_day, amount, order_dimensions())
    return rows.where(o.order_type == "replacement", line.line_kind == "goods", line.shipped_qty > 0)


def _replacement_service(context: BuildContext) -> Rows:
    """Return the service costs booked on replacement orders."""
    o, cost = order_facts_table.c, service_costs.c
    tables: FromClause = service_costs.join(
        order_facts_table, and_(o.order_id == cost.order_id, o.order_type == "replacement")
    )
    paid_in = _paid_in(cost.currency, o.currency)
    tables, rate = join_rate(tables, paid_in, cost.incurred_on, context.mapped)
    tables, today = day_at(tables, context.as_of, o.ship_to_time_zone)
    rows = _cost(
        "replacement",
        tables,
        cost.order_id,
        cost.incurred_on,
        times(cost.amount, rate),
        _in_currency(paid_in, order_dimensions()),
    )
    return rows.where(~cost.deleted, cost.incurred_on <= today)


def _goodwill(context: BuildContext) -> Rows:
    """Return the goodwill credits of each order."""
    o, document, line = order_facts_table.c, invoices.c, invoice_lines.c
    tables: FromClause = invoice_lines.join(invoices, document.invoice_id == line.invoice_id).join(
        order_facts_table, o.order_id == line.order_id
    )
    tables, dated = moment_span(tables, dict(document.items()), "invoiced_at", o.ship_to_time_zone)
    paid_in = _paid_in(document.currency, o.currency)
    tables, rate = join_rate(tables, paid_in, cast(dated.day, Date), context.mapped)
    amount = times(line.line_amount, rate)
    rows = _cost("goodwill", tables, line.order_id, dated.day, amount, _in_currency(paid_in, order_dimensions()))
    credit = and_(document.invoice_kind == "credit", document.credit_reason == "goodwill")
    return rows.where(~line.deleted, ~document.deleted, credit, dated.hi <= literal(context.as_of, DateTime))


FACT_TABLES: tuple[FactTable, ...] = (FactTable(recovery_cost_facts_table, select_rows),)
