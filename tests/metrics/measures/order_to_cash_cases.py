"""Records for the worked cases of the order-to-cash steps."""

from datetime import datetime, timedelta
from typing import Any

from tests.support.builders import (
    Row,
    customer,
    everything,
    order,
    order_event,
    order_line,
    records,
    shipment,
    shipment_line,
)

MAPPED = everything() | everything("order_events", "payments")

START = datetime(2026, 3, 1)

HOUR = timedelta(hours=1)


def at(hours: float) -> str:
    """Return the instant at a number of hours after the start of 1 March."""
    return f"{(START + hours * HOUR).isoformat()}Z"


def finished(order_id: str, hours: dict[int, float]) -> list[Row]:
    """Return steps of an order that finished at these hours, each started an hour before."""
    return [
        order_event(order_id=order_id, step=step, started_at=at(end - 1), finished_at=at(end))
        for step, end in hours.items()
    ]


def world(
    arrivals: dict[str, float | None],
    events: list[Row],
    *,
    due: float = 72,
    customers: dict[str, str] | None = None,
    **feeds: Any,
) -> Any:
    """Return orders placed at hour 0, with their due hour and their hour of receipt."""
    there = {name: hours for name, hours in arrivals.items() if hours is not None}
    segments = customers or {}
    return (
        records(
            orders=[
                order(order_id=name, customer_id=segments.get(name, "C"), ordered_at=at(0), promised_by=at(due))
                for name in arrivals
            ],
            order_lines=[order_line(order_id=name) for name in arrivals],
            shipments=[
                shipment(shipment_id=name, shipped_at=at(0), received_at=at(hours)) for name, hours in there.items()
            ],
            shipment_lines=[shipment_line(shipment_id=name, order_id=name) for name in there],
            customers=[customer(), customer(customer_id="D", service_segment="B")],
            order_events=events,
        )
        | feeds
    )
