"""Orders at an instant, and order lines with their deadline, window, first promise and due day.

Source: docs/rules.md, Terms; R1 (anchor date), R3 (dates and time zones), R4 (windows and tolerances),
R35 (valid on order day).
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import (
    CTE,
    DateTime,
    FromClause,
    Integer,
    Numeric,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    or_,
    select,
)

from metrics.facts.orders.in_quarantine import all_order_lines, all_orders
from metrics.facts.orders.promise_revisions import current_promises, has_revisions, rebased_promises
from metrics.facts.orders.tables import NONE
from metrics.facts.versions import valid_on, versions
from metrics.policy import PIECES, Anchor, Policy, Rebase, Timing
from metrics.schema import customers, products, unit_factors
from metrics.sql.dialects import Columns, Expression, Rows, plus_days, typed_null
from metrics.sql.exchange_rates import join_rate
from metrics.sql.moments import Span, day_bounds, moment_span, shifted, span_of


def orders_placed(as_of: datetime, only: FromClause | None) -> Rows:
    """Select the orders placed by `as_of`, with the customer version of the order's local day.

    Orders that only quarantined records name are included. Source: R34 (impossible dates), R35 (valid on order day).
    """
    tables: FromClause = all_orders()
    o = tables.c
    zone = o.ship_to_time_zone
    if only is not None:
        tables = tables.join(only, only.c.order_id == o.order_id)
    columns = dict(o.items())
    tables, ordered = moment_span(tables, columns, "ordered_at", zone)
    tables, cancelled = moment_span(tables, columns, "cancelled_at", zone)
    version = versions(customers, ("customer_id",), ("name", "service_segment", "region"))
    tables = tables.outerjoin(version, valid_on(version, ordered.day, customer_id=o.customer_id))
    return (
        select(
            *[o[name] for name in ("order_id", "customer_id", "ordered_at", "ordered_at_is_date", "time_zone_assumed")],
            func.coalesce(o.order_type, "sale").label("order_type"),
            *[
                o[name]
                for name in ("bill_to", "payment_terms", "currency", "ship_to", "delivery_term", "special_request")
            ],
            *[o[name] for name in ("cancelled_by", "cancel_reason")],
            *[
                o[f"{name}{flag}"]
                for name in ("requested_from", "requested_by", "promised_from", "promised_by")
                for flag in ("", "_is_date")
            ],
            zone.label("zone"),
            ordered.day.label("ordered_day"),
            cancelled.hi.label("order_cancel_at"),
            func.coalesce(version.c.name, o.customer_id).label("customer_name"),
            func.coalesce(version.c.service_segment, NONE).label("segment"),
            func.coalesce(o.region, version.c.region, NONE).label("region"),
            func.coalesce(o.channel, NONE).label("channel_or_none"),
            func.coalesce(o.fulfilment_model, NONE).label("fulfilment_model_or_none"),
            o.order_in_quarantine,
        )
        .select_from(tables)
        .where(ordered.hi <= literal(as_of, DateTime))
    )


def dated_lines(header: CTE, policy: Policy, as_of: datetime, mapped: frozenset[str]) -> Rows:
    """Select order lines with deadline, window, first promise, due day, and the product version of the order's day.

    `due_day` always follows the first promise under the strict policy. Tolerances and what-ifs therefore never move an
    order to another period.
    """
    lines = _anchored_lines(header, policy, as_of, mapped)
    b = lines.c
    tables, dates = _joined_dates(lines, policy)
    tables, deadline, window_from = _deadline_and_window(tables, b, dates, policy)
    version = versions(products, ("product_id",), ("category", "base_unit", "unit_cost_amount"))
    tables = tables.outerjoin(version, valid_on(version, b.ordered_day, product_id=b.product_id))
    tables, half_step = _half_step(tables, b, version, mapped)
    tables, rate = join_rate(tables, b.currency, b.ordered_day, mapped)
    request, promise = dates.request, dates.promise
    undated = and_(deadline.is_(None), promise.hi.is_(None), request.hi.is_(None))
    last_day = plus_days(b.ordered_day, literal(policy.undated_days, Integer))
    tables, _, undated_until = day_bounds(tables, case((undated, last_day), else_=None), b.zone)
    return select(
        *[b[name] for name in (*_ORDER_COLUMNS, *_LINE_COLUMNS)],
        b.line_cancelled_by,
        b.line_cancel_reason,
        dates.line_cancel.hi.label("line_cancel_at"),
        request.day.label("requested_day"),
        promise.day.label("promised_day"),
        dates.as_made.day.label("first_promised_day"),
        func.coalesce(dates.due.day, request.day, b.ordered_day).label("due_day"),
        request.hi.label("request_at"),
        promise.hi.label("promise_at"),
        func.coalesce(promise.hi, request.hi).label("first_due_at"),
        deadline.label("deadline_at"),
        window_from.label("window_from"),
        undated_until.label("undated_until"),
        func.coalesce(version.c.category, NONE).label("product_category"),
        _unit_name(version.c.base_unit).label("base_unit"),
        version.c.unit_cost_amount,
        rate.label("rate"),
        half_step.label("half_step"),
    ).select_from(tables)


@dataclass(frozen=True)
class _Dates:
    """The dates of an order line as spans in the order's time zone."""

    request: Span
    promise: Span
    as_made: Span
    """The seller's promise as first made, which no revision moves."""
    due: Span
    """The first promise under the strict policy."""
    anchor: Span
    """The date that the policy judges the line by."""
    anchor_column: str
    """The column of `_anchored_lines` that contains the anchor."""
    line_cancel: Span


def _joined_dates(lines: CTE, policy: Policy) -> tuple[FromClause, _Dates]:
    """Join the days of every date of a line. Return the FROM clause and the dates."""
    columns, zone = dict(lines.c.items()), lines.c.zone
    tables, request = moment_span(lines, columns, "requested_by", zone)
    tables, promise = moment_span(tables, columns, "promised_by", zone)
    due = as_made = promise
    if "made_by" in columns:
        tables, as_made = moment_span(tables, columns, "made_by", zone)
    if "due_by" in columns:
        tables, due = moment_span(tables, columns, "due_by", zone)
    anchor_column, anchor = "promised_by", promise
    if policy.anchor is Anchor.REQUESTED:
        anchor_column, anchor = "requested_by", request
    elif "current_by" in columns:
        anchor_column = "current_by"
        tables, anchor = moment_span(tables, columns, anchor_column, zone)
    tables, line_cancel = moment_span(tables, columns, "line_cancelled_at", zone)
    return tables, _Dates(request, promise, as_made, due, anchor, anchor_column, line_cancel)


def _deadline_and_window(
    tables: FromClause, b: Columns, dates: _Dates, policy: Policy
) -> tuple[FromClause, Expression, Expression]:
    """Join the deadline and the start of the window, which is null unless the policy has a window.

    Source: R4 (windows and tolerances).
    """
    tables, deadline = shifted(
        tables,
        dates.anchor,
        b[dates.anchor_column],
        b[f"{dates.anchor_column}_is_date"],
        b.zone,
        days=policy.late_tolerance_days,
        hours=policy.late_tolerance_hours,
        last=True,
    )
    if policy.timing is not Timing.WINDOW:
        return tables, deadline, typed_null(DateTime())
    tables, window_from = _window_from(tables, b, dates.anchor, dates.anchor_column, policy)
    return tables, deadline, window_from


_LINE_COLUMNS = (
    "line_no", "product_id", "line_kind", "ordered_qty", "unit_price_amount", "tax_rate", "cancelled_qty",
    "in_quarantine",
)  # fmt: skip
"""Columns of `order_lines` that keep their names."""
_ORDER_COLUMNS = (
    "order_id", "customer_id", "ordered_at", "ordered_at_is_date", "time_zone_assumed", "order_type", "bill_to",
    "payment_terms", "currency", "ship_to", "delivery_term", "cancelled_by", "cancel_reason", "zone", "ordered_day",
    "order_cancel_at", "customer_name", "segment", "region", "channel_or_none", "fulfilment_model_or_none",
)  # fmt: skip
"""Columns that a line copies from its order."""


def _anchored_lines(header: CTE, policy: Policy, as_of: datetime, mapped: frozenset[str]) -> CTE:
    """Select order lines with their own dates, else their order's, replaced by revisions as the policy requires.

    `made_by` (the promise as first made) and `due_by` exist only if they can differ from `promised_by`, `current_by`
    only if the anchor is the current promise.
    `..._own` is true if the date is not the order's. Source: R1 (anchor date).
    """
    base = _own_dates(header)
    if not has_revisions(mapped):
        return base
    b = base.c
    tables: FromClause = base
    columns: dict[str, Expression] = dict(b.items())

    def revised(name: str, rows: Rows, label: str) -> None:
        nonlocal tables
        revision = rows.subquery(label)
        r = revision.c
        tables = tables.outerjoin(revision, and_(r.order_id == b.order_id, r.line_no == b.line_no))
        there = r.promised_by.is_not(None)
        columns[name] = case((there, r.promised_by), else_=b.promised_by)
        columns[f"{name}_is_date"] = case((there, r.promised_by_is_date), else_=b.promised_by_is_date)
        columns[f"{name}_own"] = or_(there, b.promised_by_own)

    days, hours = policy.late_tolerance_days, policy.late_tolerance_hours
    if policy.rebase is Rebase.BUYER:
        columns |= {"made_by": b.promised_by, "made_by_is_date": b.promised_by_is_date}
        revised("promised_by", rebased_promises(base, days=days, hours=hours, as_of=as_of), "rebased_promises")
    if policy.rebase is Rebase.NONE or days or hours:
        revised("due_by", rebased_promises(base, days=0, hours=Decimal(0), as_of=as_of), "due_promises")
    if policy.anchor is Anchor.CURRENT_PROMISE:
        revised("current_by", current_promises(base, as_of=as_of), "current_promises")
    return select(*[column.label(name) for name, column in columns.items()]).select_from(tables).cte("anchored_lines")


def _own_dates(header: CTE) -> CTE:
    """Select order lines with their own dates, else their order's."""
    lines = all_order_lines()
    body, o = lines.c, header.c
    return (
        select(
            *[
                column
                for name, column in o.items()
                if not name.endswith(("_by", "_by_is_date")) or name == "cancelled_by"
            ],
            *[body[name] for name in _LINE_COLUMNS],
            body.cancelled_by.label("line_cancelled_by"),
            body.cancel_reason.label("line_cancel_reason"),
            body.cancelled_at.label("line_cancelled_at"),
            body.cancelled_at_is_date.label("line_cancelled_at_is_date"),
            *_own_or_order(body, o, "requested_by"),
            *_own_or_order(body, o, "promised_by"),
        )
        .select_from(lines.join(header, o.order_id == body.order_id))
        .cte("order_line_base")
    )


def _own_or_order(body: Columns, o: Columns, name: str) -> tuple[Expression, Expression, Expression]:
    """Return the line's own moment, else the order's; a flag for a bare date; a flag for the line's own moment."""
    own = body[name].is_not(None)
    flag = f"{name}_is_date"
    return (
        case((own, body[name]), else_=o[name]).label(name),
        case((own, body[flag]), else_=o[flag]).label(flag),
        own.label(f"{name}_own"),
    )


def _window_from(
    tables: FromClause, b: Columns, anchor: Span, anchor_column: str, policy: Policy
) -> tuple[FromClause, Expression]:
    """Join the start of the window: the order's `_from`, else the anchor's local day, less the early tolerance."""
    start = "requested_from" if anchor_column == "requested_by" else "promised_from"
    tables, from_day, _ = day_bounds(tables, anchor.day, b.zone)
    own_window = and_(b[start].is_not(None), ~b[f"{anchor_column}_own"])
    value = case((anchor.hi.is_(None), None), (own_window, b[start]), else_=from_day)
    is_date = case((own_window, b[f"{start}_is_date"]), else_=false())
    tables, opening = span_of(tables, value, is_date, b.zone)
    return shifted(
        tables,
        opening,
        value,
        is_date,
        b.zone,
        days=-policy.early_tolerance_days,
        hours=-policy.early_tolerance_hours,
        last=False,
    )


def _unit_name(base_unit: Expression) -> Expression:
    """Return a base unit in one spelling: lower case, every word for pieces as "piece", `(none)` if it is empty."""
    name = func.lower(func.trim(base_unit))
    return case((name.in_(PIECES), PIECES[0]), else_=func.coalesce(func.nullif(name, ""), NONE))


_HALF = Numeric(18, 5)


def _half_step(
    tables: FromClause, b: Columns, product: FromClause, mapped: frozenset[str]
) -> tuple[FromClause, Expression]:
    """Join half the smallest difference that counts in the product's base unit.

    It comes from unit_factors, else from the kind of unit. Source: R11 (equal quantities).
    """
    pieces = func.lower(func.coalesce(product.c.base_unit, "")).in_(PIECES)
    usual = case((pieces, cast(literal("0.5"), _HALF)), else_=cast(literal("0.0005"), _HALF))
    if "unit_factors.rounding_step" not in mapped:
        return tables, usual
    unit = versions(unit_factors, ("product_id", "unit"), ("rounding_step",))
    tables = tables.outerjoin(unit, valid_on(unit, b.ordered_day, product_id=b.product_id, unit=product.c.base_unit))
    given = cast(unit.c.rounding_step * cast(literal("0.5"), Numeric(2, 1)), _HALF)
    return tables, case((unit.c.rounding_step > 0, given), else_=usual)
