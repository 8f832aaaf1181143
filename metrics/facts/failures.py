"""Failures: judged orders, and the moment at which each first failed.

It contains no fact table; `recoveries.py` adds what happened afterwards. Source: section 4 (i) (service recovery).
"""

from datetime import datetime

from sqlalchemy import BigInteger, DateTime, FromClause, and_, case, cast, false, func, literal, or_, select

from metrics.facts.fact_table import BuildContext, only_stale, order_dimensions
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.orders.conditions import FAILED
from metrics.facts.orders.tables import GOODS_VERDICTS
from metrics.policy import STRICT
from metrics.schema import invoice_lines, invoices
from metrics.sql.dialects import MICROSECONDS_A_DAY, Expression, Rows, plus_microseconds, typed_null
from metrics.sql.moments import moment_span

DAMAGE_COLUMNS = ("shipment_lines.damaged_qty", "invoices.credit_reason", "returns.reason")
"""Feed columns that show damage. Without any of them, damage is not tested."""
NEVER = literal(datetime(9999, 1, 1), DateTime)
"""An instant later than all others, for comparisons with a null moment."""


def earliest(*moments: Expression) -> Expression:
    """Return the earliest of several moments. Null moments are ignored; the result is null if all are null."""
    return cast(func.nullif(func.least(*[func.coalesce(moment, NEVER) for moment in moments]), NEVER), DateTime)


def failed_orders(context: BuildContext) -> Rows:
    """Return the judged orders, and whether and when they first failed.

    - Late or short: at the deadline of the first such line.
    - Damaged or filled incorrectly: when the first such line was settled.
    - Billed incorrectly: at the first invoice of the order, or at the end of the invoice window if it was never billed.
    """
    o = order_facts_table.c
    failed_lines = _failed_lines(context)
    tables: FromClause = only_stale(order_facts_table, o.order_id, context).outerjoin(
        failed_lines, failed_lines.c.order_id == o.order_id
    )
    billed_at: Expression = typed_null(DateTime())
    if "invoice_lines.line_amount" in context.mapped:
        billed = _first_billed(context).subquery("first_billed")
        tables = tables.outerjoin(billed, billed.c.order_id == o.order_id)
        window_closed = plus_microseconds(o.settled_at, literal(STRICT.invoice_days * MICROSECONDS_A_DAY, BigInteger))
        billed_at = case((o.billed_accurately.is_(False), func.coalesce(billed.c.billed_at, window_closed)), else_=None)
    # A verdict without a feed is not tested. Any other unknown verdict leaves the order unproven.
    tested = [name for name in GOODS_VERDICTS if name != "damage_free" or set(DAMAGE_COLUMNS) & context.mapped]
    unproven = or_(*[and_(o[name].is_(None), func.coalesce(o[f"{name}_reason"], "") != "no_feed") for name in tested])
    moments = earliest(failed_lines.c.missed_at, failed_lines.c.spoiled_at, billed_at)
    return (
        select(
            o.order_id,
            o.due_day,
            o.ship_to_time_zone,
            o.deadline_at,
            o.missed_deadline_at,
            failed_lines.c.missed_at,
            o.settled_at,
            o.complete,
            and_(
                *[func.coalesce(o[name], True) for name in ("damage_free", "filled_accurately", "billed_accurately")]
            ).label("only_late"),
            FAILED.label("failed"),
            unproven.label("unproven"),
            func.coalesce(o.on_time.is_(False), false()).label("late"),
            case((FAILED, func.coalesce(moments, o.deadline_at, o.settled_at)), else_=typed_null(DateTime())).label(
                "failed_at"
            ),
            *order_dimensions(),
        )
        .select_from(tables)
        .where(o.state == "judged")
    )


def _failed_lines(context: BuildContext) -> FromClause:
    """Return when each order first had a late or short line, and when it first had a damaged or incorrect line."""
    line = order_line_facts_table.c
    missed = or_(line.on_time.is_(False), line.complete.is_(False))
    spoiled = or_(line.damage_free.is_(False), line.filled_accurately.is_(False))
    return (
        select(
            line.order_id,
            func.min(case((missed, line.deadline_at), else_=None)).label("missed_at"),
            func.min(case((spoiled, func.coalesce(line.settled_at, line.deadline_at)), else_=None)).label("spoiled_at"),
        )
        .select_from(only_stale(order_line_facts_table, line.order_id, context))
        .where(or_(missed, spoiled))
        .group_by(line.order_id)
        .subquery("failed_lines")
    )


def _first_billed(context: BuildContext) -> Rows:
    """Return the first invoice by as_of of every order with incorrect billing."""
    o, document, line = order_facts_table.c, invoices.c, invoice_lines.c
    tables: FromClause = invoice_lines.join(invoices, document.invoice_id == line.invoice_id).join(
        order_facts_table, and_(o.order_id == line.order_id, o.billed_accurately.is_(False))
    )
    tables, invoiced = moment_span(
        only_stale(tables, o.order_id, context), dict(document.items()), "invoiced_at", o.ship_to_time_zone
    )
    return (
        select(line.order_id, func.min(invoiced.hi).label("billed_at"))
        .select_from(tables)
        .where(
            ~line.deleted,
            ~document.deleted,
            document.invoice_kind == "invoice",
            invoiced.hi <= literal(context.as_of, DateTime),
        )
        .group_by(line.order_id)
    )
