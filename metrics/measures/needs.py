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

NEEDS_PROMISE = Need(
    ("orders.promised_by", "order_lines.promised_by"), "no data: promised_by (map it in orders or order_lines)"
)
NEEDS_PROMISE_HISTORY = Need(("promises.promised_by",), "no feed: promises")
NEEDS_REQUEST = Need(
    ("orders.requested_by", "order_lines.requested_by"), "no data: requested_by (map it in orders or order_lines)"
)
NEEDS_SHIPPED = Need(("shipments.shipped_at",), "no data: shipped_at (map shipments.shipped_at)")
NEEDS_RECEIPT = Need(("shipments.received_at",), "no data: received_at (map shipments.received_at)")
COLLECTION = "If the buyer collects (EXW, FCA), leaving our place counts as receipt."
"""Sentence in the definition of every measure that rests on receipt. Source: R2 (date of receipt)."""
ALSO_BY_RECEIPT = (
    "damage_free",
    "billed_accurately",
    "invoices_right_first_time",
    "late_orders_observed",
    "promises_died",
    "promise_died",
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
NEEDS_DAMAGE = Need(DAMAGE_COLUMNS, "no feed: damage (map shipment_lines.damaged_qty or invoices.credit_reason)")
NEEDS_BILLS = Need(("invoice_lines.line_amount",), "no feed: invoices")
NEEDS_PRICE = Need(("order_lines.unit_price_amount",), "no feed: prices (map order_lines.unit_price_amount)")
NEEDS_UNIT_COST = Need(("products.unit_cost_amount",), "no data: unit_cost_amount (map products.unit_cost_amount)")
NEEDS_COSTS = Need(
    ("service_costs.amount", "shipments.freight_amount", "service_cases.cost_amount"),
    "no feed: service_costs (or map shipments.freight_amount or service_cases.cost_amount)",
)
NEEDS_MESSAGES = Need(("messages.message_id",), "no feed: messages")
NEEDS_CASES = Need(("service_cases.kind",), "no feed: service_cases")
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
