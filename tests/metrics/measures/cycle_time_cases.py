"""Records for the worked cases of an order's clocks, and questions about them."""

from copy import deepcopy
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from metrics.model.question import Answer
from metrics.queries.answer import Question, answer
from tests.reference.random_orders import prefixed
from tests.support.builders import (
    customer,
    everything,
    order,
    order_line,
    records,
    service_package,
    shipment,
    shipment_line,
)
from tests.support.rule_cases import END_OF_APRIL
from tests.support.sql_facts import build

PACKAGED = everything() | everything("service_packages")


def ask(
    connection: Connection,
    name: str,
    made: dict[str, Any],
    mapped: frozenset[str] = PACKAGED,
    as_of: datetime = END_OF_APRIL,
    **more: Any,
) -> Answer:
    """Build the records, unless they were built last, and return the answer."""
    inputs = (made, as_of, mapped)
    if connection.info.get("built") != inputs:
        build(connection, made, as_of, mapped)
        connection.info["built"] = deepcopy(inputs)
    (one,) = answer(connection, Question((name,), **more))
    return one


def by_order(
    connection: Connection, name: str, made: dict[str, dict[str, Any]], mapped: frozenset[str]
) -> dict[str | None, Answer]:
    """Build the records of several orders together, and return the answer for each order. It has its own customer."""
    connection.info.pop("built", None)
    apart = []
    for order_id, one in made.items():
        records_of_order = prefixed(one, order_id, ("shipment_id", "hold_id", "case_id"))
        for row in (row for rows in records_of_order.values() for row in rows if "order_id" in row):
            row["order_id"] = order_id
        for row in records_of_order["orders"]:
            row["customer_id"] = order_id
        apart.append(records_of_order)
    build(connection, together(*apart), END_OF_APRIL, mapped)
    return {one.dimensions["customer"]: one for one in answer(connection, Question((name,), by=("customer",)))}


def delivered(ordered: str, received: str | None, *, name: str = "O", qty: int = 100, **more: Any) -> dict[str, Any]:
    """Return an order of 100 with its consignment."""
    return records(
        orders=[order(order_id=name, ordered_at=ordered, **more)],
        order_lines=[order_line(order_id=name)],
        shipments=[] if received is None else [shipment(shipment_id=name, shipped_at=ordered, received_at=received)],
        shipment_lines=[] if received is None else [shipment_line(shipment_id=name, order_id=name, shipped_qty=qty)],
        customers=[customer()],
        service_packages=[service_package(lead_time_days_max=7)],
    )


def together(*several: dict[str, Any]) -> dict[str, Any]:
    """Return all these records together, with customers and packages once."""
    whole = {feed: [row for made in several for row in made[feed]] for feed in several[0]}
    return whole | {feed: several[0][feed] for feed in ("customers", "service_packages")}
