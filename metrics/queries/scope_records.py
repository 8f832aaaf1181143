"""Rules of the visible records of each feed under a row scope, and of their quarantine.

A record with an order is visible with its order, and a record without an order with its fact. Inquiries are records of
a customer, also if they became orders.
"""

from sqlalchemy import Table, and_, exists, func, or_, select, true, union_all

from metrics.queries.scope_conditions import (
    Rule,
    Stored,
    by_customer,
    by_latest_record,
    by_order,
    keys_without_order,
    scope_customers,
    without_order,
)
from metrics.sql.dialects import Expression, Rows

PUBLIC = (
    "products",
    "unit_factors",
    "service_packages",
    "fx_rates",
    "local_days",
    "mapped_columns",
    "facts_state",
    "runs",
)
"""Tables without records of customers: all rows are visible."""
OF_ORDER = (
    "orders",
    "order_lines",
    "shipment_lines",
    "promises",
    "holds",
    "order_events",
    "returns",
    "restated_quantities",
    "orders_in_quarantine",
    "lines_in_quarantine",
    "quarantine_effects",
)
"""Tables whose rows name their order."""


def _everything(_stored: Stored, _rows: Table) -> Expression:
    return true()


def _by_order_or_fact(stored: Stored, rows: Table, key: str, facts: str, *, of_source: str | None = None) -> Expression:
    """Return the condition of records of visible orders, and of records without an order that have a visible fact.

    key: the column of the record's key. of_source: the source of its facts of money.
    """
    if not stored.limits_customers_only:
        return by_order(stored, rows)
    if of_source is None:
        visible = keys_without_order(stored, facts, key)
    else:
        visible = keys_without_order(stored, facts, "document_id", lambda money: money.c.source == of_source)
    return or_(by_order(stored, rows), and_(rows.c.order_id.is_(None), rows.c[key].in_(visible)))


def _messages(stored: Stored, rows: Table) -> Expression:
    return _by_order_or_fact(stored, rows, "message_id", "message_facts")


def _service_cases(stored: Stored, rows: Table) -> Expression:
    return _by_order_or_fact(stored, rows, "case_id", "case_facts")


def _service_costs(stored: Stored, rows: Table) -> Expression:
    return _by_order_or_fact(stored, rows, "cost_id", "money_facts", of_source="service_cost")


def _inquiries(stored: Stored, rows: Table) -> Expression:
    return rows.c.quote_id.in_(keys_without_order(stored, "quote_facts", "quote_id"))


def _stockouts(stored: Stored, rows: Table) -> Expression:
    return rows.c.stockout_id.in_(keys_without_order(stored, "stockout_facts", "stockout_id"))


def _buyer_scorecards(stored: Stored, rows: Table) -> Expression:
    """Return the condition of scorecards of visible orders, and of visible facts of orders that only the buyer knows.

    Scorecards use the buyer's order numbers. Another customer's order may have the same number.
    """
    orders, books = stored.table("order_facts"), stored.table("book_facts")
    o, b = orders.c, books.c
    ours = exists().where(o.order_id == rows.c.order_id, o.customer_id == rows.c.customer_id, by_order(stored, orders))
    if not stored.limits_customers_only:
        return ours
    same = and_(b.order_id == rows.c.order_id, b.customer_id == rows.c.customer_id)
    return or_(ours, exists().where(same, ~b.ours, without_order(stored, books)))


def _billed(stored: Stored) -> Rows:
    """Return the documents that bill a visible order."""
    lines = stored.table("invoice_lines")
    return select(lines.c.invoice_id).where(by_order(stored, lines))


def _named_in_quarantine(stored: Stored, feed: str) -> Rows:
    """Return the documents that quarantined lines of visible orders name. A document dates such a line."""
    records, values = stored.table("quarantine"), stored.table("quarantine_values")
    same = and_(values.c.file_id == records.c.file_id, values.c.row_no == records.c.row_no)
    named = and_(records.c.feed == feed, values.c.document_id.is_not(None), by_order(stored, records))
    return select(values.c.document_id).select_from(records.join(values, same)).where(named)


def _shipments(stored: Stored, rows: Table) -> Expression:
    lines = stored.table("shipment_lines")
    loaded = select(lines.c.shipment_id).where(by_order(stored, lines))
    return rows.c.shipment_id.in_(union_all(loaded, _named_in_quarantine(stored, "shipment_lines")))


def _invoices(stored: Stored, rows: Table) -> Expression:
    documents = union_all(_billed(stored), _named_in_quarantine(stored, "invoice_lines"))
    return or_(rows.c.invoice_id.in_(documents), rows.c.reverses_invoice_id.in_(_billed(stored)))


def _invoice_lines(stored: Stored, rows: Table) -> Expression:
    return or_(by_order(stored, rows), and_(rows.c.order_id.is_(None), rows.c.invoice_id.in_(_billed(stored))))


def _payments(stored: Stored, rows: Table) -> Expression:
    return rows.c.invoice_id.in_(_billed(stored))


def _by_named_customer(_stored: Stored, rows: Table) -> Expression:
    """Return the condition of targets and assumptions for everyone, for a segment, and for a visible customer."""
    named = func.substr(rows.c.scope, len("customer:") + 1).in_(select(scope_customers.c.customer_id))
    return or_(func.substr(rows.c.scope, 1, len("customer:")) != "customer:", named)


def _policies(stored: Stored, rows: Table) -> Expression:
    customers = stored.table("customers")
    return rows.c.policy_id.in_(select(customers.c.policy_id).where(by_customer(stored, customers)))


def _calendars(stored: Stored, rows: Table) -> Expression:
    orders = stored.table("orders")
    places = select(orders.c.ship_to).where(by_order(stored, orders))
    return or_(rows.c.calendar_id.in_(("ship_from", "ship_to", "default")), rows.c.calendar_id.in_(places))


def _quarantine(stored: Stored, rows: Table) -> Expression:
    """Return the condition of records of visible orders and customers, and of others that name an allowed customer."""
    values = stored.table("quarantine_values")
    same = and_(values.c.file_id == rows.c.file_id, values.c.row_no == rows.c.row_no)
    of_customer = and_(rows.c.feed == "customers", exists().where(same, by_customer(stored, values)))
    other = exists().where(same, by_latest_record(stored, values))
    return or_(by_order(stored, rows), and_(rows.c.order_id.is_(None), or_(of_customer, other)))


def _quarantine_values(stored: Stored, rows: Table) -> Expression:
    records = stored.table("quarantine")
    return exists().where(
        records.c.file_id == rows.c.file_id, records.c.row_no == rows.c.row_no, _quarantine(stored, records)
    )


RULES: dict[str, Rule] = {
    **dict.fromkeys(PUBLIC, _everything),
    **dict.fromkeys(OF_ORDER, by_order),
    "customers": by_customer,
    "messages": _messages,
    "service_cases": _service_cases,
    "service_costs": _service_costs,
    "stockouts": _stockouts,
    **dict.fromkeys(("quotes", "quote_options"), _inquiries),
    **dict.fromkeys(("targets", "assumptions"), _by_named_customer),
    "shipments": _shipments,
    "invoices": _invoices,
    "invoice_lines": _invoice_lines,
    "payments": _payments,
    "buyer_scorecards": _buyer_scorecards,
    "policies": _policies,
    "calendars": _calendars,
    "quarantine": _quarantine,
    "quarantine_values": _quarantine_values,
}
"""The rule of each table of records."""
