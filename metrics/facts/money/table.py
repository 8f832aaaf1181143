"""The table `money_facts`, one row per movement of money, and columns shared by all kinds of rows."""

from decimal import Decimal

from sqlalchemy import Boolean, Column, Date, FromClause, String, cast, func, literal, select

from metrics.facts.fact_table import BuildContext, fact_table
from metrics.facts.orders import DIMENSION_COLUMNS, NONE, order_facts_table
from metrics.facts.versions import valid_on, versions
from metrics.schema import AMOUNT, EXACT_AMOUNT, QTY, customers
from metrics.sql.dialects import Expression, Rows, times, typed_null
from metrics.sql.exchange_rates import join_rate

STEP = Decimal("0.0001")
"""Precision of an amount."""

money_facts_table = fact_table(
    "money_facts",
    "movement",
    "one row: one movement of money",
    Column("kind", String, comment="net_sales, product_cost or cost_to_serve"),
    Column("activity", String, comment="activity of a cost to serve; (none) for other kinds"),
    Column("source", String, comment="invoice, credit, reversal, service_cost, freight or case"),
    Column("document_id", String, comment="the invoice, service cost, shipment or case"),
    Column("order_id", String, comment="the order it belongs to; empty: the customer as a whole"),
    Column("line_no", String, comment="the order line billed"),
    Column("day", Date, comment="local day of the document or cost"),
    Column("cohort_day", Date, comment="local day the order was placed; without an order `day`"),
    Column(
        "amount",
        EXACT_AMOUNT,
        comment="in the reporting currency; empty: no rate (net_sales, cost_to_serve), no unit cost (product_cost)",
    ),
    Column("original_amount", AMOUNT, comment="in `currency`"),
    Column("quantity", QTY, comment="net billed, of net_sales and product_cost"),
    Column(
        "cost_known", Boolean, comment="net_sales: true if its product cost is known, or if it is a service without one"
    ),
    Column("of_goods_sold", Boolean, comment="true: of a goods line of a sale; empty: cost_to_serve"),
    Column("stands_for_document", Boolean, comment="true on one row per document, for counting documents"),
    Column("customer_id", String),
    Column("currency", String),
)

m = money_facts_table.c


def row_of(values_: dict[str, Expression], facts: FromClause | None) -> list[Expression]:
    """Return the table's columns in order: given values, dimensions of the joined facts, else `(none)` or null."""
    chosen: list[Expression] = []
    for column in money_facts_table.columns:
        if column.name in values_:
            value = values_[column.name]
        elif column.name in DIMENSION_COLUMNS:
            value = (
                literal(NONE, String) if facts is None else func.coalesce(facts.c[column.name], literal(NONE, String))
            )
        else:
            value = literal(NONE, String) if column.name == "activity" else typed_null(column.type)
        chosen.append(cast(value, column.type).label(column.name))
    return chosen


def cost_rows(
    tables: FromClause,
    values_: dict[str, Expression],
    *,
    customer: Expression,
    currency: Expression,
    day: Expression,
    context: BuildContext,
) -> Rows:
    """Select costs to serve with the dimensions of their order.

    Without an order, segment and region come from the customer's version of that day.
    """
    o, version = order_facts_table.c, versions(customers, ("customer_id",), ("service_segment", "region"))
    tables = tables.outerjoin(order_facts_table, o.order_id == values_["order_id"]).outerjoin(
        version, valid_on(version, day, customer_id=customer)
    )
    of_order = func.coalesce(currency, func.nullif(o.currency, NONE))
    tables, rate = join_rate(tables, of_order, day, context.mapped)
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
    return select(*row_of(known | values_, order_facts_table)).select_from(tables)
