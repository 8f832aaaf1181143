"""The rows that are evidence for each row of Table 8-1, by package row, and their sums.

An order belongs to the package of its customer's segment on the day of the order. Source: docs/rules.md, service
packages; R35 (valid on order day).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Date,
    Integer,
    Subquery,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
)
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.service_cases import case_facts_table
from metrics.facts.versions import valid_on, versions
from metrics.measures.customer_zones import in_period
from metrics.measures.package_terms import (
    DELIVERY,
    FILL,
    LEAD_TIME,
    QUALITY,
    SUPPORT,
    TERMS,
    WINDOWS,
    Package,
    package_number,
    written_terms,
)
from metrics.schema import customers, invoices, order_lines, orders, shipment_lines, shipments
from metrics.sql.dialects import Expression, count_if, period_start, seconds_between, sum_if

HOUR_SECONDS = 3600

OTHER_TERMS = ""
"""Payment terms other than those of the own package."""


@dataclass(frozen=True)
class Span:
    """Days from `start` to `end`; None leaves an end open.

    grain: the day, week, month or quarter to split by. None: no split. customers: only these. None: all.
    """

    start: date | None = None
    end: date | None = None
    grain: str | None = None
    customers: tuple[str, ...] | None = None

    def holds(self, day: Expression) -> list[Expression]:
        """Return the conditions that a day lies in the period."""
        return in_period(day, self.start, self.end)

    def of_customers(self, customer_id: Expression) -> list[Expression]:
        """Return the condition that a row is of the customers of the span."""
        return [] if self.customers is None else [customer_id.in_(self.customers)]

    def period(self, day: Expression) -> Expression:
        """Return the first day of a day's period as a column; null without a grain."""
        first_day = cast(null(), Date) if self.grain is None else period_start(literal_column(f"'{self.grain}'"), day)
        return first_day.label("period")


Columns = ReadOnlyColumnCollection[str, Any]
Fields = dict[str, Any]


@dataclass(frozen=True)
class Source:
    """The rows that are the evidence of a package row, and their sums.

    rows: a SELECT with `customer_id`, `number` (the place of the package), `period` and further columns. fields: the
    fields of Evidence that the sums give. spread_over: a column that the sums are also grouped by, because each
    package has another limit; counts then come in parts. own_sums and own_fields: the same with the limit of the own
    package, in one part.
    """

    rows: Callable[[Sequence[Package], Span], Subquery]
    sums: Callable[[Columns], tuple[Expression, ...]]
    fields: Callable[..., Fields]
    spread_over: str | None = None
    own_sums: Callable[[Columns, Sequence[Package]], tuple[Expression, ...]] | None = None
    own_fields: Callable[..., Fields] | None = None


def _received_lines(listed: Sequence[Package], span: Span) -> Subquery:
    """Return goods received, and goods damaged or returned for damage or defect.

    The amount is unknown without evidence, and for damage without a quantity.
    """
    line = order_line_facts_table.c
    among = and_(line.line_kind == "goods", line.state != "excluded", func.coalesce(line.received_qty > 0, false()))
    defects = func.coalesce(line.damaged_qty > 0, false())
    unknown = and_(~defects, or_(line.damage_free.is_(None), line.damage_free.is_(False)))
    number = package_number(listed, line.segment, line.ordered_day)
    keys = (line.customer_id, number.label("number"), span.period(line.due_day))
    flags = (defects.label("defects"), unknown.label("unknown"))
    inner = select(*keys, line.received_qty, line.damaged_qty, line.base_unit, *flags)
    return inner.where(among, *span.holds(line.due_day), *span.of_customers(line.customer_id)).subquery()


def _quality_sums(r: Columns) -> tuple[Expression, ...]:
    return (
        sum_if(r.received_qty > 0, r.received_qty),
        sum_if(r.defects, r.damaged_qty),
        sum_if(r.unknown, r.received_qty),
        func.min(r.base_unit),
        func.max(r.base_unit),
    )


def _quality_fields(received: Any, damaged: Any, not_known: Any, first: str, last: str) -> Fields:
    return {
        "received_qty": Decimal(received),
        "defect_qty": Decimal(damaged),
        "defect_unknown_qty": Decimal(not_known),
        "base_units": {first: 1, last: 1},
    }


def _own_quality_sums(r: Columns, _: Sequence[Package]) -> tuple[Expression, ...]:
    """Return the sums, and 1 if the goods have several base units.

    Goods without a known or possible defect count as one unit, so that they are the same evidence in any quantity.
    """
    received, damaged, not_known, first, last = _quality_sums(r)
    is_clean = and_(damaged == 0, not_known == 0, received > 0)
    quantity = case((is_clean, cast(literal(1, Integer), received.type)), else_=received)
    return quantity, damaged, not_known, case((first != last, literal(1, Integer)), else_=literal(0, Integer))


def _own_quality_fields(_: Package, received: Any, damaged: Any, not_known: Any, has_several_units: int) -> Fields:
    return _quality_fields(received, damaged, not_known, "one", "other" if has_several_units else "one")


def _judged_orders(listed: Sequence[Package], span: Span) -> Subquery:
    """Return judged orders, and if they were filled at first pass."""
    o = order_facts_table.c
    number = package_number(listed, o.segment, o.ordered_day).label("number")
    asked = select(o.customer_id, number, span.period(o.due_day), o.first_pass_full)
    return asked.where(o.state == "judged", *span.holds(o.due_day), *span.of_customers(o.customer_id)).subquery()


def _fill_sums(r: Columns) -> tuple[Expression, ...]:
    full = r.first_pass_full
    return count_if(full.is_(True)), count_if(full.is_(None)), func.count()


def _arrived_orders(listed: Sequence[Package], span: Span) -> Subquery:
    """Return orders with their cycle time in days."""
    o = order_facts_table.c
    number = package_number(listed, o.segment, o.ordered_day).label("number")
    asked = select(o.customer_id, number, span.period(o.arrived_day), o.cycle_days)
    return asked.where(
        o.cycle_days.is_not(None), *span.holds(o.arrived_day), *span.of_customers(o.customer_id)
    ).subquery()


def _own(r: Columns, listed: Sequence[Package], term: str) -> Expression | None:
    """Return a term of each row's package; None if no package has it."""
    found = {place: getattr(package, term) for place, package in enumerate(listed)}
    named = {place: literal(value) for place, value in found.items() if value is not None}
    return case(named, value=r.number) if named else None


def _lead_time_sums(r: Columns, listed: Sequence[Package]) -> tuple[Expression, ...]:
    limit = _own(r, listed, "lead_time_days_max")
    return func.count(), count_if(false() if limit is None else r.cycle_days <= limit)


def _lead_time_fields(package: Package, n: int, within: int) -> Fields:
    limit = package.lead_time_days_max or 0
    return {"cycle_days": Counter({limit: within, limit + 1: n - within})}


def _requested_orders(listed: Sequence[Package], span: Span) -> Subquery:
    """Return arrived orders with a requested time: their lines, and those settled within an hour of it, on its day, or
    in its week.
    """
    o, line, body = order_facts_table.c, order_line_facts_table.c, order_lines.c
    arrived = (o.order_type == "sale", *span.holds(o.arrived_day), *span.of_customers(o.customer_id))
    by_date = _received_by_date(arrived)
    asked_by_date = case(
        (body.requested_by.is_not(None), body.requested_by_is_date), else_=orders.c.requested_by_is_date
    )
    hour_unknown = or_(func.coalesce(asked_by_date, false()), by_date.c.order_id.is_not(None))
    apart = seconds_between(line.request_at, line.settled_at)
    week: Expression = literal_column("'week'")
    asked = and_(line.line_kind == "goods", line.state != "excluded", line.request_at.is_not(None))
    tables = (  # DuckDB starts with the orders, which are few
        order_facts_table.join(order_line_facts_table, line.order_id == o.order_id)
        .join(order_lines, and_(body.order_id == line.order_id, body.line_no == line.line_no))
        .join(orders, orders.c.order_id == line.order_id)
        .outerjoin(by_date, and_(by_date.c.order_id == line.order_id, by_date.c.line_no == line.line_no))
    )
    lines = (
        select(
            line.order_id,
            func.count().label("lines"),
            count_if(hour_unknown).label("hour_unknown"),
            count_if(and_(~hour_unknown, apart <= HOUR_SECONDS, apart >= -HOUR_SECONDS)).label("hour"),
            count_if(line.settled_day == line.requested_day).label("day"),
            count_if(period_start(week, line.settled_day) == period_start(week, line.requested_day)).label("week"),
        )
        .select_from(tables)
        .where(asked, *arrived)
        .group_by(line.order_id)
        .subquery("asked_lines")
    )
    number = package_number(listed, o.segment, o.ordered_day).label("number")
    return (
        select(o.customer_id, number, span.period(o.arrived_day), *[c for c in lines.c if c.name != "order_id"])
        .join(lines, lines.c.order_id == o.order_id)
        .where(*arrived)
        .subquery()
    )


def _delivery_sums(r: Columns) -> tuple[Expression, ...]:
    """Count orders. An order passes if all its lines pass.

    A line certainly outside the hour fails its order. Otherwise an unknown line makes the order unknown.
    """
    not_known = and_(r.hour < r.lines, r.hour + r.hour_unknown == r.lines)
    return func.count(), count_if(not_known), *[count_if(r[window] == r.lines) for window in WINDOWS]


def _delivery_fields(n: int, unknown: int, hour: int, day: int, week: int) -> Fields:
    return {"requested": n, "hour_unknown": unknown, "in_window": Counter({"hour": hour, "day": day, "week": week})}


def _received_by_date(arrived: Sequence[Expression]) -> Any:
    """Return lines of these orders with a receipt as a bare date, whose hour is unknown."""
    s, body = shipments.c, shipment_lines.c
    return (
        select(body.order_id, body.line_no)
        .join(shipments, and_(s.shipment_id == body.shipment_id, ~s.deleted))
        .where(
            ~body.deleted,
            s.received_at_is_date,
            body.order_id.in_(select(order_facts_table.c.order_id).where(*arrived)),
        )
        .distinct()
        .subquery("received_by_date")
    )


def _invoices(listed: Sequence[Package], span: Span) -> Subquery:
    """Return invoices with their payment terms. An invoice for several orders counts once for each package."""
    m, o = money_facts_table.c, order_facts_table.c
    number = package_number(listed, o.segment, o.ordered_day).label("number")
    terms = func.lower(func.trim(invoices.c.payment_terms)).label("terms")
    tables = money_facts_table.join(invoices, and_(invoices.c.invoice_id == m.document_id, ~invoices.c.deleted)).join(
        order_facts_table, o.order_id == m.order_id
    )
    return (
        select(o.customer_id, number, span.period(m.day), m.document_id, terms)
        .select_from(tables)
        .where(m.kind == "net_sales", m.source == "invoice", *span.holds(m.day), *span.of_customers(o.customer_id))
        .distinct()
        .subquery()
    )


def _terms_sums(r: Columns, listed: Sequence[Package]) -> tuple[Expression, ...]:
    terms = {place: written_terms(package) for place, package in enumerate(listed)}
    named = {place: literal(written) for place, written in terms.items() if written is not None}
    right = r.terms == case(named, value=r.number) if named else false()
    return func.count(), count_if(right), count_if(r.terms.is_(None))


def _terms_fields(package: Package, n: int, right: int, unknown: int) -> Fields:
    counts = Counter({None: unknown, OTHER_TERMS: n - right - unknown})
    return {"terms": counts + Counter({written_terms(package): right})}


def _cases(listed: Sequence[Package], span: Span) -> Subquery:
    """Return cases opened, with the time of their acknowledgement and the customer's representative."""
    c = case_facts_table.c
    version = versions(customers, ("customer_id",), ("account_manager",))
    number = package_number(listed, c.segment, c.opened_day).label("number")
    return (
        select(c.customer_id, number, span.period(c.opened_day), c.acknowledged_at, version.c.account_manager)
        .select_from(case_facts_table.outerjoin(version, valid_on(version, c.opened_day, customer_id=c.customer_id)))
        .where(*span.holds(c.opened_day), *span.of_customers(c.customer_id))
        .subquery()
    )


def _support_sums(r: Columns) -> tuple[Expression, ...]:
    answered = r.acknowledged_at.is_not(None)
    return func.count(), count_if(answered), count_if(and_(answered, r.account_manager.is_not(None)))


def _fields(*names: str) -> Callable[..., Fields]:
    return lambda *values: dict(zip(names, values, strict=True))


SOURCES = {
    QUALITY: Source(
        _received_lines, _quality_sums, _quality_fields, own_sums=_own_quality_sums, own_fields=_own_quality_fields
    ),
    FILL: Source(_judged_orders, _fill_sums, _fields("filled", "fill_unknown", "fill_orders")),
    LEAD_TIME: Source(
        _arrived_orders,
        lambda _: (func.count(),),
        lambda days, n: {"cycle_days": {int(days): n}},
        "cycle_days",
        _lead_time_sums,
        _lead_time_fields,
    ),
    DELIVERY: Source(_requested_orders, _delivery_sums, _delivery_fields),
    TERMS: Source(
        _invoices,
        lambda _: (func.count(),),
        lambda terms, n: {"terms": {terms: n}},
        "terms",
        _terms_sums,
        _terms_fields,
    ),
    SUPPORT: Source(_cases, _support_sums, _fields("cases", "acknowledged", "acknowledged_with_rep")),
}
"""The evidence of each package row."""
