"""Feeds, columns and sentences that several modules of measures share.

A module defines the needs that only it has.
"""

from metrics.facts.failures import DAMAGE_COLUMNS
from metrics.model.measure import Need

CORE_FEEDS = ("orders", "order_lines", "shipments", "shipment_lines")
BILLING_FEEDS = ("invoices", "invoice_lines")
COST_FEEDS = ("service_costs", "shipments", "service_cases")
"""The feeds that cost to serve is computed from."""

STOCKOUT_ASSUMPTIONS = (
    "lost_k",
    "wait_cost",
    "customer_years",
    "stockout_waited_share",
    "stockout_back_ordered_share",
    "stockout_sale_lost_share",
    "stockout_buyer_lost_share",
    "stockout_back_ordered_cost",
    "stockout_sale_lost_cost",
    "stockout_buyer_lost_cost",
)
FILL_ASSUMPTIONS = (
    "fill_target",
    "fill_back_order_cost",
    "fill_invoice_deduction",
    "fill_order_profit",
    "fill_investment",
)
ZONE_ASSUMPTIONS = (
    "zone_sales_cut",
    "zone_cost_cut",
    "zone_cost_as_share",
    "danger_moved_share",
    "danger_charge_acceptance",
    "danger_channel_margin",
    "danger_channel_order_cost",
)
"""Each group is complete, because the measures of a group depend on each other."""

ORDER_LINES = ("orders.order_id", "order_lines.ordered_qty")
"""Columns that every source of orders and order lines maps."""
NEEDS_ORDERS = Need(("orders.order_id",))
NEEDS_ORDER_LINES = Need((ORDER_LINES,))
NEEDS_PROMISE = Need(("orders.promised_by", "order_lines.promised_by"))
NEEDS_PROMISE_HISTORY = Need(("promises.promised_by",))
NEEDS_REQUEST = Need(("orders.requested_by", "order_lines.requested_by"))
NEEDS_FIRST_DUE = Need((*NEEDS_PROMISE.any_of, *NEEDS_REQUEST.any_of))
"""The first pass goes by the first promise, else by the request (R8)."""
_SHIPMENTS = ("shipment_lines.shipped_qty", *ORDER_LINES)
NEEDS_CONSIGNMENTS = Need((("shipments.shipment_id", *_SHIPMENTS),))
"""Billed quantities are compared with those of consignments, proven or not."""
SHIPPED, RECEIVED = ("shipments.shipped_at", *_SHIPMENTS), ("shipments.received_at", *_SHIPMENTS)
"""Consignments that left, and those that arrived: header, lines and the order lines they belong to."""
NEEDS_SHIPPED = Need((SHIPPED,))
NEEDS_FIRST_PASS = (NEEDS_SHIPPED, NEEDS_FIRST_DUE)
NEEDS_RECEIPT = Need((RECEIVED,))
NEEDS_ACCURACY = Need(
    (("order_lines.product_id", "shipment_lines.product_id"), ("orders.ship_to", "shipments.received_place")),
    "product or place",
)
COLLECTION = "If the buyer collects (EXW, FCA), leaving our place counts as receipt."
"""Sentence in the definition of every measure that rests on receipt. Source: R2 (date of receipt)."""
ALSO_BY_RECEIPT = (
    "damage_free",
    "billed_accurately",
    "invoices_right_first_time",
    "late_orders_observed",
    "promises_missed",
    "missed_at_step",
    "package_attainment",
    "under_served_protect",
    "over_served_danger",
    "failed_orders",
    "judged_orders",
    "pending_orders",
    "retained_margin",
    "books_dispute",
    "failed_value_by_buyer",
    "failed_value_disputed",
    "fine_at_stake",
    "fine_disputed",
)
"""Measures that rest on receipt without needing the column received_at."""
NEEDS_DAMAGE = Need(DAMAGE_COLUMNS, "damage")
_BILLS = ("invoices.invoiced_at", "invoice_lines.line_amount", "invoice_lines.order_id", *ORDER_LINES)
NEEDS_INVOICES = Need((_BILLS,))
NEEDS_BILLS = Need(((*_BILLS, "invoice_lines.line_no"),))
"""Bills of order lines. Without line_no, every invoice line is a charge of its order."""
NEEDS_INVOICE_CURRENCY = Need(("invoices.currency",), when="payments.currency")
"""A payment settles an invoice of its own currency only."""
NEEDS_ANY_TEST = Need((RECEIVED, *NEEDS_BILLS.any_of), "tests of orders")
"""Without receipts and bills, no order can be judged."""
NEEDS_PRICE = Need(("order_lines.unit_price_amount",))
NEEDS_CURRENCY = Need(("orders.currency",), when="fx_rates.rate")
"""With exchange rates, an amount without a currency has no rate."""
NEEDS_BILL_CURRENCY = Need(("invoices.currency", "orders.currency"), when="fx_rates.rate")
NEEDS_UNIT_COST = Need((("products.unit_cost_amount", "order_lines.product_id"),))
NEEDS_BILLED_QTY = Need(("invoice_lines.billed_qty",))
NEEDS_COSTS = Need(
    ("service_costs.amount", "shipments.freight_amount", "service_cases.cost_amount"),
    "cost to serve",
)
NEEDS_MESSAGES = Need(("messages.message_id",))
NEEDS_RESOLVED = Need(("service_cases.resolved_at",), when="service_cases.opened_at")
NEEDS_CASES = Need(("service_cases.kind",), "kind of case")
"""Cases are recognised by `kind`, because orders resolved in the dashboard become cases without a kind."""

PENDING = (
    "Pending orders (not yet due), excused cancellations, services and fees, and orders that are not sales. "
    "Unknown verdicts lower the coverage."
)
NO_RATE = (
    "Documents whose currency has no exchange rate on their day or in the seven days before. "
    "documents_without_rate counts them."
)
"""Exclusions of judged orders and of amounts of money."""


def known_by_order(cost: str = "cost") -> tuple[tuple[str, str], ...]:
    """Return the dimensions that a measure with a part of whole orders refuses: it cannot be split over their lines."""
    return (
        ("product_category", f"{cost} is known by order, not by product"),
        ("carrier", f"{cost} is known by order, not by carrier"),
    )
