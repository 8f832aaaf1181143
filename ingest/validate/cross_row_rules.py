"""Rules about several rows: missing parents, and dates before the order. Portable SQL in the load's transaction.

Each rule is a SELECT of the rows that break it. It covers new rows, and loaded rows whose parents have changed. A row
whose parent is missing waits. Any other row that breaks a rule is rejected.

Source: R12 (unit conversion), R22 (returns), R33 (duplicates and late records), R34 (impossible dates).
"""

from dataclasses import dataclass

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Date,
    FromClause,
    String,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
)

from ingest.mapping.columns import ONLY_LINE
from metrics.schema import FEEDS, fx_rates, invoices, order_lines, orders, shipments
from metrics.sql.dialects import Expression, Rows, local_time, plus_microseconds

A_DAY = 24 * 3600 * 1_000_000
"""Microseconds of a day."""


@dataclass(frozen=True)
class CrossRowRule:
    """A cross-row rule of a feed."""

    name: str
    column: str
    do: str
    broken: Rows
    """file_id, row_no and the wrong value (for a missing parent: the parent's key)."""
    waits_for: str | None = None
    """The feed that a row breaking the rule waits for. None: the row is rejected."""


def rules(feed: str, arrivals: FromClause) -> tuple[CrossRowRule, ...]:
    """Return the rules of a feed over `arrivals`, a table with the feed's columns. Merge parents first."""
    make = _RULES.get(feed)
    return make(arrivals) if make else ()


def _order_lines(rows: FromClause) -> tuple[CrossRowRule, ...]:
    return (
        _parent_rule(
            rows,
            "order_is_known",
            "order_id",
            "orders",
            select(1).where(orders.c.order_id == rows.c.order_id),
            rows.c.order_id,
        ),
    )


def _shipment_lines(rows: FromClause) -> tuple[CrossRowRule, ...]:
    header = select(1).where(shipments.c.shipment_id == rows.c.shipment_id)
    return (
        _parent_rule(rows, "shipment_is_known", "shipment_id", "shipments", header, rows.c.shipment_id),
        _parent_rule(rows, "order_line_is_known", "line_no", "order_lines", _order_line(rows), _line_key(rows)),
        _document_not_before_order(rows, "shipped_at", shipments, "shipment_id"),
        _document_not_before_order(rows, "received_at", shipments, "shipment_id"),
    )


def _invoices(rows: FromClause) -> tuple[CrossRowRule, ...]:
    other = rows.alias("reversed_in_this_run")
    known = select(1).where(invoices.c.invoice_id == rows.c.reverses_invoice_id)
    coming = select(1).where(other.c.invoice_id == rows.c.reverses_invoice_id)
    names_one = rows.c.reverses_invoice_id.is_not(None)
    missing = and_(names_one, not_(known.exists()), not_(coming.exists()))
    do = "The reversed invoice is missing. Send it; this record then loads automatically."
    broken = _select(rows, rows.c.reverses_invoice_id, missing)
    return (CrossRowRule("reversed_invoice_is_known", "reverses_invoice_id", do, broken, "invoices"),)


def _invoice_lines(rows: FromClause) -> tuple[CrossRowRule, ...]:
    header = select(1).where(invoices.c.invoice_id == rows.c.invoice_id)
    names_line = and_(rows.c.order_id.is_not(None), rows.c.line_no.is_not(None))
    several = and_(rows.c.line_no == ONLY_LINE, _order_lines_of(rows).exists())
    half = rows.c.order_id.is_(None) != rows.c.line_no.is_(None)
    return (
        CrossRowRule(
            "order_line_is_named",
            "line_no",
            "The record names an order and no line, or a line and no order. Send both or neither. If an order has one "
            'line, match = "only line" under [invoice_lines] in the mapping finds it.',
            _select(rows, _line_key(rows), half),
        ),
        CrossRowRule(
            "order_has_only_line",
            "line_no",
            "The order has several lines, so the record does not say which one it bills. Send the line number.",
            _select(rows, rows.c.order_id, several),
        ),
        _parent_rule(rows, "invoice_is_known", "invoice_id", "invoices", header, rows.c.invoice_id),
        _parent_rule(
            rows,
            "order_line_is_known",
            "line_no",
            "order_lines",
            _order_line(rows),
            _line_key(rows),
            and_(names_line, ~several),
        ),
        _document_not_before_order(rows, "invoiced_at", invoices, "invoice_id"),
        _negative_is_discount(rows),
    )


def _negative_is_discount(rows: FromClause) -> CrossRowRule:
    """Allow negative quantities and amounts on bills of discount lines, and of no order line (a deduction). R17."""
    names = ("billed_qty", "unit_price_amount", "line_amount", "tax_amount")
    negative = or_(*(rows.c[one] < 0 for one in names))
    same = and_(order_lines.c.order_id == rows.c.order_id, order_lines.c.line_no == rows.c.line_no)
    value = cast(rows.c.line_amount, String).label("value")
    joined = rows.join(order_lines, same)
    broken = (
        select(rows.c.file_id, rows.c.row_no, value)
        .select_from(joined)
        .where(order_lines.c.line_kind != "discount", negative)
    )
    do = (
        "Only bills of discounts are negative. Write line_kind = discount on the order line; "
        "send money paid back as a credit, and returned goods as a return."
    )
    return CrossRowRule("negative_amount_is_discount", "line_amount", do, broken)


def _order_line_is_known(rows: FromClause) -> tuple[CrossRowRule, ...]:
    return (_parent_rule(rows, "order_line_is_known", "line_no", "order_lines", _order_line(rows), _line_key(rows)),)


def _order_is_known(rows: FromClause) -> tuple[CrossRowRule, ...]:
    """Return the rule of rows that may name an order: a named order must exist."""
    known = select(1).where(orders.c.order_id == rows.c.order_id)
    return (
        _parent_rule(
            rows, "order_is_known", "order_id", "orders", known, rows.c.order_id, rows.c.order_id.is_not(None)
        ),
    )


def _holds(rows: FromClause) -> tuple[CrossRowRule, ...]:
    return (*_order_is_known(rows), _not_before_order(rows, "placed_at"))


def _order_events(rows: FromClause) -> tuple[CrossRowRule, ...]:
    # The inquiry precedes the order, and goods may reach the warehouse before anybody orders them.
    after = rows.c.step.not_in([INQUIRY, WAREHOUSE_RECEIPT])
    return (
        *_order_is_known(rows),
        _not_before_order(rows, "started_at", after),
        _not_before_order(rows, "finished_at", after),
    )


def _returns(rows: FromClause) -> tuple[CrossRowRule, ...]:
    return (*_order_line_is_known(rows), _not_before_order(rows, "announced_at"))


def _payments(rows: FromClause) -> tuple[CrossRowRule, ...]:
    # A payment before the invoice or the order is a payment in advance.
    known = select(1).where(invoices.c.invoice_id == rows.c.invoice_id)
    return (_parent_rule(rows, "invoice_is_known", "invoice_id", "invoices", known, rows.c.invoice_id),)


def _quote_options(rows: FromClause) -> tuple[CrossRowRule, ...]:
    quotes = FEEDS["quotes"].table
    known = select(1).where(quotes.c.quote_id == rows.c.quote_id)
    return (_parent_rule(rows, "quote_is_known", "quote_id", "quotes", known, rows.c.quote_id),)


def _unit_factors(rows: FromClause) -> tuple[CrossRowRule, ...]:
    """Reject both of two factors for the same unit and day in one file: R12 (unit conversion)."""
    other = rows.alias("said_too")
    key = FEEDS["unit_factors"].key
    undecided = rows.c.source_updated_at.is_not_distinct_from(other.c.source_updated_at)
    same = and_(
        *(rows.c[one] == other.c[one] for one in key),
        rows.c.file_id == other.c.file_id,
        undecided,
        ~rows.c.deleted,
        ~other.c.deleted,
    )
    parts = (rows.c[one].is_distinct_from(other.c[one]) for one in ("factor", "numerator", "denominator"))
    contradicted = select(1).where(same, or_(*parts)).exists()
    do = "The file has another factor for this unit, valid from the same day. Send only the correct factor."
    return (CrossRowRule("factor_is_single", "factor", do, _select(rows, cast(rows.c.factor, String), contradicted)),)


def _fx_rates(rows: FromClause) -> tuple[CrossRowRule, ...]:
    """Allow one reporting currency: the loaded one, or else the one of the first row."""
    earliest = rows.alias("earliest")
    first = (
        select(earliest.c.reporting_currency).order_by(earliest.c.file_id, earliest.c.row_no).limit(1).scalar_subquery()
    )
    loaded = select(func.min(fx_rates.c.reporting_currency)).where(~fx_rates.c.deleted).scalar_subquery()
    other = and_(rows.c.reporting_currency != func.coalesce(loaded, first), ~rows.c.deleted)
    do = (
        "The other rates use another reporting currency. Send this rate in that currency, "
        "or first withdraw the other rates (deleted = true)."
    )
    return (
        CrossRowRule(
            "reporting_currency_is_single", "reporting_currency", do, _select(rows, rows.c.reporting_currency, other)
        ),
    )


INQUIRY, WAREHOUSE_RECEIPT = 1, 8
"""Steps of order_events that may precede the order."""

_RULES = {
    "unit_factors": _unit_factors,
    "fx_rates": _fx_rates,
    "order_lines": _order_lines,
    "shipment_lines": _shipment_lines,
    "invoices": _invoices,
    "invoice_lines": _invoice_lines,
    "promises": _order_line_is_known,
    "holds": _holds,
    "order_events": _order_events,
    "payments": _payments,
    "quotes": _order_is_known,
    "quote_options": _quote_options,
    "messages": _order_is_known,
    "service_cases": _order_is_known,
    "returns": _returns,
    "service_costs": _order_is_known,
}


def _select(rows: FromClause, value: ColumnElement[str], condition: ColumnElement[bool]) -> Rows:
    return select(rows.c.file_id, rows.c.row_no, value.label("value")).where(condition)


def _order_line(rows: FromClause) -> Rows:
    return select(literal(1)).where(order_lines.c.order_id == rows.c.order_id, order_lines.c.line_no == rows.c.line_no)


def _order_lines_of(rows: FromClause) -> Rows:
    return select(literal(1)).where(order_lines.c.order_id == rows.c.order_id, ~order_lines.c.deleted)


def with_only_lines(rows: FromClause) -> FromClause:
    """Return the rows with the line number of the only line of their order, where they ask for it and there is one."""
    line = order_lines.c
    only = (
        select(line.order_id, func.min(line.line_no).label("line_no"))
        .where(~line.deleted)
        .group_by(line.order_id)
        .having(func.count() == 1)
        .subquery("only_lines")
    )
    asked = and_(rows.c.line_no == ONLY_LINE, only.c.line_no.is_not(None))
    columns = [
        case((asked, only.c.line_no), else_=column).label("line_no") if column.name == "line_no" else column
        for column in rows.c
    ]
    return select(*columns).select_from(rows.outerjoin(only, only.c.order_id == rows.c.order_id)).subquery("matched")


def _line_key(rows: FromClause) -> ColumnElement[str]:
    return func.coalesce(rows.c.order_id, "") + literal(" / ") + func.coalesce(rows.c.line_no, "")


def _parent_rule(
    rows: FromClause,
    name: str,
    column: str,
    parent: str,
    exists: Rows,
    value: ColumnElement[str],
    only: ColumnElement[bool] | None = None,
) -> CrossRowRule:
    missing = not_(exists.exists())
    condition = missing if only is None else and_(only, missing)
    do = f"The {parent} record it belongs to is missing. Send that record; this one then loads automatically."
    return CrossRowRule(name, column, do, _select(rows, value, condition), parent)


def _document_not_before_order(rows: FromClause, moment: str, header: FromClause, key: str) -> CrossRowRule:
    value, is_date = header.c[moment], header.c[f"{moment}_is_date"]
    early = is_before(value, is_date, orders.c.ordered_at, orders.c.ordered_at_is_date, orders.c.ship_to_time_zone)
    joined = rows.join(header, header.c[key] == rows.c[key]).join(orders, orders.c.order_id == rows.c.order_id)
    broken = select(rows.c.file_id, rows.c.row_no, cast(value, String).label("value")).select_from(joined).where(early)
    do = f"{moment} of the document is before ordered_at of the order. Correct one of the two dates and send it again."
    return CrossRowRule(f"{moment}_not_before_ordered_at", moment, do, broken)


def _not_before_order(rows: FromClause, moment: str, only: ColumnElement[bool] | None = None) -> CrossRowRule:
    value, is_date = rows.c[moment], rows.c[f"{moment}_is_date"]
    early = is_before(value, is_date, orders.c.ordered_at, orders.c.ordered_at_is_date, orders.c.ship_to_time_zone)
    joined = rows.join(orders, orders.c.order_id == rows.c.order_id)
    condition = early if only is None else and_(only, early)
    broken = (
        select(rows.c.file_id, rows.c.row_no, cast(value, String).label("value")).select_from(joined).where(condition)
    )
    do = f"{moment} is before ordered_at of the order. Correct one of the two dates and send it again."
    return CrossRowRule(f"{moment}_not_before_ordered_at", moment, do, broken)


def is_before(
    later: Expression,
    later_is_date: Expression,
    earlier: Expression,
    earlier_is_date: Expression,
    zone: Expression,
) -> ColumnElement[bool]:
    """Return the condition that `later` is before `earlier`.

    Two bare dates or two instants are compared exactly. A bare date is compared with the local day of an instant in
    `zone`.
    """
    # No zone differs from UTC by a day, so that hardly any row needs its local time. As a condition of its own, the
    # comparison would become the join of the two tables.
    return case(
        (later >= plus_microseconds(earlier, literal(A_DAY, BigInteger)), false()),
        (later_is_date == earlier_is_date, later < earlier),
        (later_is_date, cast(later, Date) < cast(local_time(earlier, zone), Date)),
        else_=cast(local_time(later, zone), Date) < cast(earlier, Date),
    )
