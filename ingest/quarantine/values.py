"""Readable values of quarantined records: what the facts need to know of an order that only such a record names."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal

from sqlalchemy import String

from metrics.schema import FEEDS, quarantine_values

DOCUMENTS = ("shipment_id", "invoice_id")
HAPPENED = ("invoiced_at", "incurred_on", "paid_at", "announced_at", "opened_at", "wanted_at", "ordered_at")
"""Columns with the day of a record's own event. A feed has at most one of them."""


def read_columns(feed: str) -> list[str]:
    """Return the columns of a feed whose values are stored for quarantined records."""
    stored = [column.name for column in quarantine_values.columns if column.name not in ("file_id", "row_no")]
    named = (*stored, *DOCUMENTS, *HAPPENED, "unit")
    return [name for name in dict.fromkeys(named) if name in FEEDS[feed].table.c]


def without_broken(feed: str, values: Mapping[str, object], columns: Collection[str]) -> dict[str, object]:
    """Return the values of a record without those that break a rule.

    columns: the columns that its broken rules name; `ok_text` stands for every text.
    """
    table = FEEDS[feed].table.c
    unclean = "ok_text" in columns

    def is_broken(name: str) -> bool:
        is_text = isinstance(table[name].type, String) and name != "ship_to_time_zone"
        return name.removesuffix("_is_date") in columns or (unclean and is_text)

    return {name: None if is_broken(name) else values[name] for name in read_columns(feed)}


def stored_values(values: Mapping[str, object], time_zone: str | None) -> dict[str, object]:
    """Return the row of `quarantine_values` for a record, without its file_id and row_no.

    time_zone: the declared zone of the source, for records without an own zone.
    """
    kept = {
        column.name: values.get(column.name)
        for column in quarantine_values.columns
        if column.name not in ("file_id", "row_no")
    }
    kept["ship_to_time_zone"] = values.get("ship_to_time_zone") or time_zone
    kept["document_id"] = next((values[name] for name in DOCUMENTS if values.get(name)), None)
    happened = next((values[name] for name in HAPPENED if values.get(name)), None)
    kept["happened_on"] = happened.date() if isinstance(happened, datetime) else happened
    quantity = kept["ordered_qty"]
    if values.get("unit") or not (isinstance(quantity, Decimal) and quantity > 0):
        kept["ordered_qty"] = None
    if values.get("unit"):
        kept["unit_price_amount"] = None
    return kept
