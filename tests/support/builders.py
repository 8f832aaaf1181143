"""Build rows of the canonical feeds with defaults, so that a test names only the values it needs.

A row has every column of `metrics.schema`, provenance included. Times are text: `"2026-03-10"` is a bare date,
`"2026-03-10T14:00Z"` an instant. Each gives two columns. Numbers are int, text or Decimal. By default, a sale to place
P1 (UTC) is shipped and billed as ordered. Builders of contacts and costs are in contact_builders.py.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, Numeric

from metrics.schema import FEEDS, PROVENANCE

Row = dict[str, Any]  # Any: a row has values of any column type
Records = dict[str, list[Row]]


def columns(feed: str) -> tuple[str, ...]:
    """Return the feed's columns by the names of a mapping file, without provenance. A time is one column."""
    return tuple(
        column
        for column in (one.name for one in FEEDS[feed].table.columns)
        if column not in PROVENANCE and not column.endswith("_is_date")
    )


def everything(*feeds: str) -> frozenset[str]:
    """Return `feed.column` for all columns of these feeds, or of the core feeds."""
    return frozenset(f"{feed}.{column}" for feed in feeds or CORE for column in columns(feed))


def moment(text: str) -> tuple[datetime, bool]:
    """Return the two columns of a time. An instant without a zone is UTC."""
    if len(text) == len("2026-03-10"):
        return datetime.fromisoformat(text), True
    value = datetime.fromisoformat(text)
    return (value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)), False


def row(feed: str, values: Mapping[str, object]) -> Row:
    """Return a complete row of the feed. Other columns are empty.

    Raises KeyError for an unknown column.
    """
    table = FEEDS[feed].table
    made: Row = dict.fromkeys(column.name for column in table.columns)
    made.update(source="test", file_id=1, row_no=1, deleted=False)
    for name, value in values.items():
        if name not in made:
            raise KeyError(f"{feed} has no column {name}")
        if f"{name}_is_date" in made:
            made[name], made[f"{name}_is_date"] = moment(str(value)) if value is not None else (None, None)
        elif isinstance(table.c[name].type, Numeric) and value is not None:
            made[name] = Decimal(str(value))
        elif isinstance(table.c[name].type, Date) and isinstance(value, str):
            made[name] = date.fromisoformat(value)
        else:
            made[name] = value
    return made


def order(**values: object) -> Row:
    """Return a sale ordered on 1 March 2026 and promised for the 10th, both bare dates, in UTC."""
    defaults = {
        "order_id": "O",
        "customer_id": "C",
        "ordered_at": "2026-03-01",
        "promised_by": "2026-03-10",
        "order_type": "sale",
        "currency": "EUR",
        "bill_to": "B1",
        "payment_terms": "net 30",
        "ship_to": "P1",
        "ship_to_time_zone": "UTC",
        "time_zone_assumed": False,
    }
    return row("orders", defaults | values)


def order_line(**values: object) -> Row:
    """Return a goods line of 100 of product P at 5.00, taxed at 20 %."""
    defaults = {
        "order_id": "O",
        "line_no": "1",
        "product_id": "P",
        "ordered_qty": 100,
        "unit_price_amount": "5.00",
        "tax_rate": "0.2",
        "line_kind": "goods",
    }
    return row("order_lines", defaults | values)


def shipment(**values: object) -> Row:
    """Return a consignment to the right place. By default it has neither left nor arrived."""
    return row("shipments", {"shipment_id": "S1", "carrier": "road", "received_place": "P1"} | values)


def shipment_line(**values: object) -> Row:
    """Return a shipment line of 100 of product P for line 1, without damage."""
    defaults = {
        "shipment_id": "S1",
        "shipment_line_no": "1",
        "order_id": "O",
        "line_no": "1",
        "product_id": "P",
        "shipped_qty": 100,
        "damaged_qty": 0,
    }
    return row("shipment_lines", defaults | values)


def invoice(**values: object) -> Row:
    """Return an invoice of 10 March with the order's currency, party and terms."""
    defaults = {
        "invoice_id": "I1",
        "invoice_kind": "invoice",
        "invoiced_at": "2026-03-10",
        "bill_to": "B1",
        "payment_terms": "net 30",
        "currency": "EUR",
    }
    return row("invoices", defaults | values)


def invoice_line(**values: object) -> Row:
    """Return an invoice line of 100 at 5.00 for line 1. The default amount is quantity × price, with 20 % tax."""
    defaults = {
        "invoice_id": "I1",
        "invoice_line_no": "1",
        "order_id": "O",
        "line_no": "1",
        "billed_qty": 100,
        "unit_price_amount": "5.00",
    }
    given = defaults | values
    if "line_amount" not in given:
        given["line_amount"] = Decimal(str(given["billed_qty"] or 0)) * Decimal(str(given["unit_price_amount"] or 0))
    if "tax_amount" not in given:
        given["tax_amount"] = (Decimal(str(given["line_amount"])) * Decimal("0.2")).quantize(Decimal("0.0001"))
    return row("invoice_lines", given)


def customer(**values: object) -> Row:
    """Return customer C, segment A, region North, from the start of 2026."""
    defaults = {
        "customer_id": "C",
        "valid_from": "2026-01-01",
        "name": "Customer",
        "service_segment": "A",
        "region": "North",
    }
    return row("customers", defaults | values)


def product(**values: object) -> Row:
    """Return product P, counted in pieces, from the start of 2026."""
    defaults = {
        "product_id": "P",
        "valid_from": "2026-01-01",
        "name": "Product",
        "category": "tools",
        "base_unit": "piece",
    }
    return row("products", defaults | values)


def unit_factor(**values: object) -> Row:
    """Return a box of 12 of product P, from the start of 2026."""
    return row("unit_factors", {"product_id": "P", "unit": "box", "valid_from": "2026-01-01", "factor": 12} | values)


def service_package(**values: object) -> Row:
    """Return segment A's service package: 3 days, 98 % fill."""
    defaults = {
        "service_segment": "A",
        "valid_from": "2026-01-01",
        "defect_share_max": "0.01",
        "order_fill_min": "0.98",
        "lead_time_days_max": 3,
        "delivery_window": "hour",
        "payment_terms": "4/10 net 30",
        "support_level": "dedicated_rep",
    }
    return row("service_packages", defaults | values)


def policy_version(**values: object) -> Row:
    """Return contract K1 from the start of 2026. By default it equals the strict policy."""
    return row("policies", {"policy_id": "K1", "valid_from": "2026-01-01"} | values)


def target(**values: object) -> Row:
    """Return a target of 95 % on time for all, from the start of 2026."""
    return row(
        "targets", {"measure": "on_time", "scope": "all", "valid_from": "2026-01-01", "target_value": "0.95"} | values
    )


def assumption(**values: object) -> Row:
    """Return an assumed carrying rate of 20 % for all, from the start of 2026."""
    return row(
        "assumptions",
        {"assumption": "carrying_rate", "scope": "all", "valid_from": "2026-01-01", "assumed_value": "0.2"} | values,
    )


def calendar_day(**values: object) -> Row:
    """Return Monday 2 March 2026, open from 8 to 16 UTC everywhere."""
    defaults = {
        "calendar_id": "default",
        "day": "2026-03-02",
        "opens_at": "2026-03-02T08:00Z",
        "closes_at": "2026-03-02T16:00Z",
    }
    return row("calendars", defaults | values)


def fx_rate(**values: object) -> Row:
    """Return a rate of 1.10 reporting dollars for a euro on 1 March 2026."""
    return row(
        "fx_rates", {"currency": "EUR", "on_date": "2026-03-01", "rate": "1.10", "reporting_currency": "USD"} | values
    )


def promise(**values: object) -> Row:
    """Return the second revision of line 1's promise: on 5 March the buyer moved it to the 20th."""
    defaults = {
        "order_id": "O",
        "line_no": "1",
        "revision_no": 2,
        "promised_by": "2026-03-20",
        "changed_at": "2026-03-05",
        "changed_by": "buyer",
        "basis": "ATP",
    }
    return row("promises", defaults | values)


def hold(**values: object) -> Row:
    """Return a credit hold of the order from 2 March 10:00 to 3 March 10:00 UTC."""
    defaults = {
        "hold_id": "H1",
        "order_id": "O",
        "kind": "credit",
        "placed_at": "2026-03-02T10:00Z",
        "released_at": "2026-03-03T10:00Z",
        "caused_by": "buyer",
    }
    return row("holds", defaults | values)


def order_event(**values: object) -> Row:
    """Return the first attempt at step 2, from 1 March 10:00 to 2 March 10:00 UTC."""
    defaults = {
        "order_id": "O",
        "step": 2,
        "event_no": 1,
        "started_at": "2026-03-01T10:00Z",
        "finished_at": "2026-03-02T10:00Z",
    }
    return row("order_events", defaults | values)


def restated_quantity(**values: object) -> Row:
    """Return a restatement: the run of 5 March changed line 1 from 100 to 80 (a row of the run ledger, not a feed)."""
    defaults = {
        "order_id": "O",
        "line_no": "1",
        "run_id": 2,
        "data_as_of": datetime(2026, 3, 5, 23, 59, 59, 999999),
        "before_qty": Decimal(100),
        "after_qty": Decimal(80),
        **dict.fromkeys(("unit", "source_updated_at", "deleted", "file_id", "row_no")),
    }
    return defaults | {name: Decimal(str(value)) if name.endswith("_qty") else value for name, value in values.items()}


CORE = ("orders", "order_lines", "shipments", "shipment_lines", "invoices", "invoice_lines", "customers", "products")
"""Feeds that are mapped by default."""


def records(**feeds: Iterable[Row]) -> Records:
    """Return the records of the named feeds. All other feeds are empty."""
    return {name: list(feeds.get(name, ())) for name in FEEDS}
