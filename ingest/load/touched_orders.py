"""The orders whose verdicts a run may change."""

from collections.abc import Mapping

from sqlalchemy import Connection, FromClause, Select, Table, insert, literal, select

from ingest.load.result import LoadResult
from metrics.schema import FEEDS, customers, invoice_lines, order_lines, orders, shipment_lines

REBUILD_ALL = ("calendars", "fx_rates", "service_packages")
"""Feeds in which a single row may change any order."""


def add_touched_orders(connection: Connection, changed: Mapping[str, FromClause], touched: Table) -> None:
    """Add the orders whose verdicts the changed rows may change."""
    lines, bills = shipment_lines, invoice_lines
    for feed, rows in changed.items():
        if "order_id" in FEEDS[feed].table.c:
            add_orders(connection, touched, select(rows.c.order_id))
        elif feed == "shipments":
            add_orders(
                connection, touched, select(lines.c.order_id).where(lines.c.shipment_id.in_(select(rows.c.shipment_id)))
            )
        elif feed == "invoices":
            named = select(rows.c.invoice_id).union(
                select(rows.c.reverses_invoice_id).where(rows.c.reverses_invoice_id.is_not(None))
            )
            add_orders(connection, touched, select(bills.c.order_id).where(bills.c.invoice_id.in_(named)))
        elif feed == "payments":
            add_orders(
                connection, touched, select(bills.c.order_id).where(bills.c.invoice_id.in_(select(rows.c.invoice_id)))
            )
        elif feed == "customers":
            add_orders(
                connection,
                touched,
                select(orders.c.order_id).where(orders.c.customer_id.in_(select(rows.c.customer_id))),
            )
        elif feed in ("products", "unit_factors"):
            add_orders(
                connection,
                touched,
                select(order_lines.c.order_id).where(order_lines.c.product_id.in_(select(rows.c.product_id))),
            )
        elif feed == "policies":
            theirs = select(customers.c.customer_id).where(customers.c.policy_id.in_(select(rows.c.policy_id)))
            add_orders(connection, touched, select(orders.c.order_id).where(orders.c.customer_id.in_(theirs)))


def affects_all_orders(connection: Connection, result: LoadResult) -> bool:
    """Return True if the loaded rows may change every order, so that no list of orders is needed."""
    return any(
        connection.execute(select(literal(1)).select_from(result.changed[one]).limit(1)).first()
        for one in REBUILD_ALL
        if one in result.changed
    )


def add_orders(connection: Connection, touched: Table, order_ids: Select[tuple[str]]) -> None:
    """Add the orders of a SELECT of order_id."""
    distinct_ids = order_ids.distinct().subquery()
    connection.execute(
        insert(touched).from_select(
            ["order_id"], select(distinct_ids.c.order_id).where(distinct_ids.c.order_id.is_not(None))
        )
    )
