"""Recoveries: judged orders from the failure to the customer's next order.

Grain: one row per judged order. Key: order_id.
Stale rows: those of orders that the run judges again, of all orders of their customers, and of orders whose wait or
recovery has not ended (see `_stale_keys`).
Source: section 4 (i) (service recovery); docs/judgement.md.

The chain has five moments: failed, detected (the first delay notice or case), acknowledged, resolved, and the
customer's next order.
"""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Date,
    DateTime,
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
)
from metrics.facts.failures import NEVER, earliest, failed_orders
from metrics.facts.messages import message_facts_table
from metrics.facts.orders import NONE, order_facts_table
from metrics.facts.retention import RETAINED_DAYS, following_orders, margin_after_failure
from metrics.facts.service_cases import EDIT_SOURCE, REQUEST_KINDS, case_facts_table
from metrics.schema import EXACT_AMOUNT
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
from metrics.sql.moments import span_of

CHAIN = frozenset(("messages.message_id", "service_cases.case_id"))
"""Feed columns that show a recovery. One of them is enough."""
RECOVERY_DAYS = 10
"""Days from detection within which a failure must be resolved to count as recovered. Source: section 5 (policies)."""
GROUPS = ("no failure", "recovered", "unrecovered")
"""Groups of orders whose next orders are compared.

Other values of the column `recovery`: "open" for unresolved failures within the limit, and "not proven" for orders
with an unknown verdict but no failed one.
"""

recovery_facts_table = fact_table(
    "recovery_facts",
    "order",
    "one row: one judged order and, if it failed, its recovery by as_of",
    Column("order_id", String, comment="orders.order_id"),
    Column("due_day", Date, comment="due day of the order"),
    Column("failed", Boolean, comment="true: a verdict is false"),
    Column("recovery", String, comment="no failure, recovered, unrecovered, open or not proven"),
    Column("late", Boolean, comment="true: on_time is false"),
    Column(
        "warned",
        Boolean,
        comment=(
            "true: late, with a delay notice before the deadline of the first line that was not on time; "
            "null: not late, or a bare date leaves it open"
        ),
    ),
    Column(
        "notice_seconds",
        BigInteger,
        comment=(
            "seconds from the first delay notice to the deadline of the first line that was not on time, "
            "negative if later; rounded to minutes"
        ),
    ),
    Column("failed_at", DateTime, comment="first moment of failure"),
    Column("detected_at", DateTime, comment="first delay notice or opened case; null: not detected by as_of"),
    Column(
        "by_us",
        Boolean,
        comment=(
            "true: detected by us before the buyer opened a case; null: not detected, only our own case, "
            "or a bare date leaves it open"
        ),
    ),
    Column("acknowledged_at", DateTime, comment="first notice or answer to the buyer; null: none by as_of"),
    Column("resolved_at", DateTime, comment="when everything was resolved; null: open at as_of"),
    Column(
        "detect_seconds",
        BigInteger,
        comment="seconds from failed to detected, or to as_of; rounded to minutes; null: not failed",
    ),
    Column(
        "acknowledge_seconds",
        BigInteger,
        comment="seconds from detected to acknowledged, or to as_of; rounded to minutes; null: not detected",
    ),
    Column(
        "resolve_seconds",
        BigInteger,
        comment="seconds from acknowledged to resolved, or to as_of; rounded to minutes; null: not acknowledged",
    ),
    Column(
        "limit_passed",
        Boolean,
        comment=f"true: failed, and {RECOVERY_DAYS} days have passed since detection (or failure, if undetected)",
    ),
    Column(
        "start_day",
        Date,
        comment=(
            "local day the wait for the next order begins: the day settled, or the deadline missed if unrecovered; "
            "null: neither is known, or the customer is not"
        ),
    ),
    Column("next_day", Date, comment="local day of the customer's next order; null: none by as_of"),
    Column("reorder_days", Integer, comment="days from start_day to next_day, or to as_of"),
    Column(
        "retained_amount",
        EXACT_AMOUNT,
        comment=f"margin of the customer's orders of the {RETAINED_DAYS} days after start_day, reporting currency",
    ),
)


def select_rows(_: Connection, context: BuildContext) -> Sequence[Rows]:
    """Return every judged order, or nothing if no source maps messages or cases."""
    if not CHAIN & context.mapped:
        return ()
    failed = failed_orders(context).cte("failing")
    chained = _chained(failed, context).cte("chained")
    grouped = _grouped(chained, context).cte("grouped")
    following = following_orders(grouped, context).subquery("following_orders")
    margins = margin_after_failure(grouped, context).subquery("margins")
    g = grouped.c
    late_with_notice = and_(g.late, g.notice_at.is_not(None))
    now = literal(context.as_of, DateTime)

    def gap(since: Expression, until: Expression, among: Expression) -> Expression:
        return case((among, minutes_between(since, func.coalesce(until, now))), else_=typed_null(BigInteger()))

    followed = plus_days(g.start_day, literal(RETAINED_DAYS, Integer)) <= g.today
    values: dict[str, Expression] = {
        "warned": case(
            (~g.late, None),
            (g.notice_at.is_(None), false()),
            (g.notice_at < g.missed_deadline_at, literal(True)),
            (g.notice_from >= g.missed_deadline_at, false()),
            else_=None,
        ),
        "notice_seconds": gap(
            g.notice_at, g.missed_deadline_at, and_(late_with_notice, g.missed_deadline_at.is_not(None))
        ),
        "by_us": case(
            (g.notice_at.is_(None), case((g.buyer_at.is_not(None), false()), else_=None)),
            (g.buyer_at.is_(None), literal(True)),
            (g.notice_at < g.buyer_from, literal(True)),
            (g.notice_from >= g.buyer_at, false()),
            else_=None,
        ),
        "detect_seconds": gap(g.failed_at, g.detected_at, and_(g.failed, g.failed_at.is_not(None))),
        "acknowledge_seconds": gap(g.detected_at, g.acknowledged_at, g.detected_at.is_not(None)),
        "resolve_seconds": gap(g.acknowledged_at, g.resolved_at, g.acknowledged_at.is_not(None)),
        "next_day": following.c.next_day,
        "reorder_days": days_between(g.start_day, func.coalesce(following.c.next_day, g.today)),
        "retained_amount": case((and_(followed, margins.c.unknown_n == 0), margins.c.amount), else_=None)
        if "invoice_lines.line_amount" in context.mapped
        else typed_null(EXACT_AMOUNT),
    }
    columns = [
        cast(values[column.name], column.type).label(column.name) if column.name in values else g[column.name]
        for column in recovery_facts_table.columns
    ]
    tables = grouped.outerjoin(following, following.c.order_id == g.order_id).outerjoin(
        margins, margins.c.order_id == g.order_id
    )
    return (select(*columns).select_from(tables),)


def _stale_keys(changed: Changes, context: BuildContext) -> SelectBase:
    """Select the orders that changed, all orders of their customers, and the orders that time alone changes.

    A changed order may be the next order after any other order of the customer. Without a feed that shows recoveries
    there are no rows.
    """
    if not CHAIN & context.mapped:
        return select(changed.orders.c.order_id)
    o, r = order_facts_table.c, recovery_facts_table.c
    selects = [
        select(changed.orders.c.order_id),
        select(o.order_id).join(changed.customers, changed.customers.c.customer_id == o.customer_id),
    ]
    if context.as_of > changed.since:
        followed_since = literal((changed.since - ENDS_WITHIN - timedelta(RETAINED_DAYS)).date(), Date)
        unsettled = or_(r.detected_at.is_(None), r.acknowledged_at.is_(None), r.resolved_at.is_(None), ~r.limit_passed)
        selects.append(
            select(r.order_id).where(
                or_(r.next_day.is_(None), and_(r.failed, or_(unsettled, r.start_day >= followed_since)))
            )
        )
    return union(*selects)


def _chained(failing: CTE, context: BuildContext) -> Rows:
    """Return the judged orders with the moments of their recovery.

    If nothing failed, all moments except the delay notice are null.
    """
    f, m, c = failing.c, message_facts_table.c, case_facts_table.c
    notices = (
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
        # A case resolved before the order failed is about something else.
        .where(c.case_kind.not_in(REQUEST_KINDS), f.failed, func.coalesce(c.resolved_at, NEVER) >= f.failed_at)
        .group_by(c.order_id)
        .subquery("raised")
    )
    detected = earliest(notices.c.notice_at, raised.c.opened_at)
    # Without a case, the arrival of the goods resolves an order that was only late.
    arrived = case(
        (and_(f.only_late, f.complete.is_(True), detected.is_not(None)), greater(f.settled_at, detected)), else_=None
    )
    resolved = case((raised.c.opened_at.is_not(None), raised.c.resolved_at), else_=arrived)
    # A delay notice acknowledges the failure, and so does its resolution.
    acknowledged = earliest(notices.c.notice_at, raised.c.acknowledged_at, resolved)
    limit = plus_microseconds(
        func.coalesce(detected, f.failed_at), literal(RECOVERY_DAYS * MICROSECONDS_A_DAY, BigInteger)
    )

    def of_failures(value: Expression, name: str) -> Expression:
        return case((f.failed, value), else_=typed_null(DateTime())).label(name)

    return select(
        *f,
        notices.c.notice_from,
        notices.c.notice_at,
        of_failures(raised.c.opened_at, "opened_at"),
        of_failures(raised.c.buyer_from, "buyer_from"),
        of_failures(raised.c.buyer_at, "buyer_at"),
        of_failures(detected, "detected_at"),
        of_failures(acknowledged, "acknowledged_at"),
        of_failures(resolved, "resolved_at"),
        and_(f.failed, func.coalesce(limit <= literal(context.as_of, DateTime), false())).label("limit_passed"),
        and_(f.failed, func.coalesce(resolved <= limit, false())).label("in_limit"),
    ).select_from(
        failing.outerjoin(notices, notices.c.order_id == f.order_id).outerjoin(raised, raised.c.order_id == f.order_id)
    )


def _grouped(chained: CTE, context: BuildContext) -> Rows:
    """Return the chain with its group, and the local days of the beginning of the wait and of as_of."""
    c = chained.c
    group = case(
        (and_(~c.failed, c.unproven), "not proven"),
        (~c.failed, "no failure"),
        (c.in_limit, "recovered"),
        (c.limit_passed, "unrecovered"),
        else_="open",
    )
    start = case(
        (c.customer_id == NONE, None),  # nobody knows whose next order to wait for
        (or_(group == "unrecovered", c.settled_at.is_(None)), func.coalesce(c.missed_at, c.deadline_at, c.settled_at)),
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
