"""`money_facts`: one row per movement of money (a billed or credited line, its product cost, or a cost to serve).

There are three kinds, usually positive. `net_sales`: invoices less credits less reversals of goods, service
and discount lines, without tax and without lines that name no order line. `product_cost`: the net billed quantity of
that line times the unit cost of the order's day. `cost_to_serve`: service costs, freight of shipments and costs of
cases. Freight and case costs count only for orders without a service cost for the same activity.

`amount` is in the reporting currency at the rate of the movement's day. It is null without a rate; sums exclude these
rows, and screens show their number. Unit costs are in the reporting currency. Freight of a shipment with several
orders is shared by the quantity shipped for each, in base units. The parts add up exactly to the total.
Source: R24 (net sales), R25 (currencies), R35 (valid on order day); docs/rules.md, Profitability.
"""

from collections.abc import Iterator

from sqlalchemy import Connection, SelectBase, select, true, union, union_all

from metrics.facts.fact_table import BuildContext, Changes, FactTable
from metrics.facts.money.billing import invoiced_lines, net_sales, product_cost
from metrics.facts.money.freight import freight_rows
from metrics.facts.money.service_costs import case_rows, service_cost_rows
from metrics.facts.money.table import m, money_facts_table
from metrics.facts.orders import order_facts_table
from metrics.schema import invoice_lines, invoices, service_cases, service_costs, shipment_lines
from metrics.sql.dialects import Rows


def select_rows(_connection: Connection, context: BuildContext) -> Iterator[Rows]:
    """Yield the SELECTs of all movements by `as_of`."""
    billed = invoiced_lines(context).cte("billed")
    sales, cost = net_sales(billed, context), product_cost(billed, context)
    if context.only is None:
        yield sales  # the billed lines of all orders are computed twice, which takes less memory
        yield cost
    else:
        yield select(union_all(sales, cost).subquery("sales_and_cost"))
    yield service_cost_rows(context)
    yield case_rows(context)
    if "shipments.freight_amount" in context.mapped:
        yield freight_rows(context)


def _stale_keys(changed: Changes, _context: BuildContext) -> SelectBase:
    """Select the documents of changed orders, including reversals and documents that belonged to them before.

    Every run rebuilds costs and cases without a judged order. They can change with their customer or with other costs
    of the customer.
    """
    only, reversing, o = changed.orders, invoices.alias("reversing").c, order_facts_table.c
    documents = [
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
    documents.append(
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
        without_order = document.table.outerjoin(order_facts_table, o.order_id == order_id)
        documents.append(select(document).select_from(without_order).where(which, o.order_id.is_(None)))
    return union(*documents)


FACT_TABLES = (FactTable(money_facts_table, select_rows, key="document_id", stale_keys=_stale_keys),)
