"""One row: one movement of money: a billed or credited line, its product cost, or a cost of serving.

Three kinds, each positive in the ordinary case. `net_sales`: invoices less credits less reversals of goods and service
lines, without tax and without lines that name no order line (R24). `product_cost`: the net billed quantity of that line
times the unit cost of the order's day (R35). `cost_to_serve`: service costs, freight of consignments and costs of
cases, the last two only for orders that no service cost charges with it.

`amount` is in the reporting currency at the rate of the movement's day (R25), null where there is none: such rows are
left out of every sum, counted and shown. A unit cost has no currency of its own: it is in the reporting currency.
Freight of a consignment that carries several orders is shared by the quantity shipped for each, in base units; the
parts add up to the whole to the last digit. Source: rules R24, R25, R35, section 4 (e).
"""

from collections.abc import Sequence

from sqlalchemy import Connection, SelectBase, select, true, union

from metrics.facts.fact_table import BuildContext, Changes, FactTable
from metrics.facts.money.billing import invoiced_lines, net_sales, product_cost
from metrics.facts.money.freight import freight_of_shared_shipments, freight_of_single_orders, freight_rows
from metrics.facts.money.service_costs import case_rows, service_cost_rows
from metrics.facts.money.table import m, money_facts_table
from metrics.facts.orders import order_facts_table
from metrics.schema import invoice_lines, invoices, service_cases, service_costs, shipment_lines
from metrics.sql.dialects import Rows


def select_rows(connection: Connection, context: BuildContext) -> Sequence[Rows]:
    """The SELECTs of all movements by `as_of`."""
    billed = invoiced_lines(context).cte("billed")
    made = [net_sales(billed, context), product_cost(billed, context), service_cost_rows(context), case_rows(context)]
    if "shipments.freight_amount" in context.mapped:
        made += [
            freight_rows(carried, context)
            for carried in (freight_of_single_orders(context), *freight_of_shared_shipments(connection, context))
        ]
    return made


def _stale_keys(changed: Changes, _context: BuildContext) -> SelectBase:
    """The documents of the orders that changed, with all their rows: those that reverse them, and those that belonged
    to them before, as well.

    A cost that names no order that is judged may change with its customer, and a case with other costs of it: these are
    made again by every run.
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
    found.append(
        select(reversing.invoice_id)
        .select_from(billed)
        .where(reversing.reverses_invoice_id == invoice_lines.c.invoice_id)
    )
    of_cost = m.source.in_(("service_cost", "case"))
    for document, order_id, which in (
        (service_costs.c.cost_id, service_costs.c.order_id, true()),
        (service_cases.c.case_id, service_cases.c.order_id, true()),
        (m.document_id, m.order_id, of_cost),
    ):
        nobodys = document.table.outerjoin(order_facts_table, o.order_id == order_id)
        found.append(select(document).select_from(nobodys).where(which, o.order_id.is_(None)))
    return union(*found)


FACT_TABLES = (FactTable(money_facts_table, select_rows, key="document_id", stale_keys=_stale_keys),)
