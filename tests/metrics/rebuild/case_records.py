"""Records for the cases of partial rebuilds: `Case`, and builders of small sets of records."""

from dataclasses import dataclass, field

from sqlalchemy import Table

from metrics.facts.money.table import money_facts_table
from tests.support import builders, contact_builders
from tests.support.ask_measures import together

Parts = dict[str, list[builders.Row]]


@dataclass(frozen=True)
class Case:
    """Records before and after a change. Every id of a case begins with its name.

    touched: the orders that ingest would report as touched. changes: the tables in which rows of the case change.
    always: records that do not change.
    """

    name: str
    before: Parts
    after: Parts
    touched: tuple[str, ...] = ()
    changes: tuple[Table, ...] = (money_facts_table,)
    always: Parts = field(default_factory=dict)


def sold(order_id: str, customer_id: str, **values: object) -> Parts:
    """An order of 100 P at 5.00, cost 3.00 each."""
    return {
        "orders": [builders.order(order_id=order_id, customer_id=customer_id, **values)],
        "order_lines": [builders.order_line(order_id=order_id)],
    }


def billed(invoice_id: str, *order_ids: str, **values: object) -> Parts:
    """An invoice with the lines of these orders."""
    lines = [
        builders.invoice_line(invoice_id=invoice_id, invoice_line_no=str(i), order_id=order_id)
        for i, order_id in enumerate(order_ids, 1)
    ]
    return {"invoices": [builders.invoice(invoice_id=invoice_id, **values)], "invoice_lines": lines}


def carried(shipment_id: str, freight: int, **shipped: int) -> Parts:
    """A shipment received on 9 March, with the quantity for each order."""
    header = builders.shipment(
        shipment_id=shipment_id,
        shipped_at="2026-03-02",
        received_at="2026-03-09",
        freight_amount=freight,
        currency="EUR",
    )
    lines = [
        builders.shipment_line(
            shipment_id=shipment_id, shipment_line_no=str(i), order_id=order_id, shipped_qty=n, received_qty=n
        )
        for i, (order_id, n) in enumerate(shipped.items(), 1)
    ]
    return {"shipments": [header], "shipment_lines": lines}


def costs(cost_id: str, **values: object) -> Parts:
    return {"service_costs": [contact_builders.service_cost(cost_id=cost_id, **values)]}


def of_customer(name: str, **values: object) -> Parts:
    """A buyer in a segment of their own, so that other buyers do not change their median gap."""
    return {"customers": [builders.customer(**{"customer_id": name, "service_segment": name} | values)]}


def reversal(invoice_id: str, reverses: str, **values: object) -> Parts:
    """A reversal without lines of its own."""
    return {
        "invoices": [
            builders.invoice(invoice_id=invoice_id, invoice_kind="reversal", reverses_invoice_id=reverses, **values)
        ]
    }


def short(order_id: str, customer_id: str, **values: object) -> Parts:
    """An order of 100 pieces, of which 60 were shipped by its promise."""
    part = {
        "shipments": [builders.shipment(shipment_id=f"{order_id}S", shipped_at="2026-03-05", received_at="2026-03-09")],
        "shipment_lines": [
            builders.shipment_line(shipment_id=f"{order_id}S", order_id=order_id, shipped_qty=60, received_qty=60)
        ],
    }
    return together(sold(order_id, customer_id, **values), part)


def on_days(customer_id: str, *days: str, **values: object) -> Parts:
    """Orders placed on these days, without a promise in the past."""
    placed = [
        sold(f"{customer_id}{i}", customer_id, ordered_at=day, promised_by="2026-06-01", **values)
        for i, day in enumerate(days)
    ]
    return together(*placed)


def wanted(stockout_id: str, customer_id: str, **values: object) -> Parts:
    return {"stockouts": [contact_builders.stockout(stockout_id=stockout_id, customer_id=customer_id, **values)]}


def late(order_id: str, customer_id: str, received: str = "2026-03-12", **values: object) -> Parts:
    """An order received in full, by default two days after its promise."""
    part = {
        "shipments": [builders.shipment(shipment_id=order_id, shipped_at=received, received_at=received)],
        "shipment_lines": [builders.shipment_line(shipment_id=order_id, order_id=order_id)],
    }
    return together(sold(order_id, customer_id, **values), part)


def raised(name: str, opened: str, resolved: str | None) -> Parts:
    """A complaint about the first order of the case."""
    moments = {"opened_at": opened, "acknowledged_at": opened, "resolved_at": resolved}
    return {
        "service_cases": [contact_builders.service_case(case_id=name, order_id=f"{name}1", customer_id=name, **moments)]
    }
