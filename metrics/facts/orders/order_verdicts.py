"""Verdicts of orders, from their lines. One row per order.

A verdict is the AND over the relevant lines. Source: P2 (AND per order), R16 (delivery groups),
R17 (services and fees); docs/judgement.md.
"""

from datetime import datetime

from sqlalchemy import (
    CTE,
    BigInteger,
    DateTime,
    FromClause,
    Integer,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
    true,
)

from metrics.facts.orders.line_verdicts import one_or_several, verdict_of
from metrics.facts.orders.tables import GOODS_VERDICTS, NONE, PARTS, SEVERAL, order_facts_table
from metrics.policy import CODE, CODES
from metrics.schema import EXACT_AMOUNT, QTY
from metrics.sql.dialects import (
    Columns,
    Expression,
    Rows,
    count_if,
    days_between,
    greater,
    least_code,
    sum_if,
    sum_known,
)


def judged_orders(header: CTE, lines: FromClause, as_of: datetime) -> Rows:
    """Select one row per order from its line facts, with the columns of `order_facts_table`."""
    line, o = lines.c, header.c
    sums = sums_of_lines(lines, line.order_id)
    x = sums.c
    state = case((o.order_type != "sale", "excluded"), else_=state_over(x))
    billing_state = _billing_state(x, state, sale=o.order_type == "sale", now=literal(as_of, DateTime))
    columns = verdicts_over(x, state, billing_state)
    settled_whole = and_(x.goods_owed_n > 0, x.unsettled_n == 0)
    arrived_day = case((settled_whole, x.settled_day), else_=None)
    arrived = and_(state == "judged", settled_whole)
    columns |= {
        "state": state,
        "billing_state": billing_state,
        "first_pass_full": case(
            (x.first_pass_short_n > 0, false()),
            (x.first_pass_unknown_n > 0, None),
            (x.goods_owed_n > 0, true()),
            else_=None,
        ),
        "customer_name": o.customer_name,
        "ship_to_time_zone": o.zone,
        "rate": x.rate,
        "channel": o.channel_or_none,
        "fulfilment_model": o.fulfilment_model_or_none,
        "currency": func.coalesce(o.currency, NONE),
        "product_category": func.coalesce(one_or_several(x.category_first, x.category_last), NONE),
        "carrier": case((x.several_carriers_n > 0, SEVERAL), else_=one_or_several(x.carrier_first, x.carrier_last)),
        "requested_day": x.requested_day,
        "promised_day": x.promised_day,
        "first_promised_day": x.first_promised_day,
        "missed_deadline_at": x.missed_deadline_at,
        "lateness_days": case((arrived, x.lateness_days), else_=None),
        "due_day": func.coalesce(x.due_day, o.ordered_day),
        "deadline_at": x.deadline_at,
        "settled_at": case((settled_whole, x.settled_at), else_=None),
        "arrived_day": arrived_day,
        "shipped_day": case((x.unshipped_n == 0, x.shipped_day), else_=None),
        "cycle_days": case((o.order_type == "sale", days_between(o.ordered_day, arrived_day)), else_=None),
        "days_late": case(
            (and_(arrived, x.days_late.is_not(None)), greater(x.days_late, literal(0, Integer))), else_=None
        ),
        "line_count": func.coalesce(x.line_count, literal(0, BigInteger)),
        "goods_line_count": func.coalesce(x.goods_owed_n, literal(0, BigInteger)),
        "next_change_at": x.next_change_at,
        "in_quarantine": or_(o.order_in_quarantine, func.coalesce(x.in_quarantine_n, 0) > 0),
    }
    for name in ("ordered_qty", "owed_qty"):
        columns[name] = func.coalesce(x[name], cast(literal(0), QTY))
    for name in ("received_qty", "ordered_amount", "received_amount", "short_amount", "billed_amount"):
        columns[name] = x[name]  # null if no line has it, never 0
    chosen = [
        cast(columns[column.name], column.type).label(column.name) if column.name in columns else o[column.name]
        for column in order_facts_table.columns
    ]
    return select(*chosen).select_from(header.outerjoin(sums, x.order_id == o.order_id))


def state_over(x: Columns) -> Expression:
    """Return excluded, pending or judged, from the sums of some lines. Source: P4 (three states)."""
    return case((func.coalesce(x.goods_owed_n, 0) == 0, "excluded"), (x.pending_n > 0, "pending"), else_="judged")


def _billing_state(x: Columns, state: Expression, *, sale: Expression, now: Expression) -> Expression:
    """Return the state of an order for billing.

    A sale without goods owed is judged too, if it has services or fees, or if something was billed. It is pending while
    a date of a line lies ahead. Source: R17 (services and fees).
    """
    billable = or_(x.service_n > 0, x.billed_lines > 0)
    ahead = or_(func.coalesce(x.last_deadline_at > now, false()), func.coalesce(x.last_due_at > now, false()))
    return case(
        (or_(~sale, x.goods_owed_n > 0), state),
        (~func.coalesce(billable, false()), state),
        (ahead, "pending"),
        else_="judged",
    )


def verdicts_over(x: Columns, state: Expression, billing_state: Expression | None = None) -> dict[str, Expression]:
    """Return the verdicts, reasons, parts of filled_accurately and perfect order, from the sums of some lines.

    billing_state: the state for `billed_accurately` if it differs.
    """
    judged, pending = state == "judged", state == "pending"
    columns: dict[str, Expression] = {}
    for name in GOODS_VERDICTS:
        own = state if billing_state is None or name != "billed_accurately" else billing_state
        columns[name], columns[f"{name}_reason"] = verdict_of(
            x[f"{name}_code"], judged=own == "judged", pending=own == "pending"
        )
    columns |= {name: _part(x, name, judged=judged) for name in PARTS}
    columns["perfect_order"], _ = verdict_of(x.perfect_order_code, judged=judged, pending=pending)
    return columns


def _part(x: Columns, name: str, *, judged: Expression) -> Expression:
    """Return a part of filled_accurately: the AND over the lines with receipts; null if there are none."""
    all_well = and_(x.received_lines > 0, x[f"{name}_unknown_n"] == 0)
    return case((~judged, None), (x[f"{name}_false_n"] > 0, false()), (all_well, true()), else_=None)


def sums_of_lines(lines: FromClause, *grain: Expression) -> FromClause:
    """Sum line facts per order or smaller group. grain: columns of `lines` to group by."""
    line = lines.c
    goods_owed = line.state != "excluded"
    goods = line.line_kind == "goods"
    sums = (
        select(
            *grain,
            *_reason_codes(line, goods_owed),
            *_line_counts(line, goods_owed),
            *_last_dates(line, goods_owed),
            *_line_amounts(line, goods_owed, goods),
            *_shared_words(line, goods),
        )
        .group_by(*grain)
        .subquery("summed_lines")
    )
    codes = _codes(sums.c)
    others = [column for column in sums.c if column.name not in codes]
    return select(*others, *[code.label(name) for name, code in codes.items()]).subquery("sums_of_lines")


def _codes(x: Columns) -> dict[str, Expression]:
    """Return the codes of the verdicts that look at several sums.

    The perfect order is false as soon as one test is false, whatever the others are. Source: P3 (three values).
    """
    received_any, nothing = x.received_lines > 0, literal(CODE["nothing_received"])
    no_feed = literal(CODE["no_feed"])
    codes: dict[str, Expression] = {
        f"{name}_code": case(
            (received_any, x[f"{name}_code"]),
            (x[f"{name}_code"] == no_feed, no_feed),
            (x.quarantined_n > 0, literal(CODE["quarantined"])),
            else_=nothing,
        )
        for name in ("damage_free", "filled_accurately")
    }
    codes["billed_accurately_code"] = case((x.billable_lines > 0, x.billed_accurately_code), else_=nothing)
    return codes | {"perfect_order_code": least_code(x.otif_code, *codes.values())}


def _reason_codes(line: Columns, goods_owed: Expression) -> list[Expression]:
    """Return the code of the first reason of each verdict among the lines; null: no line has one."""
    neutral = CODE["nothing_received"]

    def code_of(name: str, among: Expression, *, leave_out_nothing: bool) -> Expression:
        code = case({word: number for number, word in CODES.items()}, value=line[f"{name}_reason"], else_=None)
        code = case((line[name].is_(true()), None), else_=code)
        counted = and_(among, or_(code.is_(None), code != neutral)) if leave_out_nothing else among
        return func.min(case((counted, code), else_=None)).label(f"{name}_code")

    return [
        *[code_of(name, goods_owed, leave_out_nothing=False) for name in ("on_time", "complete", "otif")],
        *[code_of(name, goods_owed, leave_out_nothing=True) for name in ("damage_free", "filled_accurately")],
        code_of("billed_accurately", true(), leave_out_nothing=True),
    ]


def _line_counts(line: Columns, goods_owed: Expression) -> list[Expression]:
    """Return the numbers of lines that the verdicts of an order need."""
    nothing = func.coalesce(line.filled_accurately_reason == "nothing_received", false())
    return [
        func.count().label("line_count"),
        count_if(goods_owed).label("goods_owed_n"),
        count_if(line.state == "pending").label("pending_n"),
        count_if(goods_owed & (line.received_qty > 0)).label("received_lines"),
        count_if(goods_owed & (line.damage_free_reason == "quarantined")).label("quarantined_n"),
        count_if(func.coalesce(line.billed_accurately_reason, "") != "nothing_received").label("billable_lines"),
        *[count_if(goods_owed & line[name].is_(false())).label(f"{name}_false_n") for name in PARTS],
        *[count_if(goods_owed & line[name].is_(None) & ~nothing).label(f"{name}_unknown_n") for name in PARTS],
        count_if(goods_owed & line.first_pass_full.is_(false())).label("first_pass_short_n"),
        count_if(goods_owed & line.first_pass_full.is_(None)).label("first_pass_unknown_n"),
        count_if(line.in_quarantine).label("in_quarantine_n"),
        count_if(goods_owed & line.settled_at.is_(None)).label("unsettled_n"),
        count_if(line.line_kind.in_(("service", "fee"))).label("service_n"),
        count_if(or_(func.coalesce(line.billed_qty, 0) != 0, func.coalesce(line.billed_amount, 0) != 0)).label(
            "billed_lines"
        ),
        count_if(goods_owed & line.shipped_day.is_(None)).label("unshipped_n"),
    ]


def _last_dates(line: Columns, goods_owed: Expression) -> list[Expression]:
    """Return the days and instants of an order: those of its worst or latest line."""
    late = line.settled_at > line.deadline_at
    return [
        func.max(case((and_(goods_owed, late), days_between(line.due_day, line.settled_day)), else_=None)).label(
            "days_late"
        ),
        func.max(case((goods_owed, line.lateness_days), else_=None)).label("lateness_days"),
        func.min(case((and_(goods_owed, line.on_time.is_(False)), line.deadline_at), else_=None)).label(
            "missed_deadline_at"
        ),
        func.max(line.deadline_at).label("last_deadline_at"),
        func.max(line.first_due_at).label("last_due_at"),
        func.max(case((goods_owed, line.settled_at), else_=None)).label("settled_at"),
        func.max(case((goods_owed, line.settled_day), else_=None)).label("settled_day"),
        func.max(case((goods_owed, line.shipped_day), else_=None)).label("shipped_day"),
        func.max(case((goods_owed, line.deadline_at), else_=None)).label("deadline_at"),
        *[
            func.max(case((goods_owed, line[name]), else_=None)).label(name)
            for name in ("requested_day", "promised_day", "first_promised_day")
        ],
        func.coalesce(func.max(case((goods_owed, line.due_day), else_=None)), func.max(line.due_day)).label("due_day"),
        func.min(line.next_change_at).label("next_change_at"),
    ]


def _line_amounts(line: Columns, goods_owed: Expression, goods: Expression) -> list[Expression]:
    """Return the quantities of the goods lines, and the amounts; null: no line has one."""
    return [
        *[sum_if(goods, line[name]).label(name) for name in ("ordered_qty", "owed_qty")],
        sum_known(goods, line.received_qty).label("received_qty"),
        sum_known(true(), line.ordered_amount).label("ordered_amount"),
        sum_known(goods, line.received_amount).label("received_amount"),
        sum_known(goods_owed & ~line.in_quarantine, cast(line.owed_amount - line.filled_amount, EXACT_AMOUNT)).label(
            "short_amount"
        ),
        sum_known(true(), line.billed_amount).label("billed_amount"),
        func.max(line.rate).label("rate"),
    ]


def _shared_words(line: Columns, goods: Expression) -> list[Expression]:
    """Return the first and last category and carrier of the lines. They are equal if all lines agree."""
    category = case((goods, line.product_category), else_=None)
    carrier = case((line.carrier.in_((NONE, SEVERAL)), None), else_=line.carrier)
    return [
        func.min(category).label("category_first"),
        func.max(category).label("category_last"),
        func.min(carrier).label("carrier_first"),
        func.max(carrier).label("carrier_last"),
        count_if(line.carrier == SEVERAL).label("several_carriers_n"),
    ]
