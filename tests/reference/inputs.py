"""What the reference implementation judges: the records, the policy, the time and the mapped columns.

It reads the rows of the canonical feeds. It does not use the SQL in `metrics`.
"""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tests.reference.in_quarantine import Rows, readings, unloaded_lines, unloaded_orders

Row = Mapping[str, Any]  # Any: a row has values of any column type


Records = Mapping[str, list[dict[str, Any]]]  # Any: as in a row
Policy = Mapping[str, Any]  # Any: text, numbers, truth values and lists of reasons

STRICT: Policy = {
    "timing": "DEADLINE",
    "early_tolerance_days": 0,
    "early_tolerance_hours": Decimal(0),
    "late_tolerance_days": 0,
    "late_tolerance_hours": Decimal(0),
    "under_tolerance_share": Decimal(0),
    "over_tolerance_share": Decimal(0),
    "claims_days": 30,
    "invoice_days": 7,
    "undated_days": 30,
    "anchor": "first_promise",
    "rebase": "buyer",
    "allow_substitution": True,
    "receipt_event": "received_at",
    "open_balance": "by_receipt",
    "fault_reasons": ("late", "out_of_stock"),
}
"""The strict policy: the default of every key (docs/rules.md, policy)."""

POLICY_COLUMNS = (
    "timing",
    "early_tolerance_days",
    "early_tolerance_hours",
    "late_tolerance_days",
    "late_tolerance_hours",
    "under_tolerance_share",
    "over_tolerance_share",
    "claims_days",
    "invoice_days",
    "anchor",
)
"""Keys that a contract can set. All other keys keep their strict value."""


class Inputs:
    """The records, the policy, the mapped columns (`feed.column`) and the time (UTC, no zone) of one judgement."""

    def __init__(self, records: Records, policy: Policy, as_of: datetime, mapped: frozenset[str]) -> None:
        self.policy, self.as_of, self.mapped = policy, as_of, mapped
        alive = {feed: [row for row in rows if not row["deleted"]] for feed, rows in records.items() if self.fed(feed)}
        self.feeds: Rows = {feed: alive.get(feed, []) for feed in records}
        self.shipments = {row["shipment_id"]: row for row in self.feeds["shipments"]}
        self.invoices = {row["invoice_id"]: row for row in self.feeds["invoices"]}
        known: Rows = {feed: list(rows) for feed, rows in records.items()}
        self.quarantine = readings(known)
        self.feeds["orders"].extend(unloaded_orders(self.quarantine, as_of))
        self.feeds["order_lines"].extend(unloaded_lines(self.quarantine, known))
        self.restated = list(records.get("restated_quantities", []))
        self.of_order: dict[str, dict[str, list[Row]]] = {}
        for feed, rows in self.feeds.items():
            grouped: dict[str, list[Row]] = {}
            for row in rows:
                if "order_id" in row:
                    grouped.setdefault(row["order_id"], []).append(row)
            self.of_order[feed] = grouped

    def rows(self, feed: str, order_id: str, line_no: str | None = None) -> list[Row]:
        """Return the rows of a feed for one order, or for one line of it."""
        return [
            row for row in self.of_order.get(feed, {}).get(order_id, []) if line_no is None or row["line_no"] == line_no
        ]

    def fed(self, feed: str) -> bool:
        return any(name.startswith(f"{feed}.") for name in self.mapped)

    def delivered(self) -> bool:
        """Return whether any source has consignments and their lines."""
        return self.fed("shipments") and self.fed("shipment_lines")

    def compared(self) -> dict[str, bool]:
        """Return which parts of `filled_accurately` compare two mapped columns. Overage compares quantities."""
        return {
            "item_ok": self.tested("order_lines.product_id", "shipment_lines.product_id"),
            "place_ok": self.tested("orders.ship_to", "shipments.received_place"),
        }

    def tested(self, *names: str) -> bool:
        """Return whether all these columns are mapped. A comparison needs every column that it uses."""
        return all(name in self.mapped for name in names)

    def version(self, feed: str, key: str, value: str | None, day: date) -> Row | None:
        """Return the version of a record that is valid on a day, or None (R35, valid on order day)."""
        fitting = [row for row in self.feeds.get(feed, []) if row[key] == value and row["valid_from"] <= day]
        return max(fitting, key=lambda row: row["valid_from"], default=None)
