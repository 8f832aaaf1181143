"""One row: one judged order with its chain from the failure to the customer's next order.

Chain: failed → detected (the first notice of delay, or case opened) → acknowledged → resolved → the customer's next
order. docs/judgement.md says how each moment is read. Source: rules, section 4 (i).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
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

from metrics.facts.customer_contacts import day_at, minutes_between
from metrics.facts.fact_table import (
    ENDS_WITHIN,
    BuildContext,
    Changes,
    FactTable,
    fact_table,
    only_stale,
    order_dimensions,
)
from metrics.facts.messages import message_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.orders.tables import GOODS_VERDICTS
from metrics.facts.retention import RETAINED_DAYS, following_orders, margin_after_failure
from metrics.facts.service_cases import EDIT_SOURCE, REQUEST_KINDS, case_facts_table
from metrics.policy import STRICT
from metrics.schema import AMOUNT, invoice_lines, invoices
from metrics.sql.dialects import (
    MICROSECONDS_A_DAY,
    Expression,
    Rows,
    count_if,
    days_between,
    greater,
    plus_days,
    plus_microseconds,
    typed_null,
)
from metrics.sql.moments import moment_span, span_of

CHAIN = frozenset(("messages.message_id", "service_cases.case_id"))
"""Feeds that tell of a recovery; either will do."""
DAMAGE_COLUMNS = ("shipment_lines.damaged_qty", "invoices.credit_reason", "returns.reason")
"""Feed columns that show damage. Without any of them the damage test is left out."""

RECOVERY_DAYS = 10
"""Days from detection within which a failure must be settled to count as recovered (rules, section 5)."""
GROUPS = ("no failure", "recovered", "unrecovered")
"""Groups of orders whose next orders are compared. Orders not yet settled, whose limit has not passed, stand under
"open"; orders without a failed verdict but with an unknown one under "not proven".
"""

_NOTHING = literal(datetime(9999, 1, 1), DateTime)

recovery_facts_table = fact_table(
    "recovery_facts",
    "order",
    "one row: one judged order, and where it failed what was done about it by as_of",
    Column("order_id", String, comment="orders.order_id"),
    Column("due_day", Date, comment="due day of the order"),
    Column("failed", Boolean, comment="true: a verdict is false"),
    Column("recovery", String, comment="no failure, recovered, unrecovered, open or not proven"),
    Column("late", Boolean, comment="true: on_time is false"),
    Column(
        "warned",
        Boolean,
        comment="of late orders: told of the delay before the deadline; null: a bare date leaves it open, or not late",
    ),
    Column(
        "notice_seconds",
        BigInteger,
        comment="of late orders told: from the first notice to the deadline, below 0 after it; by the minute",
    ),
    Column("failed_at", DateTime, comment="first failed moment"),
    Column("detected_at", DateTime, comment="first of: notice of delay, case opened; null: not detected by as_of"),
    Column(
        "by_us",
        Boolean,
        comment="detected by us, before the buyer told us; null: not detected, a bare date or our own word alone leaves it open",
    ),
    Column("acknowledged_at", DateTime, comment="when the buyer was first told or answered; null: not by as_of"),
    Column("resolved_at", DateTime, comment="when all was settled; null: open at as_of"),
    Column("detect_seconds", BigInteger, comment="failed to detected, or to as_of; by the minute; null: not failed"),
    Column(
        "acknowledge_seconds",
        BigInteger,
        comment="detected to acknowledged, or to as_of; by the minute; null: not detected",
    ),
    Column(
        "resolve_seconds",
        BigInteger,
        comment="acknowledged to resolved, or to as_of; by the minute; null: not acknowledged",
    ),
    Column(
        "limit_passed",
        Boolean,
        comment=f"true: failed, and {RECOVERY_DAYS} days have passed since detection (since the failure, if undetected)",
    ),
    Column(
        "start_day",
        Date,
        comment="local day the wait for the next order begins: settled; unrecovered or never settled: the deadline",
    ),
    Column("next_day", Date, comment="local day of the customer's first order after that; null: none by as_of"),
    Column("reorder_days", Integer, comment="days from start_day to next_day, or to as_of"),
    Column(
        "retained_amount",
        AMOUNT,
        comment=f"margin of the customer's orders of the {RETAINED_DAYS} days after start_day, reporting currency",
    ),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Every judged order; nothing where no feed could tell of a recovery."""
    if not CHAIN & context.mapped:
        return ()
    failed = _failed(context).cte("failing")
    chained = _chained(failed, context).cte("chained")
    grouped = _grouped(chained, context).cte("grouped")
    following = following_orders(grouped, context).subquery("following_orders")
    margins = margin_after_failure(grouped, context).subquery("margins")
    g = grouped.c
    late_and_told = and_(g.late, g.notice_at.is_not(None))
    now = literal(context.as_of, DateTime)

    def gap(since: Expression, until: Expression, among: Expression) -> Expression:
        return case((among, minutes_between(since, func.coalesce(until, now))), else_=typed_null(BigInteger()))

    followed = plus_days(g.start_day, literal(RETAINED_DAYS, Integer)) <= g.today
    values: dict[str, Expression] = {
        "warned": case((~g.late, None), (g.notice_at.is_(None), false()), (g.notice_at < g.deadline_at, literal(True)),
                       (g.notice_from >= g.deadline_at, false()), else_=None),
        "notice_seconds": gap(g.notice_at, g.deadline_at, and_(late_and_told, g.deadline_at.is_not(None))),
        "by_us": case((g.notice_at.is_(None), case((g.buyer_at.is_not(None), false()), else_=None)), (g.buyer_at.is_(None), literal(True)),
                      (g.notice_at < g.buyer_from, literal(True)), (g.notice_from >= g.buyer_at, false()), else_=None),
        "detect_seconds": gap(g.failed_at, g.detected_at, and_(g.failed, g.failed_at.is_not(None))),
        "acknowledge_seconds": gap(g.detected_at, g.acknowledged_at, g.detected_at.is_not(None)),
        "resolve_seconds": gap(g.acknowledged_at, g.resolved_at, g.acknowledged_at.is_not(None)),
        "next_day": following.c.next_day,
        "reorder_days": days_between(g.start_day, func.coalesce(following.c.next_day, g.today)),
        "retained_amount": case((and_(followed, margins.c.unknown_n == 0), margins.c.amount), else_=None),
    }  # fmt: skip
    columns = [
        cast(values[column.name], column.type).label(column.name) if column.name in values else g[column.name]
        for column in recovery_facts_table.columns
    ]
    tables = grouped.outerjoin(following, following.c.order_id == g.order_id).outerjoin(
        margins, margins.c.order_id == g.order_id
    )
    return (select(*columns).select_from(tables),)


def _stale_keys(changed: Changes, context: BuildContext) -> SelectBase:
    """The orders that changed, all others of their customers (their next order may be another), and those that time
    alone changes.
    """
    o, r = order_facts_table.c, recovery_facts_table.c
    found = [
        select(changed.orders.c.order_id),
        select(o.order_id).join(changed.customers, changed.customers.c.customer_id == o.customer_id),
    ]
    if context.as_of > changed.since:
        followed_since = literal((changed.since - ENDS_WITHIN - timedelta(RETAINED_DAYS)).date(), Date)
        unsettled = or_(r.detected_at.is_(None), r.acknowledged_at.is_(None), r.resolved_at.is_(None), ~r.limit_passed)
        found.append(
            select(r.order_id).where(
                or_(r.next_day.is_(None), and_(r.failed, or_(unsettled, r.start_day >= followed_since)))
            )
        )
    return union(*found)


def _first(*moments: Expression) -> Expression:
    """The earliest of several moments, those that are null passed over; null only if all are."""
    return cast(func.nullif(func.least(*[func.coalesce(moment, _NOTHING) for moment in moments]), _NOTHING), DateTime)


def _failed(context: BuildContext) -> Rows:
    """Judged orders with whether and when they first failed.

    Late or short: the deadline of the first line that was. Damaged or filled wrong: when that line was settled. Billed
    wrong: the order's first invoice; never billed: when the invoice window closed.
    """
    o, line = order_facts_table.c, order_line_facts_table.c
    missed, spoiled = (
        or_(line.on_time.is_(False), line.complete.is_(False)),
        or_(line.damage_free.is_(False), line.filled_accurately.is_(False)),
    )
    on_lines = (
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
    tables: FromClause = only_stale(order_facts_table, o.order_id, context).outerjoin(
        on_lines, on_lines.c.order_id == o.order_id
    )
    billed_at: Expression = typed_null(DateTime())
    if "invoice_lines.line_amount" in context.mapped:
        billed = _first_billed(context).subquery("first_billed")
        tables = tables.outerjoin(billed, billed.c.order_id == o.order_id)
        window_closed = plus_microseconds(o.settled_at, literal(STRICT.invoice_days * MICROSECONDS_A_DAY, BigInteger))
        billed_at = case((o.billed_accurately.is_(False), func.coalesce(billed.c.billed_at, window_closed)), else_=None)
    failed = or_(*[func.coalesce(o[name].is_(False), false()) for name in GOODS_VERDICTS])
    # A verdict nobody feeds is not tested; any other unknown one proves nothing.
    tested = [name for name in GOODS_VERDICTS if name != "damage_free" or set(DAMAGE_COLUMNS) & context.mapped]
    unproven = or_(*[and_(o[name].is_(None), func.coalesce(o[f"{name}_reason"], "") != "no_feed") for name in tested])
    moments = _first(on_lines.c.missed_at, on_lines.c.spoiled_at, billed_at)
    return (
        select(
            o.order_id,
            o.due_day,
            o.ship_to_time_zone,
            o.deadline_at,
            o.settled_at,
            o.complete,
            and_(
                *[func.coalesce(o[name], True) for name in ("damage_free", "filled_accurately", "billed_accurately")]
            ).label("only_late"),
            failed.label("failed"),
            unproven.label("unproven"),
            func.coalesce(o.on_time.is_(False), false()).label("late"),
            case((failed, func.coalesce(moments, o.deadline_at, o.settled_at)), else_=typed_null(DateTime())).label(
                "failed_at"
            ),
            *order_dimensions(),
        )
        .select_from(tables)
        .where(o.state == "judged")
    )


def _first_billed(context: BuildContext) -> Rows:
    """One row per order billed wrong: its first invoice by as_of."""
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


def _chained(failing: CTE, context: BuildContext) -> Rows:
    """Judged orders with the moments of their recovery; all null where nothing failed, but for the notice of a delay."""
    f, m, c = failing.c, message_facts_table.c, case_facts_table.c
    told = (
        select(m.order_id, func.min(m.sent_from).label("notice_from"), func.min(m.sent_at).label("notice_at"))
        .where(m.message_kind == "delay_notice", m.sent_at.is_not(None), m.order_id.is_not(None))
        .group_by(m.order_id)
        .subquery("notices")
    )
    by_buyer = ~c.case_id.startswith(EDIT_SOURCE, autoescape=True)
    raised = (
        select(
            c.order_id,
            func.min(c.opened_at).label("opened_at"),
            func.min(c.acknowledged_at).label("acknowledged_at"),
            case((count_if(c.resolved_at.is_(None)) == 0, func.max(c.resolved_at)), else_=None).label("resolved_at"),
            func.min(case((by_buyer, c.opened_from))).label("buyer_from"),
            func.min(case((by_buyer, c.opened_at))).label("buyer_at"),
        )
        .join(failing, f.order_id == c.order_id)
        # A case settled before the order failed was about something else.
        .where(c.case_kind.not_in(REQUEST_KINDS), f.failed, func.coalesce(c.resolved_at, _NOTHING) >= f.failed_at)
        .group_by(c.order_id)
        .subquery("raised")
    )
    detected = _first(told.c.notice_at, raised.c.opened_at)
    # Without a case, a failure that was only lateness is settled by the goods themselves.
    arrived = case(
        (and_(f.only_late, f.complete.is_(True), detected.is_not(None)), greater(f.settled_at, detected)), else_=None
    )
    resolved = case((raised.c.opened_at.is_not(None), raised.c.resolved_at), else_=arrived)
    # To tell of a delay is to acknowledge it, and so is to settle it.
    acknowledged = _first(told.c.notice_at, raised.c.acknowledged_at, resolved)
    limit = plus_microseconds(
        func.coalesce(detected, f.failed_at), literal(RECOVERY_DAYS * MICROSECONDS_A_DAY, BigInteger)
    )

    def of_failures(value: Expression, name: str) -> Expression:
        return case((f.failed, value), else_=typed_null(DateTime())).label(name)

    return select(
        *f,
        told.c.notice_from,
        told.c.notice_at,
        of_failures(raised.c.opened_at, "opened_at"),
        of_failures(raised.c.buyer_from, "buyer_from"),
        of_failures(raised.c.buyer_at, "buyer_at"),
        of_failures(detected, "detected_at"),
        of_failures(acknowledged, "acknowledged_at"),
        of_failures(resolved, "resolved_at"),
        and_(f.failed, func.coalesce(limit <= literal(context.as_of, DateTime), false())).label("limit_passed"),
        and_(f.failed, func.coalesce(resolved <= limit, false())).label("in_limit"),
    ).select_from(
        failing.outerjoin(told, told.c.order_id == f.order_id).outerjoin(raised, raised.c.order_id == f.order_id)
    )


def _grouped(chained: CTE, context: BuildContext) -> Rows:
    """The chain with its group, and the local days that the wait for the next order begins on and ends at as_of."""
    c = chained.c
    group = case(
        (and_(~c.failed, c.unproven), "not proven"),
        (~c.failed, "no failure"),
        (c.in_limit, "recovered"),
        (c.limit_passed, "unrecovered"),
        else_="open",
    )
    start = case(
        (or_(group == "unrecovered", c.settled_at.is_(None)), func.coalesce(c.deadline_at, c.settled_at)),
        else_=c.settled_at,
    )
    tables, start_span = span_of(chained, start, false(), c.ship_to_time_zone)
    tables, today = day_at(tables, context.as_of, c.ship_to_time_zone)
    return select(
        *c,
        cast(group, String).label("recovery"),
        start.label("start_at"),
        cast(start_span.day, Date).label("start_day"),
        cast(today, Date).label("today"),
    ).select_from(tables)


FACT_TABLES: tuple[FactTable, ...] = (
    FactTable(recovery_facts_table, select_rows, key="order_id", stale_keys=_stale_keys),
)
