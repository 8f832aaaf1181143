"""Two ledgers of service recovery: one row per judged order with its chain from the failure to the customer's next order, and one row per cost.

Chain: failed → detected (the first notice of delay, or case opened) → acknowledged → resolved → the customer's next order. docs/judgement.md says
how each moment is read. Source: rules, section 4 (i).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
    Column,
    CompoundSelect,
    Connection,
    Date,
    DateTime,
    FromClause,
    Integer,
    Select,
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
    union_all,
)

from metrics.buyer_view import NEEDS_DAMAGE
from metrics.facts import NONE, order_facts_table, order_line_facts_table
from metrics.facts.fact_tables import GOODS_VERDICTS
from metrics.ledgers.cases import WISHES, WRITTEN_HERE, case_facts_table
from metrics.ledgers.contacts import contact, day_at, minutes_between
from metrics.ledgers.ledger import ENDS_WITHIN, Changed, Ledger, Setting, ledger_table, order_dimensions
from metrics.ledgers.messages import message_facts_table
from metrics.moments import moment_span, span_of
from metrics.policy import STRICT
from metrics.rates import at_rate, with_rate
from metrics.schema import AMOUNT, invoice_lines, invoices, service_cases, service_costs
from metrics.sqltools import MICROSECONDS_A_DAY, Expression, count_if, days_between, greater, plus_days, plus_microseconds, sum_if, times, typed_null

CHAIN = frozenset(("messages.message_id", "service_cases.case_id"))
"""Feeds that tell of a recovery; either will do."""
RECOVERY_DAYS = 10
"""Days from detection within which a failure must be settled to count as recovered (rules, section 5)."""
RETAINED_DAYS = 90
"""Days after a failure whose margin is what was retained."""
GROUPS = ("no failure", "recovered", "unrecovered")
"""Groups of orders whose next orders are compared. Orders not yet settled, whose limit has not passed, stand under "open"; orders without a failed
verdict but with an unknown one under "not proven"."""

_NOTHING = literal(datetime(9999, 1, 1), DateTime)

recovery_facts_table = ledger_table(
    "recovery_facts",
    "order",
    "one row: one judged order, and where it failed what was done about it by as_of",
    Column("order_id", String, comment="orders.order_id"),
    Column("due_day", Date, comment="due day of the order"),
    Column("failed", Boolean, comment="true: a verdict is false"),
    Column("recovery", String, comment="no failure, recovered, unrecovered, open or not proven"),
    Column("late", Boolean, comment="true: on_time is false"),
    Column("warned", Boolean, comment="of late orders: told of the delay before the deadline; null: a bare date leaves it open, or not late"),
    Column("notice_seconds", BigInteger, comment="of late orders told: from the first notice to the deadline, below 0 after it; by the minute"),
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
    Column("acknowledge_seconds", BigInteger, comment="detected to acknowledged, or to as_of; by the minute; null: not detected"),
    Column("resolve_seconds", BigInteger, comment="acknowledged to resolved, or to as_of; by the minute; null: not acknowledged"),
    Column("limit_passed", Boolean, comment=f"true: failed, and {RECOVERY_DAYS} days have passed since detection (since the failure, if undetected)"),
    Column("start_day", Date, comment="local day the wait for the next order begins: settled; unrecovered or never settled: the deadline"),
    Column("next_day", Date, comment="local day of the customer's first order after that; null: none by as_of"),
    Column("reorder_days", Integer, comment="days from start_day to next_day, or to as_of"),
    Column("retained_amount", AMOUNT, comment=f"margin of the customer's orders of the {RETAINED_DAYS} days after start_day, reporting currency"),
)

recovery_cost_facts_table = ledger_table(
    "recovery_cost_facts",
    "cost",
    "one row: one cost of recovery: a case of a failure, goods or service of a replacement order, or a goodwill credit",
    Column("order_id", String, comment="the order it was spent on; empty: none"),
    Column("activity", String, comment="case, replacement or goodwill"),
    Column("cost_day", Date, comment="day it was spent: case settled (open: raised), replacement ordered, cost incurred, credit dated"),
    Column("amount", AMOUNT, comment="in the reporting currency; null: no rate or no unit cost"),
)


def rows(_: Connection, setting: Setting) -> Sequence[Select[Any]]:
    """Every judged order; nothing where no feed could tell of a recovery."""
    if not CHAIN & setting.mapped:
        return ()
    failed = _failed(setting).cte("failing")
    chained = _chained(failed, setting).cte("chained")
    grouped = _grouped(chained, setting).cte("grouped")
    following = _following_orders(grouped, setting).subquery("following_orders")
    margins = _margins(grouped, setting).subquery("margins")
    g = grouped.c
    late_and_told = and_(g.late, g.notice_at.is_not(None))
    now = literal(setting.as_of, DateTime)

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
    tables = grouped.outerjoin(following, following.c.order_id == g.order_id).outerjoin(margins, margins.c.order_id == g.order_id)
    return (select(*columns).select_from(tables),)


def _again(changed: Changed, setting: Setting) -> CompoundSelect[Any]:
    """The orders that changed, all others of their customers (their next order may be another), and those that time alone changes."""
    o, r = order_facts_table.c, recovery_facts_table.c
    found = [
        select(changed.orders.c.order_id),
        select(o.order_id).join(changed.customers, changed.customers.c.customer_id == o.customer_id),
    ]
    if setting.as_of > changed.since:
        followed_since = literal((changed.since - ENDS_WITHIN - timedelta(RETAINED_DAYS)).date(), Date)
        unsettled = or_(r.detected_at.is_(None), r.acknowledged_at.is_(None), r.resolved_at.is_(None), ~r.limit_passed)
        found.append(select(r.order_id).where(or_(r.next_day.is_(None), and_(r.failed, or_(unsettled, r.start_day >= followed_since)))))
    return union(*found)


def _wanted(tables: FromClause, order_id: Expression, setting: Setting) -> FromClause:
    """The FROM clause with only the orders wanted."""
    return tables if setting.only is None else tables.join(setting.only, setting.only.c.order_id == order_id)


def _first(*moments: Expression) -> Expression:
    """The earliest of several moments, those that are null passed over; null only if all are."""
    return cast(func.nullif(func.least(*[func.coalesce(moment, _NOTHING) for moment in moments]), _NOTHING), DateTime)


def _failed(setting: Setting) -> Select[Any]:
    """Judged orders with whether and when they first failed.

    Late or short: the deadline of the first line that was. Damaged or filled wrong: when that line was settled. Billed wrong: the order's first
    invoice; never billed: when the invoice window closed.
    """
    o, line = order_facts_table.c, order_line_facts_table.c
    missed, spoiled = or_(line.on_time.is_(False), line.complete.is_(False)), or_(line.damage_free.is_(False), line.filled_accurately.is_(False))
    on_lines = (
        select(
            line.order_id,
            func.min(case((missed, line.deadline_at), else_=None)).label("missed_at"),
            func.min(case((spoiled, func.coalesce(line.settled_at, line.deadline_at)), else_=None)).label("spoiled_at"),
        )
        .select_from(_wanted(order_line_facts_table, line.order_id, setting))
        .where(or_(missed, spoiled))
        .group_by(line.order_id)
        .subquery("failed_lines")
    )
    tables: FromClause = _wanted(order_facts_table, o.order_id, setting).outerjoin(on_lines, on_lines.c.order_id == o.order_id)
    billed_at: Expression = typed_null(DateTime())
    if "invoice_lines.line_amount" in setting.mapped:
        billed = _first_billed(setting).subquery("first_billed")
        tables = tables.outerjoin(billed, billed.c.order_id == o.order_id)
        window_closed = plus_microseconds(o.settled_at, literal(STRICT.invoice_days * MICROSECONDS_A_DAY, BigInteger))
        billed_at = case((o.billed_accurately.is_(False), func.coalesce(billed.c.billed_at, window_closed)), else_=None)
    failed = or_(*[func.coalesce(o[name].is_(False), false()) for name in GOODS_VERDICTS])
    # A verdict nobody feeds is not tested; any other unknown one proves nothing.
    tested = [name for name in GOODS_VERDICTS if name != "damage_free" or set(NEEDS_DAMAGE.any_of) & setting.mapped]
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
            and_(*[func.coalesce(o[name], True) for name in ("damage_free", "filled_accurately", "billed_accurately")]).label("only_late"),
            failed.label("failed"),
            unproven.label("unproven"),
            func.coalesce(o.on_time.is_(False), false()).label("late"),
            case((failed, func.coalesce(moments, o.deadline_at, o.settled_at)), else_=typed_null(DateTime())).label("failed_at"),
            *order_dimensions(),
        )
        .select_from(tables)
        .where(o.state == "judged")
    )


def _first_billed(setting: Setting) -> Select[Any]:
    """One row per order billed wrong: its first invoice by as_of."""
    o, document, line = order_facts_table.c, invoices.c, invoice_lines.c
    tables: FromClause = invoice_lines.join(invoices, document.invoice_id == line.invoice_id).join(
        order_facts_table, and_(o.order_id == line.order_id, o.billed_accurately.is_(False))
    )
    tables, invoiced = moment_span(_wanted(tables, o.order_id, setting), dict(document.items()), "invoiced_at", o.ship_to_time_zone)
    return (
        select(line.order_id, func.min(invoiced.hi).label("billed_at"))
        .select_from(tables)
        .where(~line.deleted, ~document.deleted, document.invoice_kind == "invoice", invoiced.hi <= literal(setting.as_of, DateTime))
        .group_by(line.order_id)
    )


def _chained(failing: CTE, setting: Setting) -> Select[Any]:
    """Judged orders with the moments of their recovery; all null where nothing failed, but for the notice of a delay."""
    f, m, c = failing.c, message_facts_table.c, case_facts_table.c
    told = (
        select(m.order_id, func.min(m.sent_from).label("notice_from"), func.min(m.sent_at).label("notice_at"))
        .where(m.message_kind == "delay_notice", m.sent_at.is_not(None), m.order_id.is_not(None))
        .group_by(m.order_id)
        .subquery("notices")
    )
    by_buyer = ~c.case_id.startswith(WRITTEN_HERE, autoescape=True)
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
        .where(c.case_kind.not_in(WISHES), f.failed, func.coalesce(c.resolved_at, _NOTHING) >= f.failed_at)
        .group_by(c.order_id)
        .subquery("raised")
    )
    detected = _first(told.c.notice_at, raised.c.opened_at)
    # Without a case, a failure that was only lateness is settled by the goods themselves.
    arrived = case((and_(f.only_late, f.complete.is_(True), detected.is_not(None)), greater(f.settled_at, detected)), else_=None)
    resolved = case((raised.c.opened_at.is_not(None), raised.c.resolved_at), else_=arrived)
    # To tell of a delay is to acknowledge it, and so is to settle it.
    acknowledged = _first(told.c.notice_at, raised.c.acknowledged_at, resolved)
    limit = plus_microseconds(func.coalesce(detected, f.failed_at), literal(RECOVERY_DAYS * MICROSECONDS_A_DAY, BigInteger))

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
        and_(f.failed, func.coalesce(limit <= literal(setting.as_of, DateTime), false())).label("limit_passed"),
        and_(f.failed, func.coalesce(resolved <= limit, false())).label("in_limit"),
    ).select_from(failing.outerjoin(told, told.c.order_id == f.order_id).outerjoin(raised, raised.c.order_id == f.order_id))


def _grouped(chained: CTE, setting: Setting) -> Select[Any]:
    """The chain with its group, and the local days that the wait for the next order begins on and ends at as_of."""
    c = chained.c
    group = case(
        (and_(~c.failed, c.unproven), "not proven"),
        (~c.failed, "no failure"),
        (c.in_limit, "recovered"),
        (c.limit_passed, "unrecovered"),
        else_="open",
    )
    start = case((or_(group == "unrecovered", c.settled_at.is_(None)), func.coalesce(c.deadline_at, c.settled_at)), else_=c.settled_at)
    tables, start_span = span_of(chained, start, false(), c.ship_to_time_zone)
    tables, today = day_at(tables, setting.as_of, c.ship_to_time_zone)
    return select(
        *c,
        cast(group, String).label("recovery"),
        start.label("start_at"),
        cast(start_span.day, Date).label("start_day"),
        cast(today, Date).label("today"),
    ).select_from(tables)


def _following_orders(grouped: CTE, setting: Setting) -> Select[Any]:
    """order_id, next_day: the day of the customer's first sale placed after the wait began, found by running backwards through their orders."""
    g, o = grouped.c, order_facts_table.c
    tables = _of_their_customers(order_facts_table, grouped, setting)
    tables, ordered = moment_span(tables, dict(o.items()), "ordered_at", o.ship_to_time_zone)
    placed = select(
        o.customer_id, ordered.hi.label("at"), literal(0, Integer).label("waits"), typed_null(String()).label("order_id"), o.ordered_day.label("day")
    )
    waits = select(g.customer_id, g.start_at, literal(1, Integer), g.order_id, typed_null(Date())).where(g.start_at.is_not(None))
    events = union_all(placed.select_from(tables).where(o.order_type == "sale"), waits).cte("orders_and_waits")
    e = events.c
    # At one instant the waits come first, so that an order placed at that very instant is not after it.
    later = func.min(e.day).over(partition_by=e.customer_id, order_by=[e.at.desc(), e.waits.desc()], rows=(None, 0))
    found = select(e.order_id, e.waits, later.label("next_day")).subquery("running")
    return select(found.c.order_id, found.c.next_day).where(found.c.waits == 1)


def _of_their_customers(tables: FromClause, grouped: CTE, setting: Setting) -> FromClause:
    """Order facts joined in a FROM clause: where only some orders are wanted, all those of their customers."""
    if setting.only is None:
        return tables
    theirs = select(grouped.c.customer_id).distinct().subquery("their_customers")
    return tables.join(theirs, theirs.c.customer_id == order_facts_table.c.customer_id)


def _margins(grouped: CTE, setting: Setting) -> Select[Any]:
    """order_id, amount, unknown_n: the customer's margin in the days after the wait began, and how many orders' margin is not known in them.

    Margins are added up along each customer's days; what had come by the last day, less what had come by the first, is what lies between.
    While no rates are fed only orders in the failed order's own currency are added: two currencies never meet.
    """
    by_currency = "fx_rates.rate" not in setting.mapped
    g, line, o = grouped.c, order_line_facts_table.c, order_facts_table.c
    billed = and_(line.line_kind == "goods", line.billed_amount.is_not(None))
    cost = cast(times(line.billed_qty, line.unit_cost_amount), AMOUNT)
    margin = cast(at_rate(line.billed_amount, line.rate) - cost, AMOUNT)
    by_order = (
        select(
            line.order_id,
            sum_if(and_(billed, margin.is_not(None)), margin).label("amount"),
            count_if(and_(billed, margin.is_(None))).label("unknown_n"),
        )
        .group_by(line.order_id)
        .subquery("order_margins")
    )
    none, no_money = typed_null(String()), cast(literal(0), AMOUNT)
    earned = (
        select(
            o.customer_id,
            (o.currency if by_currency else literal(NONE, String)).label("money"),
            o.ordered_day.label("day"),
            literal(0, Integer).label("looks"),
            none.label("order_id"),
            by_order.c.amount,
            by_order.c.unknown_n,
        )
        .select_from(_of_their_customers(order_facts_table.join(by_order, by_order.c.order_id == o.order_id), grouped, setting))
        .where(o.order_type == "sale")
    )
    ends = [
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
    events = union_all(earned, *ends).cte("margins_and_looks")
    e = events.c
    window: dict[str, Any] = {"partition_by": [e.customer_id, e.money], "order_by": [e.day, e.looks], "rows": (None, 0)}
    so_far = select(
        e.order_id, e.looks, func.sum(e.amount).over(**window).label("amount"), func.sum(e.unknown_n).over(**window).label("unknown_n")
    ).subquery("so_far")
    s = so_far.c

    def between(name: str) -> Expression:
        return func.max(case((s.looks == 2, s[name]), else_=None)) - func.max(case((s.looks == 1, s[name]), else_=None))

    return (
        select(s.order_id, cast(between("amount"), AMOUNT).label("amount"), cast(between("unknown_n"), BigInteger).label("unknown_n"))
        .where(s.looks > 0)
        .group_by(s.order_id)
    )


def cost_rows(_: Connection, setting: Setting) -> Sequence[Select[Any]]:
    """Every cost of recovery by as_of, from each feed that some source maps; nothing where no source maps what cases cost."""
    if "service_cases.cost_amount" not in setting.mapped:
        return ()
    found = [_case_costs(setting), _replaced_goods()]
    if "service_costs.amount" in setting.mapped:
        found.append(_replacement_service(setting))
    if "invoices.credit_reason" in setting.mapped:
        found.append(_goodwill(setting))
    return found


def _cost(activity: str, tables: FromClause, order_id: Expression, day: Expression, amount: Expression, dimensions: list[Expression]) -> Select[Any]:
    columns = [order_id.label("order_id"), literal(activity, String).label("activity"), cast(day, Date).label("cost_day")]
    return select(*columns, cast(amount, AMOUNT).label("amount"), *dimensions).select_from(tables)


def _paid_in(currency: Expression, dimensions: list[Expression]) -> list[Expression]:
    """Dimensions with the currency a cost was paid in."""
    return [func.coalesce(currency, literal(NONE, String)).label("currency") if one.name == "currency" else one for one in dimensions]


def _case_costs(setting: Setting) -> Select[Any]:
    """Cases of failed orders, other than wishes."""
    c, failure = service_cases.c, recovery_facts_table.c
    about = contact(service_cases)
    about, opened = about.span(service_cases, "opened_at")
    about, resolved = about.span(service_cases, "resolved_at")
    now = literal(setting.as_of, DateTime)
    day = case((resolved.hi <= now, resolved.day), else_=opened.day)
    tables, dimensions = about.dimensions(opened.day)
    tables = tables.join(recovery_facts_table, and_(failure.order_id == c.order_id, failure.failed))
    tables, rate = with_rate(tables, c.currency, cast(day, Date), setting.mapped)
    rows = _cost("case", tables, c.order_id, day, times(c.cost_amount, rate), _paid_in(c.currency, dimensions))
    kind = func.coalesce(c.kind, literal(NONE, String))
    return rows.where(~c.deleted, c.cost_amount.is_not(None), opened.hi <= now, kind.not_in(WISHES))


def _replaced_goods() -> Select[Any]:
    """Goods shipped on replacement orders, at unit cost."""
    o, line = order_facts_table.c, order_line_facts_table.c
    tables = order_line_facts_table.join(order_facts_table, o.order_id == line.order_id)
    amount = times(line.shipped_qty, line.unit_cost_amount)
    rows = _cost("replacement", tables, line.order_id, line.ordered_day, amount, order_dimensions(order_line_facts_table))
    return rows.where(o.order_type == "replacement", line.line_kind == "goods", line.shipped_qty > 0)


def _replacement_service(setting: Setting) -> Select[Any]:
    """Costs of serving booked on replacement orders."""
    o, cost = order_facts_table.c, service_costs.c
    tables: FromClause = service_costs.join(order_facts_table, and_(o.order_id == cost.order_id, o.order_type == "replacement"))
    tables, rate = with_rate(tables, cost.currency, cost.incurred_on, setting.mapped)
    tables, today = day_at(tables, setting.as_of, o.ship_to_time_zone)
    rows = _cost("replacement", tables, cost.order_id, cost.incurred_on, times(cost.amount, rate), _paid_in(cost.currency, order_dimensions()))
    return rows.where(~cost.deleted, cost.incurred_on <= today)


def _goodwill(setting: Setting) -> Select[Any]:
    """Credits given out of goodwill, by the order they name."""
    o, document, line = order_facts_table.c, invoices.c, invoice_lines.c
    tables: FromClause = invoice_lines.join(invoices, document.invoice_id == line.invoice_id).join(order_facts_table, o.order_id == line.order_id)
    tables, dated = moment_span(tables, dict(document.items()), "invoiced_at", o.ship_to_time_zone)
    tables, rate = with_rate(tables, document.currency, cast(dated.day, Date), setting.mapped)
    amount = times(line.line_amount, rate)
    rows = _cost("goodwill", tables, line.order_id, dated.day, amount, _paid_in(document.currency, order_dimensions()))
    credit = and_(document.invoice_kind == "credit", document.credit_reason == "goodwill")
    return rows.where(~line.deleted, ~document.deleted, credit, dated.hi <= literal(setting.as_of, DateTime))


LEDGERS: tuple[Ledger, ...] = (Ledger(recovery_facts_table, rows, key="order_id", again=_again), Ledger(recovery_cost_facts_table, cost_rows))
