"""Records for the worked cases of stockouts: orders, consignments and the rows of the fact table."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from metrics.facts.stockouts import stockout_facts_table
from tests.support.ask_measures import together
from tests.support.builders import Row, everything, order, order_line, records, shipment, shipment_line
from tests.support.sql_facts import build

END_OF_APRIL = datetime(2026, 4, 30, 23, 59, 59, 999_999)

EVERYTHING = everything("orders", "order_lines", "shipments", "shipment_lines", "customers", "products", "stockouts")

MONEY = EVERYTHING | everything("invoices", "invoice_lines", "service_costs")


def events(
    connection: Connection, mapped: frozenset[str] = EVERYTHING, as_of: datetime = END_OF_APRIL, **feeds: list[Row]
) -> list[Mapping[str, Any]]:
    """Return the stockouts of these records, those of order lines first."""
    build(connection, records(**feeds), as_of, mapped)
    rows = connection.execute(select(stockout_facts_table)).mappings()
    return sorted(
        (dict(row) for row in rows),
        key=lambda row: (row["order_id"] or "~", row["line_no"] or "", row["stockout_id"] or ""),
    )


def sent(*consignments: tuple[str, int], order_id: str = "O", line_no: str = "1") -> dict[str, list[Row]]:
    """Return consignments of a line, each with its shipping day and quantity. It arrives a day later."""
    feeds: dict[str, list[Row]] = {"shipments": [], "shipment_lines": []}
    for place, (day, quantity) in enumerate(consignments):
        shipment_id = f"{order_id}-{line_no}-{place}"
        came = (date.fromisoformat(day) + timedelta(1)).isoformat()
        feeds["shipments"].append(shipment(shipment_id=shipment_id, shipped_at=day, received_at=came))
        feeds["shipment_lines"].append(
            shipment_line(shipment_id=shipment_id, order_id=order_id, line_no=line_no, shipped_qty=quantity)
        )
    return feeds


def earlier_orders(*days: str) -> dict[str, list[Row]]:
    """Return orders of customer C, each delivered completely at once."""
    parts = []
    for day in days:
        promised = (date.fromisoformat(day) + timedelta(2)).isoformat()
        parts.append(
            {
                "orders": [order(order_id=f"E{day}", ordered_at=day, promised_by=promised)],
                "order_lines": [order_line(order_id=f"E{day}")],
            }
        )
        parts.append(sent((day, 100), order_id=f"E{day}"))
    return together(*parts)


WEEKLY = ("2026-02-15", "2026-02-22")
"""Together with the order of 1 March, they give three order days: gap 7 days, horizon 21 days."""


def the_order(**line: Any) -> dict[str, list[Row]]:
    return {"orders": [order()], "order_lines": [order_line(**line)]}


CLOSED = {"cancelled_qty": 30, "cancelled_at": "2026-03-12", "cancelled_by": "seller"}
