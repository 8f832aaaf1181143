"""Orders and lines that only quarantined records name, and the orders that such records leave unknown.

Source: R34 (impossible dates) and docs/judgement.md, Quarantine. A record in quarantine never takes an order out of the
denominator: the order is judged unknown, from the key and the dates that can be read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

GOODS = ("orders", "order_lines", "shipments", "shipment_lines", "promises", "returns")
BILLS = ("invoices", "invoice_lines")
DAMAGE = ("damage", "defect")
Row = dict[str, Any]  # Any: a row has values of any column type
Rows = dict[str, list[Row]]

ORDER_COLUMNS = (
    "requested_from", "promised_from", "special_request", "bill_to", "payment_terms", "ship_to", "delivery_term",
    "cancelled_at", "cancelled_by", "cancel_reason",
)  # fmt: skip
"""Columns of an order that nobody reads from quarantine."""


@dataclass
class Reading:
    """An open quarantined record, read as a record of one order."""

    feed: str
    order_id: str
    line_no: str | None
    values: Row
    order_is_loaded: bool
    line_is_loaded: bool
    place: tuple[int, int]

    @property
    def bills_only(self) -> bool:
        return self.feed in BILLS

    def may_be_damage_credit(self, invoices: dict[str, Row]) -> bool:
        """Return whether a billing record may be a credit for damage: its document is one, or is not loaded."""
        if not self.bills_only:
            return False
        document = invoices.get(self.values.get("document_id") or "")
        return document is None or (document["invoice_kind"] == "credit" and document["credit_reason"] in DAMAGE)

    def concerns(self, order_id: str, line_no: str) -> bool:
        """Return whether a line is unknown: every line of the order, unless the record names a known line."""
        whole = self.feed in ("orders", "order_lines") or self.line_no is None or not self.line_is_loaded
        return self.order_id == order_id and (whole or self.line_no == line_no)

    @property
    def due(self) -> tuple[datetime, bool] | None:
        for name in ("promised_by", "requested_by"):
            if self.values.get(name) is not None:
                return self.values[name], self.values[f"{name}_is_date"]
        return None

    @property
    def exists(self) -> bool:
        """Return whether the record itself shows that there is an order."""
        return self.feed in GOODS and not self.values.get("deleted")


def plain(key: str) -> str:
    return key.lstrip("0").upper()


def readings(records: Rows) -> list[Reading]:
    """Return the open records, each once for every order that it may belong to."""
    of_record = {(row["file_id"], row["row_no"]): row for row in records.get("quarantine_values", [])}
    rows = [
        row
        for row in records.get("quarantine", [])
        if row["status"] in ("rejected", "waiting") and row["order_id"] and row["feed"] in (*GOODS, *BILLS)
    ]
    loaded = {row["order_id"] for row in records["orders"]}
    lines = {(row["order_id"], row["line_no"]) for row in records["order_lines"]}
    named = {row["order_id"] for row in rows if row["feed"] == "orders"}
    found = []
    for row in rows:
        orders = [row["order_id"]]
        if row["order_id"] not in loaded | named:
            orders = [one for one in loaded if plain(one) == plain(row["order_id"])] or orders
        place = (row["file_id"], row["row_no"])
        found += [
            Reading(
                row["feed"], one, row["line_no"], of_record.get(place, {}), one in loaded,
                (one, row["line_no"]) in lines, place,
            )
            for one in orders
        ]  # fmt: skip
    return found


def unloaded_lines(read: list[Reading], records: Rows) -> list[Row]:
    """Return the order lines that only quarantined records name."""
    latest: dict[tuple[str, str], Reading] = {}
    for one in sorted(read, key=lambda reading: reading.place):
        if one.feed == "order_lines" and not one.line_is_loaded and one.exists:
            row, file = one.place[1], one.place[0]
            latest[one.order_id, one.line_no or f"(record {row} of file {file})"] = one
    with_lines = {row["order_id"] for row in records["order_lines"]} | {order_id for order_id, _ in latest}
    rows = [_line(order_id, line_no, one.values) for (order_id, line_no), one in latest.items()]
    others = [one for one in read if one.exists and one.order_id not in with_lines]
    numbered = {one.order_id for one in read if one.line_no is not None}
    names = {
        (one.order_id, one.line_no or "(unknown)") for one in others if one.line_no or one.order_id not in numbered
    }
    return rows + [_line(order_id, line_no, {}) for order_id, line_no in sorted(names)]


def _line(order_id: str, line_no: str, values: Row) -> Row:
    copied = ("product_id", "unit_price_amount", "requested_by", "requested_by_is_date")
    names = (*copied, "promised_by", "promised_by_is_date")
    return {
        "order_id": order_id,
        "line_no": line_no,
        "line_kind": values.get("line_kind") or "goods",
        "ordered_qty": values.get("ordered_qty") or Decimal(0),
        "quantity_unknown": values.get("ordered_qty") is None,
        "in_quarantine": True,
        **{name: values.get(name) for name in names},
        **dict.fromkeys(
            ("tax_rate", "cancelled_qty", "cancelled_at", "cancelled_at_is_date", "cancelled_by", "cancel_reason")
        ),
    }


def unloaded_orders(read: list[Reading], as_of: datetime) -> Iterator[Row]:
    """Yield the orders that only quarantined records name, dated by what can be read, else by the day received."""
    ours: dict[str, list[Reading]] = {}
    for one in read:
        if one.exists and not one.order_is_loaded:
            ours.setdefault(one.order_id, []).append(one)
    for order_id, several in ours.items():
        own = [one for one in several if one.feed == "orders"]
        best = max(own or several, key=lambda reading: reading.place)
        dues = [one.due for one in sorted(several, key=lambda reading: reading.place) if one.due]
        ordered: tuple[datetime, bool] = (as_of, False)
        if best.values.get("ordered_at") is not None:
            ordered = best.values["ordered_at"], best.values["ordered_at_is_date"]
        elif dues and (first := min(dues, key=lambda due: due[0]))[0] + timedelta(days=2) <= as_of:
            ordered = first
        header = best.values if own else {}
        dates = [f"{name}{flag}" for name in ("requested_by", "promised_by") for flag in ("", "_is_date")]
        yield {
            "order_id": order_id,
            "customer_id": best.values.get("customer_id") or "(none)",
            "ordered_at": ordered[0],
            "ordered_at_is_date": ordered[1],
            "order_type": best.values.get("order_type") or "sale",
            "ship_to_time_zone": best.values.get("ship_to_time_zone") or "UTC",
            "time_zone_assumed": True,
            "in_quarantine": True,
            **{name: header.get(name) for name in ("region", "channel", "fulfilment_model", "currency", *dates)},
            **{f"{name}{flag}": None for name in ORDER_COLUMNS for flag in ("", "_is_date")},
        }
