"""Evidence to judge service packages: sums per customer and package for each row of Table 8-1.

An order belongs to the package of its customer's segment on the day of the order. Source: docs/rules.md, service
packages; R35 (valid on order day).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import (
    Connection,
    Date,
    and_,
    case,
    cast,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
)

from metrics.facts.money.table import money_facts_table
from metrics.facts.orders import order_facts_table, order_line_facts_table
from metrics.facts.service_cases import case_facts_table
from metrics.facts.versions import valid_on, versions
from metrics.measures.customer_zones import in_period
from metrics.measures.package_terms import WINDOWS, Package, package_number, packages
from metrics.schema import customers, invoices, order_lines, orders, shipment_lines, shipments
from metrics.sql.dialects import Expression, count_if, period_start, seconds_between, sum_if
from metrics.warehouse.query_cache import cached_per_generation

HOUR_MICROSECONDS = 3600


@dataclass(frozen=True)
class Evidence:
    """The evidence of one customer under one package in a period: counts of orders unless named otherwise, known and
    unknown.
    """

    received_qty: Decimal = Decimal(0)
    defect_qty: Decimal = Decimal(0)
    defect_unknown_qty: Decimal = Decimal(0)
    base_units: Counter[str] = field(default_factory=Counter)
    filled: int = 0
    fill_unknown: int = 0
    fill_orders: int = 0
    cycle_days: Counter[int] = field(default_factory=Counter)
    in_window: Counter[str] = field(default_factory=Counter)
    hour_unknown: int = 0
    requested: int = 0
    terms: Counter[str | None] = field(default_factory=Counter)
    cases: int = 0
    acknowledged: int = 0
    acknowledged_with_rep: int = 0

    def __add__(self, other: "Evidence") -> "Evidence":
        """Add two pieces of evidence."""
        return Evidence(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


Cell = tuple[str, Package]
"""A customer and their package."""


@dataclass(frozen=True)
class Span:
    """Days from `start` to `end`; None leaves an end open.

    grain: the day, week, month or quarter to split by. None: no split.
    """

    start: date | None = None
    end: date | None = None
    grain: str | None = None

    def holds(self, day: Expression) -> list[Expression]:
        """Return the conditions that a day lies in the period."""
        return in_period(day, self.start, self.end)

    def period(self, day: Expression) -> Expression:
        """Return the first day of a day's period as a column; null without a grain."""
        first_day = cast(null(), Date) if self.grain is None else period_start(literal_column(f"'{self.grain}'"), day)
        return first_day.label("period")


def evidence(connection: Connection, start: date | None = None, end: date | None = None) -> dict[Cell, Evidence]:
    """Return the evidence of every customer in the period; each sum uses its measure's own day."""
    return evidence_by_period(connection, Span(start, end)).get(None, {})


@cached_per_generation
def evidence_by_period(connection: Connection, span: Span) -> dict[date | None, dict[Cell, Evidence]]:
    """Return the evidence of each period, by its first day. The result equals a separate query of each period."""
    listed = packages(connection)
    gathered: dict[date | None, dict[tuple[str, int], dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for query in (_quality, _fill, _lead_time, _delivery, _terms, _support):
        for customer_id, number, period, what in query(connection, listed, span):
            cell = gathered[period][customer_id, number]
            for name, value in what.items():  # adding up `Evidence` objects took half of the time
                if isinstance(value, dict):
                    cell.setdefault(name, Counter()).update(value)
                else:
                    cell[name] = value
    return {
        period: {(customer_id, listed[number]): Evidence(**cell) for (customer_id, number), cell in cells.items()}
        for period, cells in gathered.items()
    }


_Found = Iterable[tuple[str, int, date | None, dict[str, Any]]]
"""Customer, place of the package, period, and the fields of Evidence that a query returns. Counts by days or terms come
in parts; all others come once.
"""


def _quality(connection: Connection, listed: Sequence[Package], span: Span) -> _Found:
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
    rows = inner.where(among, *span.holds(line.due_day)).subquery()
    r = rows.c
    sums = (
        sum_if(r.received_qty > 0, r.received_qty),
        sum_if(r.defects, r.damaged_qty),
        sum_if(r.unknown, r.received_qty),
        func.min(r.base_unit),
        func.max(r.base_unit),
    )
    for customer_id, place, period, received, damaged, not_known, first, last in _grouped(connection, rows, sums):
        yield (
            customer_id,
            place,
            period,
            {
                "received_qty": Decimal(received),
                "defect_qty": Decimal(damaged),
                "defect_unknown_qty": Decimal(not_known),
                "base_units": {first: 1, last: 1},
            },
        )


def _grouped(connection: Connection, rows: Any, sums: Sequence[Expression], *keys: Expression) -> Iterator[Any]:
    """Return the sums per customer, package and period of rows that have a package."""
    r = rows.c
    by = (r.customer_id, r.number, r.period, *keys)
    asked = select(*by, *sums).where(r.number.is_not(None)).group_by(*by)
    yield from connection.execute(asked)


def _fill(connection: Connection, listed: Sequence[Package], span: Span) -> _Found:
    """Return judged orders, and those filled at first pass."""
    o = order_facts_table.c
    number = package_number(listed, o.segment, o.ordered_day).label("number")
    asked = select(o.customer_id, number, span.period(o.due_day), o.first_pass_full)
    rows = asked.where(o.state == "judged", *span.holds(o.due_day)).subquery()
    full = rows.c.first_pass_full
    sums = (count_if(full.is_(True)), count_if(full.is_(None)), func.count())
    for customer_id, place, period, filled, unknown, n in _grouped(connection, rows, sums):
        yield customer_id, place, period, {"filled": filled, "fill_unknown": unknown, "fill_orders": n}


def _lead_time(connection: Connection, listed: Sequence[Package], span: Span) -> _Found:
    """Return orders by their cycle time in days."""
    o = order_facts_table.c
    number = package_number(listed, o.segment, o.ordered_day).label("number")
    asked = select(o.customer_id, number, span.period(o.arrived_day), o.cycle_days)
    rows = asked.where(o.cycle_days.is_not(None), *span.holds(o.arrived_day)).subquery()
    for customer_id, place, period, days, n in _grouped(connection, rows, (func.count(),), rows.c.cycle_days):
        yield customer_id, place, period, {"cycle_days": {int(days): n}}


def _delivery(connection: Connection, listed: Sequence[Package], span: Span) -> _Found:
    """Return arrived orders with a requested time: settled within an hour of it, on its day, or in its week.

    An order passes if all its lines pass.
    """
    o, line, body = order_facts_table.c, order_line_facts_table.c, order_lines.c
    by_date = _received_by_date()
    asked_by_date = case(
        (body.requested_by.is_not(None), body.requested_by_is_date), else_=orders.c.requested_by_is_date
    )
    hour_unknown = or_(func.coalesce(asked_by_date, false()), by_date.c.order_id.is_not(None))
    apart = seconds_between(line.request_at, line.settled_at)
    week: Expression = literal_column("'week'")
    asked = and_(line.line_kind == "goods", line.state != "excluded", line.request_at.is_not(None))
    tables = (
        order_line_facts_table.join(order_lines, and_(body.order_id == line.order_id, body.line_no == line.line_no))
        .join(orders, orders.c.order_id == line.order_id)
        .outerjoin(by_date, and_(by_date.c.order_id == line.order_id, by_date.c.line_no == line.line_no))
    )
    lines = (
        select(
            line.order_id,
            func.count().label("lines"),
            count_if(hour_unknown).label("hour_unknown"),
            count_if(and_(~hour_unknown, apart <= HOUR_MICROSECONDS, apart >= -HOUR_MICROSECONDS)).label("hour"),
            count_if(line.settled_day == line.requested_day).label("day"),
            count_if(period_start(week, line.settled_day) == period_start(week, line.requested_day)).label("week"),
        )
        .select_from(tables)
        .where(asked)
        .group_by(line.order_id)
        .subquery("asked_lines")
    )
    number = package_number(listed, o.segment, o.ordered_day).label("number")
    rows = (
        select(o.customer_id, number, span.period(o.arrived_day), *[c for c in lines.c if c.name != "order_id"])
        .join(lines, lines.c.order_id == o.order_id)
        .where(o.order_type == "sale", *span.holds(o.arrived_day))
        .subquery()
    )
    r = rows.c
    # A line certainly outside the hour fails its order. Otherwise an unknown line makes the order unknown.
    not_known = and_(r.hour < r.lines, r.hour + r.hour_unknown == r.lines)
    sums = (func.count(), count_if(not_known), *[count_if(r[window] == r.lines) for window in WINDOWS])
    for customer_id, place, period, n, unknown, hour, day, week_ in _grouped(connection, rows, sums):
        yield (
            customer_id,
            place,
            period,
            {"requested": n, "hour_unknown": unknown, "in_window": {"hour": hour, "day": day, "week": week_}},
        )


def _received_by_date() -> Any:
    """Return order lines with a receipt as a bare date, whose hour is unknown."""
    s, body = shipments.c, shipment_lines.c
    return (
        select(body.order_id, body.line_no)
        .join(shipments, and_(s.shipment_id == body.shipment_id, ~s.deleted))
        .where(~body.deleted, s.received_at_is_date)
        .distinct()
        .subquery("received_by_date")
    )


def _terms(connection: Connection, listed: Sequence[Package], span: Span) -> _Found:
    """Return invoices by payment terms. An invoice for several orders counts once for each package."""
    m, o = money_facts_table.c, order_facts_table.c
    number = package_number(listed, o.segment, o.ordered_day).label("number")
    terms = func.lower(func.trim(invoices.c.payment_terms)).label("terms")
    tables = money_facts_table.join(invoices, and_(invoices.c.invoice_id == m.document_id, ~invoices.c.deleted)).join(
        order_facts_table, o.order_id == m.order_id
    )
    rows = (
        select(o.customer_id, number, span.period(m.day), m.document_id, terms)
        .select_from(tables)
        .where(m.kind == "net_sales", m.source == "invoice", *span.holds(m.day))
        .distinct()
        .subquery()
    )
    for customer_id, place, period, written, n in _grouped(connection, rows, (func.count(),), rows.c.terms):
        yield customer_id, place, period, {"terms": {written: n}}


def _support(connection: Connection, listed: Sequence[Package], span: Span) -> _Found:
    """Return cases opened, cases acknowledged, and of these the cases of customers with a dedicated representative."""
    c = case_facts_table.c
    version = versions(customers, ("customer_id",), ("account_manager",))
    number = package_number(listed, c.segment, c.opened_day).label("number")
    rows = (
        select(c.customer_id, number, span.period(c.opened_day), c.acknowledged_at, version.c.account_manager)
        .select_from(case_facts_table.outerjoin(version, valid_on(version, c.opened_day, customer_id=c.customer_id)))
        .where(*span.holds(c.opened_day))
        .subquery()
    )
    r = rows.c
    answered = r.acknowledged_at.is_not(None)
    sums = (func.count(), count_if(answered), count_if(and_(answered, r.account_manager.is_not(None))))
    for customer_id, place, period, n, acknowledged, with_rep in _grouped(connection, rows, sums):
        yield customer_id, place, period, {"cases": n, "acknowledged": acknowledged, "acknowledged_with_rep": with_rep}
