"""Invoices: right first time, or the first thing that was wrong.

Grain: one row per invoice that names a line of a sale, dated by `as_of`. Key: invoice_id.
Stale rows: those of invoices that bill an order judged again, before or after the run.
Source: R23 (billing).

`billed_accurately` judges an order by all its documents. This table judges each document by what it
says itself: price, amount, tax, terms, party, currency, its date, and no more than the right quantity. It is never
right if it was reversed, or if a line that it bills was credited for a billing error.
"""

from collections.abc import Sequence

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    FromClause,
    Integer,
    SelectBase,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    union,
)

from metrics.facts.fact_table import (
    BuildContext,
    Changes,
    FactTable,
    fact_table,
    is_new,
    only_stale,
    order_dimensions,
)
from metrics.facts.orders import DIMENSION_COLUMNS, SEVERAL, order_facts_table, order_line_facts_table
from metrics.facts.orders.billing import bills, has_invoices
from metrics.policy import CODE, CODES, FIRST_UNKNOWN
from metrics.schema import QTY, invoice_lines, order_lines, orders
from metrics.sql.dialects import Expression, Rows, concatenated, least_code
from metrics.sql.moments import span_of

invoice_facts_table = fact_table(
    "invoice_facts",
    "invoice",
    "one row: one invoice that names a line of a sale",
    Column("invoice_id", String, comment="invoices.invoice_id"),
    Column("order_id", String, comment="its order; (several) if it bills several orders"),
    Column("invoiced_day", Date, comment="local day of the invoice"),
    Column("line_count", BigInteger, comment="order lines that it bills"),
    Column("right_first_time", Boolean, comment="true: every check passes; null: a value is missing"),
    Column("reason", String, comment="first check that failed or is unknown; null: right"),
)

COMPARED = ("price", "amount", "tax", "terms", "party", "currency")
"""What an invoice and the order are compared by."""


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every invoice of a sale, or nothing if no source maps invoice lines."""
    if not has_invoices(context.mapped):
        return ()
    checked = _checked_lines(context).cte("checked_invoice_lines")
    c = checked.c
    code = func.min(c.code)
    right = case((code.is_(None), True), (code < FIRST_UNKNOWN, False), else_=None)

    def one_value(name: str) -> Expression:
        """Return the only value of a dimension, or `(several)`."""
        return case((func.min(c[name]) == func.max(c[name]), func.min(c[name])), else_=SEVERAL).label(name)

    return (
        select(
            c.invoice_id,
            one_value("order_id"),
            func.min(c.invoiced_day).label("invoiced_day"),
            cast(func.count(), BigInteger).label("line_count"),
            cast(right, Boolean).label("right_first_time"),
            concatenated(CODES, code).label("reason"),
            *[one_value(name) for name in DIMENSION_COLUMNS],
        ).group_by(c.invoice_id),
    )


def _checked_lines(context: BuildContext) -> Rows:
    """Return what each invoice bills of each order line, with the code of its first failed or unknown check.

    Null: all checks pass.
    """
    agreed = _agreed_lines(context).cte("agreed_lines")
    documents = bills(agreed, as_of=context.as_of, mapped=context.mapped, by_document=True).cte("bills_by_document")
    in_all, running = _bills_of_line(documents).subquery("bills_in_all"), _running_bills(documents).subquery("running")
    d, whole, r, line, o = documents.c, in_all.c, running.c, order_line_facts_table.c, order_facts_table.c
    tables: FromClause = (
        documents.join(in_all, and_(whole.order_id == d.order_id, whole.line_no == d.line_no))
        .join(order_line_facts_table, and_(line.order_id == d.order_id, line.line_no == d.line_no))
        .join(order_facts_table, and_(o.order_id == d.order_id, o.order_type == "sale"))
        .outerjoin(running, and_(r.order_id == d.order_id, r.line_no == d.line_no, r.invoice_id == d.invoice_id))
    )
    tables = only_stale(tables, d.invoice_id, context)
    tables, dated = span_of(tables, d.first_billed_at, false(), o.ship_to_time_zone)
    right_qty = case((line.line_kind == "goods", line.counted_qty + line.unproven_qty), else_=line.owed_qty)
    unknown = [d.quantity_unknown_n > 0] if "invoice_lines.billed_qty" in context.mapped else []
    first = d.first_billed_at == whole.first_billed_at
    wrong: dict[str, Expression] = {
        "billed_quantity": and_(line.billed_accurately_reason == "billed_quantity", r.billed_so_far > right_qty),
        **{f"billed_{name}": d[f"{name}_wrong_n"] > 0 for name in COMPARED},
        "billed_late": and_(first, d.first_billed_at > line.invoice_window_end),
        "reversed": d.reversed_n > 0,
        "billing_credit": whole.billing_credit_n > 0,
        "quarantined": line.billed_accurately_reason == "quarantined",
        "no_evidence": or_(*unknown, *[d[f"{name}_unknown_n"] > 0 for name in COMPARED]),
    }
    codes = [case((condition, literal(CODE[reason])), else_=None) for reason, condition in wrong.items()]
    return (
        select(
            d.invoice_id,
            d.order_id,
            cast(dated.day, Date).label("invoiced_day"),
            cast(least_code(*codes), Integer).label("code"),
            *order_dimensions(order_line_facts_table),
        )
        .select_from(tables)
        .where(d.billed_n > 0)
    )


def _bills_of_line(documents: CTE) -> Rows:
    """Return the first bill and the number of billing credits of each order line."""
    d = documents.c
    return select(
        d.order_id,
        d.line_no,
        func.min(d.first_billed_at).label("first_billed_at"),
        func.sum(d.billing_credit_n).label("billing_credit_n"),
    ).group_by(d.order_id, d.line_no)


def _running_bills(documents: CTE) -> Rows:
    """Return the quantity billed up to each invoice, of the order lines that were billed in a wrong quantity."""
    d, line = documents.c, order_line_facts_table.c
    kept = case((d.reversed_n > 0, cast(literal(0), QTY)), else_=d.billed_qty)  # a reversed invoice is taken back
    so_far = func.sum(kept).over(
        partition_by=[d.order_id, d.line_no], order_by=[d.first_billed_at, d.invoice_id], rows=(None, 0)
    )
    return (
        select(d.order_id, d.line_no, d.invoice_id, so_far.label("billed_so_far"))
        .join(order_line_facts_table, and_(line.order_id == d.order_id, line.line_no == d.line_no))
        .where(d.billed_n > 0, line.billed_accurately_reason == "billed_quantity")
    )


def _agreed_lines(context: BuildContext) -> Rows:
    """Return the order lines with what an invoice is compared with. Of stale invoices: all lines of their orders."""
    o, line = orders.c, order_lines.c
    tables: FromClause = order_lines.join(orders, and_(o.order_id == line.order_id, ~o.deleted))
    if context.only is not None:
        billed = select(invoice_lines.c.order_id).select_from(
            only_stale(invoice_lines, invoice_lines.c.invoice_id, context)
        )
        theirs = billed.distinct().subquery("orders_of_invoices")
        tables = tables.join(theirs, theirs.c.order_id == o.order_id)
    return (
        select(
            line.order_id,
            line.line_no,
            line.unit_price_amount,
            line.tax_rate,
            o.payment_terms,
            o.bill_to,
            o.currency,
            o.ship_to_time_zone.label("zone"),
        )
        .select_from(tables)
        .where(~line.deleted)
    )


def _stale_keys(changed: Changes, _: BuildContext) -> SelectBase:
    """Select the invoices that bill a changed order, or did.

    An invoice of several orders may have lost its line of a changed order. Then the line is new, or the invoice has no
    line at all; otherwise all its orders have changed.
    """
    line, was, only = invoice_lines.c, invoice_facts_table.c, changed.orders
    left = invoice_facts_table.outerjoin(invoice_lines, line.invoice_id == was.invoice_id)
    return union(
        select(line.invoice_id).join(only, only.c.order_id == line.order_id),
        select(was.invoice_id).join(only, only.c.order_id == was.order_id),
        select(line.invoice_id).where(is_new(invoice_lines)),
        select(was.invoice_id).select_from(left).where(was.order_id == SEVERAL, line.invoice_id.is_(None)),
    )


FACT_TABLES: tuple[FactTable, ...] = (
    FactTable(invoice_facts_table, select_rows, key="invoice_id", stale_keys=_stale_keys),
)
