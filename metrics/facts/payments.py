"""Settlement of invoices, and cash per order.

`payment_facts`. Grain: one row per invoice of an order. Key: invoice_id.
`cash_facts`. Grain: one row per sale order whose invoices are all settled. Key: order_id.
Stale rows: not tracked. Every run rebuilds both tables.
Source: section 3 (direct evidence), R24 (net sales).

An invoice is settled when payments reach its gross amount (lines and tax) less its credits and reversals.
"""

from collections.abc import Sequence

from sqlalchemy import (
    CTE,
    Boolean,
    Column,
    Connection,
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
    or_,
    select,
    true,
    union_all,
)

from metrics.facts.fact_table import BuildContext, FactTable, fact_table, order_dimensions
from metrics.facts.orders import order_facts_table
from metrics.policy import MINOR_UNITS_0, MINOR_UNITS_3
from metrics.schema import AMOUNT, invoice_lines, invoices, payments
from metrics.sql.dialects import Rows, count_if, days_between, sum_if, typed_null
from metrics.sql.moments import day_bounds, moment_span

payment_facts_table = fact_table(
    "payment_facts",
    "invoice",
    "one row: one invoice of an order, dated by as_of",
    Column("invoice_id", String, comment="invoices.invoice_id"),
    Column("order_id", String, comment="its order (the first of several), which gives the dimensions"),
    Column("invoiced_day", Date, comment="local day of the invoice"),
    Column("due_on", Date, comment="invoices.due_on"),
    Column("gross_amount", AMOUNT, comment="lines and tax, in the invoice's currency; null: a tax is missing"),
    Column("settled_day", Date, comment="local day on which the invoice was settled; null: open"),
    Column("taken_back", Boolean, comment="true: settled by credits and reversals without a payment"),
    Column("counts", Boolean, comment="true: its due day has passed, and it was not taken back"),
    Column("kept", Boolean, comment="paid by due_on; null: it does not count, or the amount is not known"),
)

cash_facts_table = fact_table(
    "cash_facts",
    "order",
    "one row: one sale order whose invoices are all settled, without those taken back",
    Column("order_id", String, comment="orders.order_id"),
    Column("invoices", Integer, comment="number of settled invoices"),
    Column("cash_day", Date, comment="local day on which the last invoice was settled"),
    Column("cash_days", Integer, comment="days from the order day to the cash day"),
)

o = order_facts_table.c


def has_payments(mapped: frozenset[str]) -> bool:
    """Return whether a source maps payments."""
    return "payments.paid_at" in mapped


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every invoice of an order, or nothing if no source maps payments."""
    if not has_payments(context.mapped):
        return ()
    sums = _document_sums(context).cte("document_sums")
    billed = _invoices(sums, context).cte("billed")
    reached = _settled(billed, _movements(billed, sums, context)).subquery("reached")
    b = billed.c
    tables: FromClause = billed.join(order_facts_table, o.order_id == b.order_id).outerjoin(
        reached, reached.c.invoice_id == b.invoice_id
    )
    tables, _due_starts, due_ends = day_bounds(tables, b.due_on, o.ship_to_time_zone)
    unpaid = and_(reached.c.settled_at.is_not(None), reached.c.first_paid_at.is_(None))
    taken_back = func.coalesce(or_(unpaid, reached.c.first_paid_at > reached.c.settled_at), false())
    counts = and_(func.coalesce(due_ends <= literal(context.as_of, DateTime), false()), ~taken_back)
    paid_on_time = case(
        (~counts, None),
        (b.gross_amount.is_(None), None),
        else_=func.coalesce(reached.c.settled_day <= b.due_on, false()),
    )
    return (
        select(
            b.invoice_id,
            b.order_id,
            b.invoiced_day,
            b.due_on,
            b.gross_amount,
            reached.c.settled_day,
            taken_back.label("taken_back"),
            counts.label("counts"),
            cast(paid_on_time, Boolean).label("kept"),
            *order_dimensions(),
        ).select_from(tables),
    )


def _document_sums(context: BuildContext) -> Rows:
    """Return per document the gross amount and its first order.

    The gross amount is null if the tax is mapped and a line has no tax amount.
    """
    line = invoice_lines.c
    taxed = "invoice_lines.tax_amount" in context.mapped
    net, tax = sum_if(true(), line.line_amount), sum_if(line.tax_amount.is_not(None), line.tax_amount)
    gross = (
        case((count_if(line.tax_amount.is_(None)) == 0, cast(net + tax, AMOUNT)), else_=typed_null(AMOUNT))
        if taxed
        else net
    )
    order_id = func.min(func.nullif(line.order_id, ""))
    return (
        select(line.invoice_id, cast(gross, AMOUNT).label("gross_amount"), order_id.label("order_id"))
        .where(~line.deleted)
        .group_by(line.invoice_id)
    )


def _invoices(sums: CTE, context: BuildContext) -> Rows:
    """Return the invoices dated by as_of, with their order's time zone and half a minor unit of their currency."""
    i = invoices.c
    tables: FromClause = invoices.join(sums, sums.c.invoice_id == i.invoice_id).join(
        order_facts_table, o.order_id == sums.c.order_id
    )
    tables, dated = moment_span(tables, dict(i.items()), "invoiced_at", o.ship_to_time_zone)
    half_minor = case(
        (i.currency.in_(MINOR_UNITS_0), cast(literal("0.5"), AMOUNT)),
        (i.currency.in_(MINOR_UNITS_3), cast(literal("0.0005"), AMOUNT)),
        else_=cast(literal("0.005"), AMOUNT),
    )
    return (
        select(
            i.invoice_id,
            sums.c.order_id,
            sums.c.gross_amount,
            i.currency,
            i.due_on if "invoices.due_on" in context.mapped else typed_null(Date()).label("due_on"),
            cast(dated.day, Date).label("invoiced_day"),
            o.ship_to_time_zone.label("zone"),
            half_minor.label("half_minor"),
        )
        .select_from(tables)
        .where(~i.deleted, i.invoice_kind == "invoice", dated.hi <= literal(context.as_of, DateTime))
    )


def _movements(billed: CTE, sums: CTE, context: BuildContext) -> FromClause:
    """Return everything by as_of that reduces the open amount of an invoice.

    Columns: invoice_id, at, day, amount, paid (false: a credit or reversal). Amounts in a currency other than the
    invoice's are ignored.
    """
    b = billed.c
    now = literal(context.as_of, DateTime)
    p = payments.c
    tables: FromClause = payments.join(billed, b.invoice_id == p.invoice_id)
    tables, paid = moment_span(tables, dict(p.items()), "paid_at", b.zone)
    same = func.coalesce(p.currency, b.currency, "") == func.coalesce(b.currency, "")
    received = (
        select(b.invoice_id, paid.hi.label("at"), cast(paid.day, Date).label("day"), p.amount, true().label("paid"))
        .select_from(tables)
        .where(~p.deleted, same, paid.hi <= now)
    )
    parts = [received]
    document = invoices.alias("taking_back")
    d = document.c
    if "invoices.reverses_invoice_id" in context.mapped:
        # A reversal without lines reverses the whole invoice.
        by_document: FromClause = document.join(billed, b.invoice_id == d.reverses_invoice_id).outerjoin(
            sums, sums.c.invoice_id == d.invoice_id
        )
        by_document, dated = moment_span(by_document, dict(d.items()), "invoiced_at", b.zone)
        amount = case((sums.c.invoice_id.is_(None), b.gross_amount), else_=sums.c.gross_amount)
        parts.append(
            select(b.invoice_id, dated.hi, cast(dated.day, Date), amount, false())
            .select_from(by_document)
            .where(
                ~d.deleted,
                d.invoice_kind.in_(("credit", "reversal")),
                dated.hi <= now,
                func.coalesce(d.currency, b.currency, "") == func.coalesce(b.currency, ""),
            )
        )
    credited = _credited(billed).subquery("credited")
    by_line: FromClause = document.join(credited, credited.c.credit_id == d.invoice_id).join(
        billed, b.invoice_id == credited.c.invoice_id
    )
    by_line, dated = moment_span(by_line, dict(d.items()), "invoiced_at", b.zone)
    unnamed = or_(d.reverses_invoice_id.is_(None), d.reverses_invoice_id == "")
    parts.append(
        select(b.invoice_id, dated.hi, cast(dated.day, Date), credited.c.amount, false())
        .select_from(by_line)
        .where(
            ~d.deleted,
            d.invoice_kind == "credit",
            unnamed,
            dated.hi <= now,
            func.coalesce(d.currency, "") == func.coalesce(b.currency, ""),
        )
    )
    return union_all(*parts).subquery("movements")


def _credited(billed: CTE) -> Rows:
    """Return the credits per invoice: credit_id, invoice_id, amount.

    A credit without an invoice number applies to the first invoice of each of its order lines.
    """
    line, credit = invoice_lines.alias("billed_line"), invoice_lines.alias("credit_line")
    b = billed.c
    place = func.row_number().over(
        partition_by=[line.c.order_id, line.c.line_no], order_by=[b.invoiced_day, b.invoice_id]
    )
    first = (
        select(line.c.order_id, line.c.line_no, b.invoice_id, place.label("place"))
        .select_from(line.join(billed, b.invoice_id == line.c.invoice_id))
        .where(~line.c.deleted)
        .subquery("first_billed")
    )
    amount = cast(credit.c.line_amount + func.coalesce(credit.c.tax_amount, cast(literal(0), AMOUNT)), AMOUNT)
    return (
        select(
            credit.c.invoice_id.label("credit_id"), first.c.invoice_id, cast(func.sum(amount), AMOUNT).label("amount")
        )
        .select_from(
            credit.join(
                first,
                and_(first.c.order_id == credit.c.order_id, first.c.line_no == credit.c.line_no, first.c.place == 1),
            ).join(invoices, and_(invoices.c.invoice_id == credit.c.invoice_id, invoices.c.invoice_kind == "credit"))
        )
        .where(~credit.c.deleted)
        .group_by(credit.c.invoice_id, first.c.invoice_id)
    )


def _settled(billed: CTE, movements: FromClause) -> Rows:
    """Return per invoice when it was settled, on which local day, and when its first payment arrived.

    An invoice is settled if at most half a minor unit of the currency is open.
    """
    b, m = billed.c, movements.c
    so_far = cast(
        func.sum(m.amount).over(partition_by=m.invoice_id, order_by=[m.at, m.paid, m.amount], rows=(None, 0)), AMOUNT
    )
    running = select(m.invoice_id, m.at, m.day, m.paid, so_far.label("so_far")).subquery("running")
    r = running.c
    enough = r.so_far >= b.gross_amount - b.half_minor
    return (
        select(
            r.invoice_id,
            func.min(case((enough, r.at), else_=None)).label("settled_at"),
            func.min(case((enough, r.day), else_=None)).label("settled_day"),
            func.min(case((r.paid, r.at), else_=None)).label("first_paid_at"),
        )
        .select_from(running.join(billed, b.invoice_id == r.invoice_id))
        .group_by(r.invoice_id)
    )


def cash(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every sale order that is paid, or nothing if no source maps payments."""
    if not has_payments(context.mapped):
        return ()
    line, p = invoice_lines.c, payment_facts_table.c
    pairs = (
        select(line.invoice_id, line.order_id)
        .where(~line.deleted, line.order_id.is_not(None))
        .distinct()
        .subquery("pairs")
    )
    settled = (
        select(
            pairs.c.order_id,
            cast(func.count(), Integer).label("invoices"),
            count_if(p.settled_day.is_(None)).label("open_n"),
            func.max(p.settled_day).label("cash_day"),
        )
        .select_from(pairs.join(payment_facts_table, p.invoice_id == pairs.c.invoice_id))
        .where(~p.taken_back)
        .group_by(pairs.c.order_id)
        .subquery("settled_orders")
    )
    s = settled.c
    return (
        select(o.order_id, s.invoices, s.cash_day, days_between(o.ordered_day, s.cash_day), *order_dimensions())
        .select_from(settled.join(order_facts_table, o.order_id == s.order_id))
        .where(o.order_type == "sale", s.open_n == 0),
    )


FACT_TABLES: tuple[FactTable, ...] = (FactTable(payment_facts_table, select_rows), FactTable(cash_facts_table, cash))
