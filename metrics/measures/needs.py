"""Feeds and columns that several modules of measures need."""

from metrics.facts.failures import DAMAGE_COLUMNS
from metrics.model.measure import Need

NEEDS_MESSAGES = Need(("messages.message_id",), "no feed: messages")

NEEDS_CASES = Need(
    ("service_cases.kind",), "no feed: service_cases"
)  # what people write here of orders put right has no kind


CORE_FEEDS = ("orders", "order_lines", "shipments", "shipment_lines")

BILLING_FEEDS = ("invoices", "invoice_lines")

NEEDS_PROMISE = Need(
    ("orders.promised_by", "order_lines.promised_by"), "no data: promised_by (map it in orders or order_lines)"
)

NEEDS_RECEIPT = Need(("shipments.received_at",), "no data: received_at (map shipments.received_at)")

NEEDS_BILLS = Need(("invoice_lines.line_amount",), "no feed: invoices")

NEEDS_DAMAGE = Need(
    DAMAGE_COLUMNS,
    "no feed: damage (map shipment_lines.damaged_qty or invoices.credit_reason)",
)

PENDING = "Pending orders (not yet due), excused cancellations, services and fees, orders that are not sales. Unknown verdicts lower the coverage."


NEEDS_SHIPPED = Need(("shipments.shipped_at",), "no data: shipped_at (map shipments.shipped_at)")

NEEDS_PRICE = Need(("order_lines.unit_price_amount",), "no feed: prices (map order_lines.unit_price_amount)")
