"""Net sales and product cost from invoices, credits and reversals, at the rate of the document's day."""

from sqlalchemy import (
    CTE,
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
    or_,
    select,
    true,
    union_all,
)

from metrics.facts.fact_table import BuildContext, only_stale
from metrics.facts.money.table import row_of
from metrics.facts.orders import NONE, order_line_facts_table
from metrics.schema import AMOUNT, EXACT_AMOUNT, QTY, invoice_lines, invoices, orders
from metrics.sql.dialects import Columns, Expression, Rows, times, typed_null
from metrics.sql.exchange_rates import join_rate
from metrics.sql.moments import moment_span

SALE = "sale"
"""Type of an order whose type is not given."""


def invoiced_lines(context: BuildContext) -> Rows:
    """Select one signed row per invoice, credit and reversal line of a goods, service or discount line.

    A reversal without its own lines reverses the lines of the invoice it names, once.
    """
    body, header = invoice_lines.c, invoices.c
    own = and_(header.invoice_id == body.invoice_id, ~header.deleted)
    direct = _documented(invoice_lines.join(invoices, own), header, header, body, context)
    if "invoices.reverses_invoice_id" not in context.mapped:
        return direct
    reversal = _lineless_reversals()
    reversed_ = and_(own, header.invoice_kind == "invoice")
    tables = invoice_lines.join(invoices, reversed_).join(reversal, reversal.c.reverses_invoice_id == header.invoice_id)
    return select(union_all(direct, _documented(tables, reversal.c, header, body, context)).subquery("documented"))


def _documented(tables: FromClause, document: Columns, original: Columns, body: Columns, context: BuildContext) -> Rows:
    """Select the lines of documents dated by `as_of`.

    document: columns for date, kind and id. original: the invoice with the lines.
    """
    line = order_line_facts_table.c
    tables = tables.join(order_line_facts_table, and_(line.order_id == body.order_id, line.line_no == body.line_no))
    tables = tables.join(orders, orders.c.order_id == line.order_id)
    tables = only_stale(tables, document.invoice_id, context)
    tables, dated = moment_span(tables, dict(document.items()), "invoiced_at", orders.c.ship_to_time_zone)
    sign = case((document.invoice_kind == "invoice", literal(1, Integer)), else_=literal(-1, Integer))
    return (
        select(
            document.invoice_id.label("document_id"),
            document.invoice_kind.label("source"),
            body.invoice_line_no,
            line.order_id,
            line.line_no,
            dated.day.label("day"),
            func.coalesce(document.currency, original.currency, orders.c.currency).label("currency"),
            and_(line.line_kind == "goods", func.coalesce(orders.c.order_type, SALE) == SALE).label("of_goods_sold"),
            cast(sign * body.line_amount, AMOUNT).label("original_amount"),
            # A credit may be for money alone; the cost of an invoice or reversal without a
            # quantity is unknown.
            case(
                (and_(document.invoice_kind == "credit", body.billed_qty.is_(None)), cast(literal(0, Integer), QTY)),
                else_=cast(sign * body.billed_qty, QTY),
            ).label("quantity"),
        )
        .select_from(tables)
        .where(
            ~body.deleted,
            line.line_kind.in_(("goods", "service", "discount")),
            dated.hi <= literal(context.as_of, DateTime),
        )
    )


def _lineless_reversals() -> FromClause:
    """Select reversals without lines that are the first to reverse the invoice they name."""
    r = invoices.alias("reversal").c
    place = (
        func.row_number()
        .over(partition_by=r.reverses_invoice_id, order_by=(r.invoiced_at, r.invoice_id))
        .label("place")
    )
    ranked = (
        select(
            r.invoice_id, r.invoice_kind, r.reverses_invoice_id, r.invoiced_at, r.invoiced_at_is_date, r.currency, place
        )
        .where(r.invoice_kind == "reversal", r.reverses_invoice_id.is_not(None), ~r.deleted)
        .subquery("reversals")
    )
    body = invoice_lines.alias("line_of_reversal").c
    own_line = select(literal(1, Integer)).where(body.invoice_id == ranked.c.invoice_id, ~body.deleted)
    return (
        select(*[c for c in ranked.c if c.name != "place"])
        .where(ranked.c.place == 1, ~own_line.exists())
        .subquery("lineless_reversals")
    )


def _unit_cost_known(line: Columns, quantity: Expression) -> Expression:
    """Return whether a billed line's product cost is known.

    A service without a unit cost has no product cost; its cost is part of the cost to serve. A discount has no cost.
    """
    with_cost = and_(
        quantity.is_not(None), case((line.line_kind == "service", true()), else_=line.unit_cost_amount.is_not(None))
    )
    return or_(line.line_kind == "discount", with_cost)


def net_sales(billed: CTE, context: BuildContext) -> Rows:
    """Select the net sales of billed lines. Source: R24 (net sales)."""
    b, line = billed.c, order_line_facts_table.c
    tables: FromClause = billed.join(
        order_line_facts_table, and_(line.order_id == b.order_id, line.line_no == b.line_no)
    )
    tables, rate = join_rate(tables, b.currency, b.day, context.mapped)
    place = func.row_number().over(partition_by=b.document_id, order_by=(b.order_id, b.line_no, b.invoice_line_no))
    return select(
        *row_of(
            {
                "kind": literal("net_sales", String),
                **{
                    name: b[name]
                    for name in ("source", "document_id", "order_id", "line_no", "day", "original_amount", "quantity")
                },
                "cohort_day": line.ordered_day,
                "amount": times(b.original_amount, rate),
                "cost_known": _unit_cost_known(line, b.quantity),
                "of_goods_sold": b.of_goods_sold,
                "stands_for_document": place == 1,
                "currency": func.coalesce(b.currency, literal(NONE, String)),
            },
            order_line_facts_table,
        )
    ).select_from(tables)


def product_cost(billed: CTE, context: BuildContext) -> Rows:
    """Select the product cost of billed lines; null without a rate, because sums then exclude the line's sales too."""
    b, line = billed.c, order_line_facts_table.c
    tables: FromClause = billed.join(
        order_line_facts_table, and_(line.order_id == b.order_id, line.line_no == b.line_no)
    )
    tables, rate = join_rate(tables, b.currency, b.day, context.mapped)
    cost = case(
        (rate.is_(None), typed_null(EXACT_AMOUNT)),
        (line.line_kind == "discount", cast(literal(0, Integer), EXACT_AMOUNT)),
        (and_(line.line_kind == "service", line.unit_cost_amount.is_(None)), cast(literal(0, Integer), EXACT_AMOUNT)),
        else_=cast(times(b.quantity, line.unit_cost_amount), EXACT_AMOUNT),
    )
    return select(
        *row_of(
            {
                "kind": literal("product_cost", String),
                **{name: b[name] for name in ("source", "document_id", "order_id", "line_no", "day", "quantity")},
                "cohort_day": line.ordered_day,
                "amount": cost,
                "of_goods_sold": b.of_goods_sold,
                "stands_for_document": false(),
                "currency": func.coalesce(b.currency, literal(NONE, String)),
            },
            order_line_facts_table,
        )
    ).select_from(tables)
