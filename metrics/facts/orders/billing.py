"""Invoice lines summed per order line, and the code of `billed_accurately`. Source: R23 (billing).

`bills` has one row per order line that an invoice or credit names. Freight and other charges name no order line and are
not included.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import DateTime, FromClause, and_, case, false, func, literal, or_, select, true
from sqlalchemy import cast as sql_cast

from metrics.policy import BILLING_CREDIT_REASONS, CODE, DAMAGE_REASONS, MINOR_UNITS_0, MINOR_UNITS_3
from metrics.schema import AMOUNT, PRICE, QTY, invoice_lines, invoices
from metrics.sql.dialects import Columns, Expression, Rows, count_if, least_code, sum_if, times
from metrics.sql.moments import Span, moment_span, span_of


def has_invoices(mapped: frozenset[str]) -> bool:
    """Return whether any source maps invoice lines."""
    return "invoice_lines.line_amount" in mapped


def bills(lines: FromClause, *, as_of: datetime, mapped: frozenset[str], by_document: bool = False) -> Rows:
    """Sum the documents dated by `as_of` per order line. With `by_document`, also per document (invoice_id).

    Columns `..._wrong_n` count failed comparisons, `..._unknown_n` comparisons without enough data.
    """
    header, body = invoices.c, invoice_lines.c
    now = literal(as_of, DateTime)
    tables, dated, reversed_ = _dated_documents(lines, now, mapped)
    is_invoice, is_credit = header.invoice_kind == "invoice", header.invoice_kind == "credit"
    keys: tuple[Expression, ...] = (body.order_id, body.line_no, *([body.invoice_id] if by_document else []))
    return (
        select(
            *keys,
            count_if(is_invoice).label("billed_n"),
            sum_if(and_(is_invoice, body.billed_qty.is_not(None)), _unsigned(body.billed_qty)).label("billed_qty"),
            count_if(and_(is_invoice, body.billed_qty.is_(None))).label("quantity_unknown_n"),
            sum_if(is_invoice, body.line_amount).label("invoiced_amount"),
            sum_if(header.invoice_kind != "invoice", body.line_amount).label("credited_amount"),
            count_if(header.currency != lines.c.currency).label("other_currency_n"),
            func.min(case((is_invoice, dated.hi), else_=None)).label("first_billed_at"),
            *_comparisons(is_invoice, lines.c, mapped),
            count_if(and_(is_invoice, reversed_)).label("reversed_n"),
            count_if(and_(is_credit, header.credit_reason.in_(BILLING_CREDIT_REASONS))).label("billing_credit_n"),
            count_if(and_(is_credit, header.credit_reason.in_(DAMAGE_REASONS))).label("damage_credit_n"),
        )
        .select_from(tables)
        .where(~body.deleted, dated.hi <= now)
        .group_by(*keys)
    )


def _dated_documents(lines: FromClause, now: Expression, mapped: frozenset[str]) -> tuple[FromClause, Span, Expression]:
    """Join invoice lines with their order lines. Return the FROM clause, the span of `invoiced_at`, and a condition.

    The condition is true if another document has reversed the invoice by now.
    """
    header, body, line = invoices.c, invoice_lines.c, lines.c
    tables: FromClause = invoice_lines.join(invoices, and_(header.invoice_id == body.invoice_id, ~header.deleted)).join(
        lines, and_(line.order_id == body.order_id, line.line_no == body.line_no)
    )
    tables, dated = moment_span(tables, dict(header.items()), "invoiced_at", line.zone)
    if "invoices.reverses_invoice_id" not in mapped:
        return tables, dated, false()
    reversal = _first_reversals()
    tables = tables.outerjoin(reversal, reversal.c.reverses_invoice_id == header.invoice_id)
    # A reversal names no order line. Its bare date is therefore a day in the time zone of the reversed invoice's order.
    tables, on_day = span_of(tables, reversal.c.first_day, true(), line.zone)
    reversed_ = func.coalesce(reversal.c.first_instant <= now, false()) | func.coalesce(on_day.hi <= now, false())
    return tables, dated, reversed_


def _comparisons(is_invoice: Expression, line: Columns, mapped: frozenset[str]) -> Iterator[Expression]:
    """Yield two counts per comparison of an invoice with its order: failed ones, and those without enough data."""
    header, body = invoices.c, invoice_lines.c
    half_minor = case(
        (header.currency.in_(MINOR_UNITS_0), sql_cast(literal("0.5"), AMOUNT)),
        (header.currency.in_(MINOR_UNITS_3), sql_cast(literal("0.0005"), AMOUNT)),
        else_=sql_cast(literal("0.005"), AMOUNT),
    )

    def differ(billed: Expression, agreed: Expression) -> tuple[Expression, Expression]:
        return billed != agreed, or_(billed.is_(None), agreed.is_(None))

    def not_zero(amount: Expression, allowed: Expression = half_minor) -> tuple[Expression, Expression]:
        return or_(amount > allowed, amount < -allowed), amount.is_(None)

    # Conversion rounds a quantity to four decimals and a price to eight (R12, unit conversion).
    rounding = times(func.abs(body.unit_price_amount), sql_cast(literal("0.00005"), PRICE))
    rounding += times(func.abs(body.billed_qty), sql_cast(literal("0.00000001"), PRICE))
    converted = half_minor + case((body.unit.is_(None), sql_cast(literal("0"), AMOUNT)), else_=rounding)
    difference = body.line_amount - times(body.billed_qty, body.unit_price_amount)
    tax_difference = body.tax_amount - times(body.line_amount, line.tax_rate)
    for name, columns, (wrong, unknown) in (
        (
            "price",
            {"invoice_lines.unit_price_amount", "order_lines.unit_price_amount"},
            differ(_price(body), line.unit_price_amount),
        ),
        ("amount", {"invoice_lines.billed_qty", "invoice_lines.unit_price_amount"}, not_zero(difference, converted)),
        ("tax", {"invoice_lines.tax_amount", "order_lines.tax_rate"}, not_zero(tax_difference)),
        (
            "terms",
            {"invoices.payment_terms", "orders.payment_terms"},
            differ(header.payment_terms, line.payment_terms),
        ),
        ("party", {"invoices.bill_to", "orders.bill_to"}, differ(header.bill_to, line.bill_to)),
        ("currency", {"invoices.currency", "orders.currency"}, differ(header.currency, line.currency)),
    ):
        tested = true() if columns <= mapped else false()
        for outcome, condition in (("wrong", wrong), ("unknown", unknown)):
            yield count_if(and_(is_invoice, tested, condition)).label(f"{name}_{outcome}_n")


def _unsigned(quantity: Expression) -> Expression:
    """Return a billed quantity without its sign: -1 at 20 is 1 at -20, as in `order_lines`. R17 (discounts)."""
    return case((quantity < 0, -quantity), else_=quantity)


def _price(body: Columns) -> Expression:
    return case((body.billed_qty < 0, -body.unit_price_amount), else_=body.unit_price_amount)


def _first_reversals() -> FromClause:
    """One row per invoice that a reversal names: the first bare date and the first instant of its reversals."""
    r = invoices.alias("reversal").c
    return (
        select(
            r.reverses_invoice_id,
            func.min(case((r.invoiced_at_is_date, r.invoiced_at), else_=None)).label("first_day"),
            func.min(case((~r.invoiced_at_is_date, r.invoiced_at), else_=None)).label("first_instant"),
        )
        .where(r.invoice_kind == "reversal", r.reverses_invoice_id.is_not(None), ~r.deleted)
        .group_by(r.reverses_invoice_id)
        .subquery("first_reversals")
    )


def billing_code(billed_lines: FromClause, as_of: datetime, mapped: frozenset[str]) -> Expression:
    """Return the code of billed_accurately of a line.

    billed_lines: the line's bills (zeros if none) with these columns. right_qty, less_damaged_qty: the two correct
    quantities. half_step. window_end: last instant for the first bill; null without a receipt. nothing: true if nothing
    was received, shipped or billed. no_deliveries: a goods line without any feed of consignments.
    """
    c = billed_lines.c
    half = c.half_step
    expected, less_damaged, window_end = c.right_qty, c.less_damaged_qty, c.window_end
    window_open = or_(window_end.is_(None), window_end > literal(as_of, DateTime))

    def near(quantity: Expression) -> Expression:
        return and_(c.billed_qty - quantity < half, quantity - c.billed_qty < half)

    unknown = literal(CODE["no_evidence"])
    tested = true() if "invoice_lines.billed_qty" in mapped else false()
    quantity = case(
        (c.no_deliveries, literal(CODE["no_feed"])),
        (and_(~tested, c.billed_n > 0), None),
        (c.quantity_unknown_n > 0, unknown),
        (or_(near(expected), near(less_damaged)), None),
        (c.billed_qty >= expected + half, literal(CODE["billed_quantity"])),
        (window_open, literal(CODE["not_yet_due"])),
        (c.billed_n == 0, literal(CODE["not_billed"])),
        else_=literal(CODE["billed_quantity"]),
    )

    def compared(wrong: Expression, untested: Expression, word: str) -> Expression:
        return case((wrong > 0, literal(CODE[word])), (untested > 0, unknown), else_=None)

    code = least_code(
        quantity,
        compared(c.price_wrong_n, c.price_unknown_n, "billed_price"),
        compared(c.amount_wrong_n, c.amount_unknown_n, "billed_amount"),
        compared(c.tax_wrong_n, c.tax_unknown_n, "billed_tax"),
        compared(c.terms_wrong_n, c.terms_unknown_n, "billed_terms"),
        compared(c.party_wrong_n, c.party_unknown_n, "billed_party"),
        compared(c.currency_wrong_n, c.currency_unknown_n, "billed_currency"),
        case((c.first_billed_at > window_end, literal(CODE["billed_late"])), else_=None),
        case((c.reversed_n > 0, literal(CODE["reversed"])), else_=None),
        case((c.billing_credit_n > 0, literal(CODE["billing_credit"])), else_=None),
    )
    return case((c.nothing, literal(CODE["nothing_received"])), else_=code)


EMPTY_BILL = {"billed_qty": QTY, "invoiced_amount": AMOUNT, "credited_amount": AMOUNT}
"""Exact sums of `bills` and their types. Its other numbers are counts. All are zero for a line without a bill."""
