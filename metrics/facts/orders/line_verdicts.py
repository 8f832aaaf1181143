"""Verdicts of order lines with their reasons, from receipts, owed quantities and bills. One row per order line.

Source: docs/rules.md, Terms; docs/judgement.md.
"""

from datetime import datetime

from sqlalchemy import (
    CTE,
    BigInteger,
    Boolean,
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
)

from metrics.facts.orders.billing import EMPTY_BILL, billing_code, bills, has_invoices
from metrics.facts.orders.due_dates import dated_lines
from metrics.facts.orders.in_quarantine import ALL, BILLS, DAMAGE, affected
from metrics.facts.orders.owed import owed_quantities
from metrics.facts.orders.receipt_verdicts import accuracy_codes, damage_code, four_cases, timing_codes
from metrics.facts.orders.receipts import (
    compared_parts,
    consignments,
    first_pass_qty,
    has_deliveries,
    receipts,
    settling_receipts,
)
from metrics.facts.orders.returns import has_returns, most_held, returned_per_line
from metrics.facts.orders.tables import GOODS_VERDICTS, NONE, PARTS, RECEIVED_COLUMNS, SEVERAL, order_line_facts_table
from metrics.policy import CODE, CODES, FIRST_UNKNOWN, Policy
from metrics.schema import AMOUNT, EXACT_AMOUNT, QTY
from metrics.sql.dialects import (
    Columns,
    Expression,
    Rows,
    concatenated,
    count_if,
    days_between,
    greater,
    least_code,
    lesser,
    plus_days,
    times,
    typed_null,
)
from metrics.sql.moments import day_bounds, span_of


def judged_lines(header: CTE, policy: Policy, as_of: datetime, mapped: frozenset[str]) -> Rows:
    """Select one row per order line, with the columns of `order_line_facts_table`. header: rows of `orders_placed`."""
    dated = dated_lines(header, policy, as_of, mapped).cte("dated_lines")
    consigned = consignments(dated, policy=policy, as_of=as_of, mapped=mapped).cte("consignments")
    received = receipts(consigned, as_of=as_of, mapped=mapped).cte("receipts")
    back = held = None
    if has_returns(mapped):
        back = returned_per_line(dated, as_of=as_of, mapped=mapped).cte("returned")
        held = most_held(dated, consigned, as_of=as_of).cte("most_held")
    owed = owed_quantities(dated, received, back, held, policy, as_of).cte("owed_lines")
    several = (
        select(owed.c.order_id, owed.c.line_no, owed.c.enough_above)
        .where(owed.c.counted_n > 1, owed.c.counted_qty > owed.c.enough_above)
        .subquery("several_receipts")
    )
    settling = settling_receipts(consigned, several).subquery("settled")
    o = owed.c
    settled_at = func.coalesce(settling.c.settled_at, o.last_counted_at)
    goods_owed = and_(o.order_type == "sale", o.line_kind == "goods", func.coalesce(o.owed_qty > 0, o.in_quarantine))
    tables: FromClause = owed.outerjoin(
        settling, and_(settling.c.order_id == o.order_id, settling.c.line_no == o.line_no)
    )
    tables, settle = span_of(tables, settled_at, false(), o.zone)
    now = literal(as_of, DateTime)
    settled_lines = (
        select(
            *o,
            settled_at.label("settled_at"),
            settle.day.label("settled_day"),
            goods_owed.label("goods_owed"),
            case(
                (~goods_owed, "excluded"),
                (_not_due(o, now), "pending"),
                else_="judged",
            ).label("state"),
        )
        .select_from(tables)
        .cte("settled_lines")
    )
    return _with_verdicts(settled_lines, policy, as_of, mapped)


def _not_due(o: Columns, now: Expression) -> Expression:
    """Return whether a date of the line lies ahead. A line without any date waits until everything owed is received.

    The wait ends with `undated_until` at the latest. A line in quarantine does not wait. Source: P4 (three states).
    """
    waits = and_(~o.in_quarantine, o.undated_until > now, o.counted_qty <= o.enough_above)
    return or_(*[func.coalesce(condition, false()) for condition in (o.deadline_at > now, o.first_due_at > now, waits)])


def _with_verdicts(settled_lines: CTE, policy: Policy, as_of: datetime, mapped: frozenset[str]) -> Rows:
    """Select settled lines with their six verdicts and reasons: the columns of `order_line_facts_table`."""
    cases = select(*settled_lines.c, *four_cases(settled_lines, policy=policy, as_of=as_of)).cte("four_cases")
    lines = _coded(cases, policy, as_of, mapped).cte("coded_lines")
    s = lines.c
    verdicts = _verdicts_and_reasons(s)

    def money(quantity: Expression) -> Expression:
        return cast(times(quantity, s.unit_price_amount), EXACT_AMOUNT)

    def loaded(value: Expression) -> Expression:
        return case((s.in_quarantine, None), else_=value)

    remainder = s.owed_qty - s.counted_qty - s.unproven_qty - s.cancelled_short_qty
    first_pass_full = cast(case((s.first_pass_qty.is_(None), None), else_=s.first_pass_qty > s.enough_above), Boolean)
    values: dict[str, Expression] = verdicts | {
        "channel": s.channel_or_none,
        "fulfilment_model": s.fulfilment_model_or_none,
        "currency": func.coalesce(s.currency, NONE),
        "carrier": one_or_several(s.carrier_first, s.carrier_last),
        "first_pass_full": first_pass_full,
        "back_ordered": cast(
            case(
                (first_pass_full.is_(None), None),
                else_=and_(~first_pass_full, s.sent_later_n > 0, s.sent_qty > s.enough_above),
            ),
            Boolean,
        ),
        "substituted": s.substitute_n > 0,
        "overdue_open": func.coalesce(
            and_(verdicts["complete"].is_(False), s.deadline_at.is_not(None), remainder >= s.half_step), false()
        ),
        "lateness_days": case(
            (and_(s.state == "judged", s.deadline_at.is_not(None)), days_between(s.due_day, s.settled_day)), else_=None
        ),
        "damaged_qty": cast(greater(s.damaged_qty, s.returned_damaged_qty), QTY),
        "ordered_amount": loaded(money(s.ordered_qty)),
        "owed_amount": money(s.owed_qty),
        "filled_amount": money(s.filled_qty),
        "filled_most_amount": money(s.filled_most_qty),
        "first_pass_amount": money(s.first_pass_qty),
        "received_amount": money(s.counted_qty),
        "next_change_at": _next_change(s, as_of),
    }
    if not has_deliveries(mapped):
        values |= {name: typed_null(order_line_facts_table.c[name].type) for name in RECEIVED_COLUMNS}
    chosen = [
        values[column.name].label(column.name)
        if column.name in values
        else s[_TIMELY.get(column.name, column.name)].label(column.name)
        for column in order_line_facts_table.columns
    ]
    return select(*chosen)


_TIMELY = {"in_window_qty": "timely_qty", "in_window_most_qty": "timely_most_qty"}


def _verdicts_and_reasons(s: Columns) -> dict[str, Expression]:
    """Return the verdicts with their reasons, and the parts of `filled_accurately`, from their codes."""
    values: dict[str, Expression] = {}
    pending = s.state == "pending"
    for name in GOODS_VERDICTS:
        is_bill = name == "billed_accurately"
        judged = and_(s.order_type == "sale", s.state != "pending") if is_bill else s.state == "judged"
        values[name], values[f"{name}_reason"] = verdict_of(s[f"{name}_code"], judged=judged, pending=pending)
    for name in PARTS:
        values[name], _ = verdict_of(s[f"{name}_code"], judged=s.state == "judged", pending=pending)
    return values


def _verdict_codes(
    cases: CTE, mapped: frozenset[str], billed: Expression, damage_credits: Expression
) -> dict[str, Expression]:
    """Return the code of each verdict and of the parts of `filled_accurately`, before the quarantine."""
    s = cases.c
    nothing, no_feed = literal(CODE["nothing_received"]), literal(CODE["no_feed"])
    on_time, complete, otif = timing_codes(cases)
    parts, compared = accuracy_codes(cases), compared_parts(mapped)
    accuracy = tuple(parts.values())
    # A test that compares nothing has not passed.
    untested = [] if compared else [no_feed]
    parts |= {name: least_code(parts[name], no_feed) for name in ("item_ok", "place_ok") if name not in compared}
    codes: dict[str, Expression] = {
        "on_time": on_time,
        "complete": complete,
        "otif": otif,
        "damage_free": case((s.received_n == 0, nothing), else_=damage_code(cases, damage_credits)),
        "filled_accurately": case((s.received_n == 0, nothing), else_=least_code(*accuracy, *untested)),
        "billed_accurately": billed,
    }
    codes |= {name: case((s.received_n == 0, nothing), else_=code) for name, code in parts.items()}
    if not has_deliveries(mapped):
        codes |= dict.fromkeys([name for name in codes if name != "billed_accurately"], no_feed)
    return codes


def _coded(cases: CTE, policy: Policy, as_of: datetime, mapped: frozenset[str]) -> Rows:
    """Select lines with the code of each verdict (`<verdict>_code`; null is true) and quantities up to the owed."""
    s = cases.c
    quarantined = literal(CODE["quarantined"])
    tables: FromClause = cases
    money: dict[str, Expression] = {
        "billed_qty": typed_null(QTY),
        "billed_amount": typed_null(AMOUNT),
        "invoice_window_end": typed_null(DateTime()),
    }
    billed: Expression = literal(CODE["no_feed"])
    damage_credits: Expression = literal(0, BigInteger)
    if has_invoices(mapped):
        prepared = _billed_lines(cases, policy, as_of, mapped).cte("billed_lines")
        p = prepared.c
        tables = tables.join(prepared, and_(p.order_id == s.order_id, p.line_no == s.line_no))
        billed, damage_credits = billing_code(prepared, as_of, mapped), p.damage_credit_n
        money = {
            "billed_qty": p.billed_qty,
            # Amounts of two currencies are never added; the money facts convert each document.
            "billed_amount": case((p.other_currency_n == 0, cast(p.invoiced_amount - p.credited_amount, AMOUNT))),
            "invoice_window_end": p.window_end,
        }
    codes = _verdict_codes(cases, mapped, billed, damage_credits)
    tables, goods_quarantined, bill_quarantined, credit_quarantined = _with_quarantine(tables, cases)
    if "invoices.credit_reason" in mapped:
        unseen = and_(codes["damage_free"].is_(None), credit_quarantined)
        codes["damage_free"] = case((unseen, quarantined), else_=codes["damage_free"])
    is_quarantined = {
        name: or_(goods_quarantined, bill_quarantined) if name == "billed_accurately" else goods_quarantined
        for name in codes
    }
    first_pass = case((goods_quarantined, None), else_=first_pass_qty(cases, mapped))

    def up_to_owed(quantity: Expression) -> Expression:
        return cast(lesser(quantity, func.coalesce(s.owed_qty, 0)), QTY)

    return select(
        *s,
        *[case((is_quarantined[name], quarantined), else_=code).label(f"{name}_code") for name, code in codes.items()],
        *[value.label(name) for name, value in money.items()],
        cast(first_pass, QTY).label("first_pass_qty"),
        up_to_owed(s.counted_qty).label("filled_qty"),
        up_to_owed(s.counted_qty + s.unproven_qty).label("filled_most_qty"),
        up_to_owed(s.in_window_qty).label("timely_qty"),
        up_to_owed(s.maybe_in_window_qty + s.maybe_left_in_time_qty).label("timely_most_qty"),
    ).select_from(tables)


def verdict_of(code: Expression, *, judged: Expression, pending: Expression) -> tuple[Expression, Expression]:
    """Return the verdict of a code (true, false, null) and the reason if it is not true."""
    verdict = case((~judged, None), (code.is_(None), true()), (code < FIRST_UNKNOWN, false()), else_=None)
    reason = case((pending, "not_yet_due"), (~judged, None), else_=concatenated(CODES, code))
    return cast(verdict, Boolean), cast(reason, String)


def one_or_several(first: Expression, last: Expression) -> Expression:
    """Return the group's only value, `(several)` or `(none)`, from its smallest and largest value."""
    return case((first.is_(None), NONE), (first == last, first), else_=SEVERAL)


def _billed_lines(lines: CTE, policy: Policy, as_of: datetime, mapped: frozenset[str]) -> Rows:
    """Select order lines with their bills (zeros if none), correct quantities and the end of the invoice window."""
    s = lines.c
    summed = bills(lines, as_of=as_of, mapped=mapped).cte("bills")
    order_settled = (
        select(s.order_id, func.max(s.settled_at).label("settled_at"), func.max(s.settled_day).label("settled_day"))
        .where(s.goods_owed)
        .group_by(s.order_id)
        .having(count_if(s.settled_at.is_(None)) == 0)
        .subquery("order_settled")
    )
    zeros = {name: cast(literal(0), kind) for name, kind in EMPTY_BILL.items()}
    numbers = [
        column.name for column in summed.columns if column.name not in ("order_id", "line_no", "first_billed_at")
    ]
    not_goods = s.line_kind != "goods"
    reference_day = case(
        (not_goods, order_settled.c.settled_day), else_=func.coalesce(s.settled_day, s.last_unproven_day)
    )
    tables: FromClause = lines.outerjoin(
        summed, and_(summed.c.order_id == s.order_id, summed.c.line_no == s.line_no)
    ).outerjoin(order_settled, order_settled.c.order_id == s.order_id)
    tables, _, window_end = day_bounds(tables, plus_days(reference_day, literal(policy.invoice_days, Integer)), s.zone)
    right_qty = case((not_goods, s.owed_qty), else_=s.counted_qty + s.unproven_qty)
    unseen = case((not_goods, order_settled.c.settled_at.is_(None)), else_=and_(s.received_n == 0, s.unproven_n == 0))
    return select(
        s.order_id,
        s.line_no,
        *[func.coalesce(summed.c[name], zeros.get(name, literal(0, BigInteger))).label(name) for name in numbers],
        summed.c.first_billed_at,
        window_end.label("window_end"),
        right_qty.label("right_qty"),
        (false() if has_deliveries(mapped) else ~not_goods).label("no_deliveries"),
        case((not_goods, right_qty), else_=right_qty - s.counted_damaged_qty).label("less_damaged_qty"),
        s.half_step,
        and_(func.coalesce(summed.c.billed_n, 0) == 0, unseen, true() if has_deliveries(mapped) else not_goods).label(
            "nothing"
        ),
    ).select_from(tables)


def _with_quarantine(tables: FromClause, lines: CTE) -> tuple[FromClause, Expression, Expression, Expression]:
    """Join the effects of quarantined records. Return the FROM clause, and flags for goods, bills and credits."""
    s = lines.c
    flags: list[Expression] = []
    for effect in (ALL, BILLS, DAMAGE):
        line, order = (affected(effect, whole=whole) for whole in (False, True))
        tables = tables.outerjoin(line, and_(line.c.order_id == s.order_id, line.c.line_no == s.line_no))
        tables = tables.outerjoin(order, order.c.order_id == s.order_id)
        flags.append(or_(line.c.order_id.is_not(None), order.c.order_id.is_not(None)))
    return tables, flags[0], flags[1], flags[2]


def _next_change(s: Columns, as_of: datetime) -> Expression:
    """Return the next instant after `as_of` at which a verdict can change without new data; null for never.

    An incremental rebuild judges the line again at that instant.
    """
    now = literal(as_of, DateTime)
    far = literal(datetime(9999, 1, 1), DateTime)
    moments = (
        *(s.deadline_at, s.first_due_at, s.undated_until),
        *(s.claims_close_first, s.claims_close_last, s.invoice_window_end),
    )
    soonest = func.least(*[case((moment > now, moment), else_=far) for moment in moments])
    return cast(func.nullif(soonest, far), DateTime)
