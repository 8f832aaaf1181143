"""One row: one movement of money: a billed or credited line, its product cost, or a cost of serving.

Three kinds, each positive in the ordinary case. `net_sales`: invoices less credits less reversals of goods and service lines, without tax and without
lines that name no order line (R24). `product_cost`: the net billed quantity of that line times the unit cost of the order's day (R35).
`cost_to_serve`: service costs, freight of consignments and costs of cases, the last two only for orders that no service cost charges with it.

`amount` is in the reporting currency at the rate of the movement's day (R25), null where there is none: such rows are left out of every sum, counted
and shown. A unit cost has no currency of its own: it is in the reporting currency. Freight of a consignment that carries several orders is shared by
the quantity shipped for each, in base units; the parts add up to the whole to the last digit. Source: rules R24, R25, R35, section 4 (e).
"""

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

from sqlalchemy import (
    CTE,
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
    select,
    true,
    union,
    union_all,
    values,
)
from sqlalchemy import column as sql_column

from metrics.facts import DIMENSION_COLUMNS, NONE, order_facts_table, order_line_facts_table
from metrics.facts.dating import applies, versions
from metrics.ledgers.ledger import Changed, Ledger, Setting, ledger_table, within
from metrics.moments import day_bounds, moment_span
from metrics.rates import with_rate
from metrics.schema import AMOUNT, QTY, customers, invoice_lines, invoices, orders, service_cases, service_costs, shipment_lines, shipments
from metrics.sqltools import Expression, plus_days, plus_microseconds, times, typed_null

FREIGHT, CASE = "freight", "case"
"""The activities that a consignment and a case stand for, where no service cost names them."""
SHARES_A_SELECT = 2000
STEP = Decimal("0.0001")
"""What an amount is kept to."""

money_facts = ledger_table(
    "money_facts",
    "movement",
    "one row: one movement of money",
    Column("kind", String, comment="net_sales, product_cost or cost_to_serve"),
    Column("activity", String, comment="what was done, of a cost to serve; else (none)"),
    Column("source", String, comment="invoice, credit, reversal, service_cost, freight or case"),
    Column("document_id", String, comment="the invoice, service cost, shipment or case"),
    Column("order_id", String, comment="the order it belongs to; empty: the customer as a whole"),
    Column("line_no", String, comment="the order line billed"),
    Column("day", Date, comment="local day of the document or cost"),
    Column("cohort_day", Date, comment="local day the order was placed; without an order `day`"),
    Column("amount", AMOUNT, comment="in the reporting currency; empty: no rate (net_sales, cost_to_serve), no unit cost (product_cost)"),
    Column("original_amount", AMOUNT, comment="in `currency`"),
    Column("quantity", QTY, comment="net billed, of net_sales and product_cost"),
    Column("cost_known", Boolean, comment="of net_sales: whether its product cost is known (services need none)"),
    Column("stands_for_document", Boolean, comment="true on one row of each document, to count documents by"),
    Column("customer_id", String),
    Column("currency", String),
)
m = money_facts.c


def rows(connection: Connection, setting: Setting) -> Sequence[Select[Any]]:
    """The SELECTs of all movements by `as_of`."""
    billed = _billed(setting).cte("billed")
    made = [_net_sales(billed, setting), _product_cost(billed, setting), _service_costs(setting), _cases(setting)]
    if "shipments.freight_amount" in setting.mapped:
        made += [_freight(carried, setting) for carried in (_alone(setting), *_shared(connection, setting))]
    return made


def _again(changed: Changed, setting: Setting) -> CompoundSelect[Any]:  # noqa: ARG001 - every ledger is asked alike
    """The documents of the orders that changed, with all their rows: those that reverse them, and those that belonged to them before, as well.

    A cost that names no order that is judged may change with its customer, and a case with other costs of it: these are made again by every run.
    """
    only, reversing, o = changed.orders, invoices.alias("reversing").c, order_facts_table.c
    found = [
        select(document).join(only, only.c.order_id == order_id)
        for document, order_id in (
            (invoice_lines.c.invoice_id, invoice_lines.c.order_id),
            (shipment_lines.c.shipment_id, shipment_lines.c.order_id),
            (service_costs.c.cost_id, service_costs.c.order_id),
            (service_cases.c.case_id, service_cases.c.order_id),
            (m.document_id, m.order_id),
        )
    ]
    billed = invoice_lines.join(only, only.c.order_id == invoice_lines.c.order_id)
    found.append(select(reversing.invoice_id).select_from(billed).where(reversing.reverses_invoice_id == invoice_lines.c.invoice_id))
    of_cost = m.source.in_(("service_cost", "case"))
    for document, order_id, which in (
        (service_costs.c.cost_id, service_costs.c.order_id, true()),
        (service_cases.c.case_id, service_cases.c.order_id, true()),
        (m.document_id, m.order_id, of_cost),
    ):
        nobodys = document.table.outerjoin(order_facts_table, o.order_id == order_id)
        found.append(select(document).select_from(nobodys).where(which, o.order_id.is_(None)))
    return union(*found)


LEDGERS = (Ledger(money_facts, rows, key="document_id", again=_again),)


def _row(values_: dict[str, Expression], facts: FromClause | None) -> list[Expression]:
    """The table's columns in order: what is given, dimensions of the joined facts, else `(none)` or empty."""
    chosen: list[Expression] = []
    for column in money_facts.columns:
        if column.name in values_:
            value = values_[column.name]
        elif column.name in DIMENSION_COLUMNS:
            value = literal(NONE, String) if facts is None else func.coalesce(facts.c[column.name], literal(NONE, String))
        else:
            value = literal(NONE, String) if column.name == "activity" else typed_null(column.type)
        chosen.append(cast(value, column.type).label(column.name))
    return chosen


def _billed(setting: Setting) -> Select[Any]:
    """One row per invoice, credit and reversal line of a goods or service line, signed; a reversal without own lines takes back the lines of the
    invoice it names, once.
    """
    body, header = invoice_lines.c, invoices.c
    own = and_(header.invoice_id == body.invoice_id, ~header.deleted)
    direct = _documented(invoice_lines.join(invoices, own), header, header, body, setting)
    if "invoices.reverses_invoice_id" not in setting.mapped:
        return direct
    reversal = _lineless_reversals()
    reversed_ = and_(own, header.invoice_kind == "invoice")
    tables = invoice_lines.join(invoices, reversed_).join(reversal, reversal.c.reverses_invoice_id == header.invoice_id)
    return select(union_all(direct, _documented(tables, reversal.c, header, body, setting)).subquery("documented"))


def _documented(tables: FromClause, document: Any, original: Any, body: Any, setting: Setting) -> Select[Any]:
    """Lines of documents dated by `as_of`. document: what gives date, kind and id; original: the invoice the lines stand on."""
    line = order_line_facts_table.c
    tables = tables.join(order_line_facts_table, and_(line.order_id == body.order_id, line.line_no == body.line_no))
    tables = tables.join(orders, orders.c.order_id == line.order_id)
    tables = within(tables, document.invoice_id, setting)
    tables, dated = moment_span(tables, dict(document.items()), "invoiced_at", orders.c.ship_to_time_zone)
    sign = case((document.invoice_kind == "invoice", literal(1, Integer)), else_=literal(-1, Integer))
    return (
        select(
            document.invoice_id.label("document_id"),
            document.invoice_kind.label("source"),
            body.invoice_line_no,
            line.order_id,
            line.line_no,
            dated.day.label("day"),
            func.coalesce(document.currency, original.currency, orders.c.currency).label("currency"),
            cast(sign * body.line_amount, AMOUNT).label("original_amount"),
            # A credit may be for money alone; an invoice or reversal that does not say how much it bills leaves its cost unknown.
            case(
                (and_(document.invoice_kind == "credit", body.billed_qty.is_(None)), cast(literal(0, Integer), QTY)),
                else_=cast(sign * body.billed_qty, QTY),
            ).label("quantity"),
        )
        .select_from(tables)
        .where(~body.deleted, line.line_kind.in_(("goods", "service")), dated.hi <= literal(setting.as_of, DateTime))
    )


def _lineless_reversals() -> FromClause:
    """Reversals without lines of their own that are the first to take back the invoice they name."""
    r = invoices.alias("reversal").c
    place = func.row_number().over(partition_by=r.reverses_invoice_id, order_by=(r.invoiced_at, r.invoice_id)).label("place")
    ranked = (
        select(r.invoice_id, r.invoice_kind, r.reverses_invoice_id, r.invoiced_at, r.invoiced_at_is_date, r.currency, place)
        .where(r.invoice_kind == "reversal", r.reverses_invoice_id.is_not(None), ~r.deleted)
        .subquery("reversals")
    )
    with_lines = select(invoice_lines.c.invoice_id).where(~invoice_lines.c.deleted).distinct().subquery("with_lines")
    return (
        select(*[c for c in ranked.c if c.name != "place"])
        .select_from(ranked.outerjoin(with_lines, with_lines.c.invoice_id == ranked.c.invoice_id))
        .where(ranked.c.place == 1, with_lines.c.invoice_id.is_(None))
        .subquery("lineless_reversals")
    )


def _unit_cost_known(line: Any, quantity: Expression) -> Expression:
    """Whether a billed line's product cost is known. A service without a unit cost has none: what it costs is cost to serve."""
    return and_(quantity.is_not(None), case((line.line_kind == "service", true()), else_=line.unit_cost_amount.is_not(None)))


def _net_sales(billed: CTE, setting: Setting) -> Select[Any]:
    b, line = billed.c, order_line_facts_table.c
    tables: FromClause = billed.join(order_line_facts_table, and_(line.order_id == b.order_id, line.line_no == b.line_no))
    tables, rate = with_rate(tables, b.currency, b.day, setting.mapped)
    place = func.row_number().over(partition_by=b.document_id, order_by=(b.order_id, b.line_no, b.invoice_line_no))
    return select(
        *_row(
            {
                "kind": literal("net_sales", String),
                **{name: b[name] for name in ("source", "document_id", "order_id", "line_no", "day", "original_amount", "quantity")},
                "cohort_day": line.ordered_day,
                "amount": times(b.original_amount, rate),
                "cost_known": _unit_cost_known(line, b.quantity),
                "stands_for_document": place == 1,
                "currency": func.coalesce(b.currency, literal(NONE, String)),
            },
            order_line_facts_table,
        )
    ).select_from(tables)


def _product_cost(billed: CTE, setting: Setting) -> Select[Any]:
    """Without a rate a line's sales are left out, so its cost is too."""
    b, line = billed.c, order_line_facts_table.c
    tables: FromClause = billed.join(order_line_facts_table, and_(line.order_id == b.order_id, line.line_no == b.line_no))
    tables, rate = with_rate(tables, b.currency, b.day, setting.mapped)
    cost = case(
        (rate.is_(None), typed_null(AMOUNT)),
        (and_(line.line_kind == "service", line.unit_cost_amount.is_(None)), cast(literal(0, Integer), AMOUNT)),
        else_=cast(times(b.quantity, line.unit_cost_amount), AMOUNT),
    )
    return select(
        *_row(
            {
                "kind": literal("product_cost", String),
                **{name: b[name] for name in ("source", "document_id", "order_id", "line_no", "day", "quantity")},
                "cohort_day": line.ordered_day,
                "amount": cost,
                "stands_for_document": false(),
                "currency": func.coalesce(b.currency, literal(NONE, String)),
            },
            order_line_facts_table,
        )
    ).select_from(tables)


def _incurred(setting: Setting) -> Select[Any]:
    """Service costs of days that ended by `as_of`, in the zone of their order; without one in UTC."""
    c = service_costs.c
    tables: FromClause = service_costs.outerjoin(orders, and_(orders.c.order_id == c.order_id, ~orders.c.deleted))
    tables, _, ends = day_bounds(tables, c.incurred_on, orders.c.ship_to_time_zone)
    ended = func.coalesce(ends, _utc_end(c.incurred_on))
    return (
        select(c.cost_id, c.customer_id, c.order_id, func.lower(c.activity).label("activity"), c.amount, c.currency, c.incurred_on)
        .select_from(tables)
        .where(~c.deleted, ended <= literal(setting.as_of, DateTime))
    )


def _utc_end(day: Expression) -> Expression:
    return plus_microseconds(cast(plus_days(day, literal(1, Integer)), DateTime), literal(-1, Integer))


def _service_costs(setting: Setting) -> Select[Any]:
    incurred = _incurred(setting).subquery("incurred")
    c = incurred.c
    return _cost_rows(
        within(incurred, c.cost_id, setting),
        {
            "activity": func.coalesce(c.activity, literal(NONE, String)),
            "source": literal("service_cost", String),
            "document_id": c.cost_id,
            "order_id": c.order_id,
            "original_amount": c.amount,
            "stands_for_document": true(),
        },
        customer=c.customer_id,
        currency=c.currency,
        day=c.incurred_on,
        setting=setting,
    )


def _cases(setting: Setting) -> Select[Any]:
    """What settling cases cost, on the day they were settled (opened, while they are not)."""
    c, now = service_cases.c, literal(setting.as_of, DateTime)
    tables: FromClause = service_cases.outerjoin(orders, and_(orders.c.order_id == c.order_id, ~orders.c.deleted))
    zone = orders.c.ship_to_time_zone
    tables, opened = moment_span(tables, dict(c.items()), "opened_at", zone)
    tables, resolved = moment_span(tables, dict(c.items()), "resolved_at", zone)

    def instant(name: str, end: Expression) -> Expression:
        """The end of a moment; in UTC where the case has no order."""
        return func.coalesce(end, case((c[f"{name}_is_date"], _utc_end(cast(c[name], Date))), else_=c[name]))

    settled = func.coalesce(instant("resolved_at", resolved.hi) <= now, false())
    day = case(
        (settled, func.coalesce(resolved.day, cast(c.resolved_at, Date))),
        else_=func.coalesce(opened.day, cast(c.opened_at, Date)),
    )
    dated = (
        select(
            c.case_id,
            c.order_id,
            func.coalesce(c.customer_id, orders.c.customer_id).label("customer_id"),
            c.currency,
            c.cost_amount,
            cast(day, Date).label("day"),
        )
        .select_from(within(tables, c.case_id, setting))
        .where(~c.deleted, c.cost_amount.is_not(None), instant("opened_at", opened.hi) <= now)
        .subquery("dated_cases")
    )
    # A case and a service cost of the same customer that both name no order count as the same work: it is not paid for twice.
    incurred, d = _incurred(setting).cte("incurred"), dated.c
    i = incurred.c
    by_order = select(i.order_id).where(i.activity == CASE, i.order_id.is_not(None)).distinct().subquery("charged_orders")
    by_customer = select(i.customer_id).where(i.activity == CASE, i.order_id.is_(None)).distinct().subquery("charged_customers")
    charged = case((d.order_id.is_(None), by_customer.c.customer_id), else_=by_order.c.order_id).is_not(None)
    joined = dated.outerjoin(by_order, by_order.c.order_id == d.order_id).outerjoin(by_customer, by_customer.c.customer_id == d.customer_id)
    return _cost_rows(
        joined,
        {
            "activity": literal(CASE, String),
            "source": literal("case", String),
            "document_id": d.case_id,
            "order_id": d.order_id,
            "original_amount": d.cost_amount,
            "stands_for_document": true(),
        },
        customer=d.customer_id,
        currency=d.currency,
        day=d.day,
        setting=setting,
    ).where(~charged)


def _carried(setting: Setting) -> FromClause:
    """One row per consignment with freight and order it carries: the quantity shipped for it."""
    s, body, o = shipments.c, shipment_lines.c, order_facts_table.c
    quantity = func.coalesce(body.shipped_qty, body.received_qty, cast(literal(0, Integer), QTY))
    tables: FromClause = shipments.join(shipment_lines, and_(body.shipment_id == s.shipment_id, ~body.deleted))
    tables = tables.join(order_facts_table, o.order_id == body.order_id)
    return (
        select(s.shipment_id, body.order_id, cast(func.sum(quantity), QTY).label("quantity"))
        .select_from(within(tables, s.shipment_id, setting))
        .where(~s.deleted, s.freight_amount.is_not(None))
        .group_by(s.shipment_id, body.order_id)
        .cte("carried")
    )


def _orders_carried(carried: FromClause) -> FromClause:
    c = carried.c
    counted = select(c.shipment_id, func.count().label("orders"), func.min(c.order_id).label("order_id")).group_by(c.shipment_id)
    return counted.subquery("orders_carried")


def _alone(setting: Setting) -> FromClause:
    """Consignments that carry one order: the whole freight is its own."""
    counted = _orders_carried(_carried(setting))
    freight = shipments.alias("freighted").c
    return (
        select(counted.c.shipment_id, counted.c.order_id, freight.freight_amount.label("amount"))
        .where(counted.c.orders == 1, freight.shipment_id == counted.c.shipment_id)
        .subquery("alone")
    )


def _shared(connection: Connection, setting: Setting) -> Iterator[FromClause]:
    """Freight of consignments that carry several orders, shared by quantity. Divided here: engines round a quotient differently."""
    carried = _carried(setting)
    counted = _orders_carried(carried)
    c, s = carried.c, shipments.c
    found = connection.execute(
        select(c.shipment_id, c.order_id, c.quantity, s.freight_amount)
        .select_from(carried.join(counted, counted.c.shipment_id == c.shipment_id).join(shipments, s.shipment_id == c.shipment_id))
        .where(counted.c.orders > 1)
        .order_by(c.shipment_id, c.order_id)
    ).all()
    shares = [
        (shipment_id, order_id, amount)
        for shipment_id, group in groupby(found, key=lambda row: str(row.shipment_id))
        for order_id, amount in _by_quantity(list(group))
    ]
    columns = (sql_column("shipment_id", String), sql_column("order_id", String), sql_column("amount", AMOUNT))
    for start in range(0, len(shares), SHARES_A_SELECT):
        yield values(*columns, name=f"shares_{start}").data(shares[start : start + SHARES_A_SELECT])


def _by_quantity(carried: Sequence[Any]) -> list[tuple[str, Decimal]]:
    """Each order's part of one consignment's freight. Parts are differences of rounded running totals, so that they add up to the whole."""
    whole = Decimal(carried[0].freight_amount)
    return list(zip([row.order_id for row in carried], parts(whole, [Decimal(row.quantity) for row in carried]), strict=True))


def parts(whole: Decimal, weights: Sequence[Decimal]) -> list[Decimal]:
    """An amount parted by weights (equally where they are all 0): exact to four decimals, and together the whole."""
    shares = [Fraction(weight) for weight in weights]
    if not sum(shares):
        shares = [Fraction(1)] * len(shares)
    total, running, before, made = sum(shares), Fraction(0), Decimal(0), []
    for share in shares:
        running += share
        exact = Fraction(whole) * running / total
        upto = (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(STEP, ROUND_HALF_UP)
        made.append(upto - before)
        before = upto
    return made


def _freight(carried: FromClause, setting: Setting) -> Select[Any]:
    """Freight of consignments that have left or arrived, on the day they left (arrived, where that is not known)."""
    s, part, now = shipments.c, carried.c, literal(setting.as_of, DateTime)
    zone = orders.c.ship_to_time_zone
    tables: FromClause = carried.join(shipments, s.shipment_id == part.shipment_id).join(orders, orders.c.order_id == part.order_id)
    tables, shipped = moment_span(tables, dict(s.items()), "shipped_at", zone)
    tables, received = moment_span(tables, dict(s.items()), "received_at", zone)
    incurred = _incurred(setting).subquery("incurred")
    charged = (
        select(incurred.c.order_id).where(incurred.c.activity == FREIGHT, incurred.c.order_id.is_not(None)).distinct().subquery("charged_freight")
    )
    left, arrived = func.coalesce(shipped.hi <= now, false()), func.coalesce(received.hi <= now, false())
    dated = (
        select(
            s.shipment_id,
            part.order_id,
            orders.c.customer_id,
            s.currency,
            s.carrier,
            cast(part.amount, AMOUNT).label("amount"),
            cast(case((left, shipped.day), else_=received.day), Date).label("day"),
        )
        .select_from(tables.outerjoin(charged, charged.c.order_id == part.order_id))
        .where(left | arrived, charged.c.order_id.is_(None))
        .subquery("dated_freight")
    )
    d = dated.c
    return _cost_rows(
        dated,
        {
            "activity": literal(FREIGHT, String),
            "source": literal("freight", String),
            "document_id": d.shipment_id,
            "order_id": d.order_id,
            "original_amount": d.amount,
            "stands_for_document": func.row_number().over(partition_by=d.shipment_id, order_by=d.order_id) == 1,
            "carrier": func.coalesce(d.carrier, literal(NONE, String)),
        },
        customer=d.customer_id,
        currency=d.currency,
        day=d.day,
        setting=setting,
    )


def _cost_rows(
    tables: FromClause, values_: dict[str, Expression], *, customer: Expression, currency: Expression, day: Expression, setting: Setting
) -> Select[Any]:
    """Costs to serve with the dimensions of their order; without one, segment and region of the customer's version of that day."""
    o, version = order_facts_table.c, versions(customers, ("customer_id",), ("service_segment", "region"))
    tables = tables.outerjoin(order_facts_table, o.order_id == values_["order_id"]).outerjoin(version, applies(version, day, customer_id=customer))
    of_order = func.coalesce(currency, func.nullif(o.currency, NONE))
    tables, rate = with_rate(tables, of_order, day, setting.mapped)
    known: dict[str, Expression] = {
        "kind": literal("cost_to_serve", String),
        "day": day,
        "cohort_day": func.coalesce(o.ordered_day, day),
        "amount": times(values_["original_amount"], rate),
        "customer_id": func.coalesce(customer, o.customer_id, literal(NONE, String)),
        "segment": func.coalesce(o.segment, version.c.service_segment, literal(NONE, String)),
        "region": func.coalesce(o.region, version.c.region, literal(NONE, String)),
        "currency": func.coalesce(of_order, literal(NONE, String)),
    }
    return select(*_row(known | values_, order_facts_table)).select_from(tables)
