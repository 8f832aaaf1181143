"""Rows of the canonical feeds with everything defaulted, so that a test writes only what matters to it.

A row is a dict with every column of `metrics.schema`, provenance included. A moment is given as text, `"2026-03-10"` (a
bare date) or `"2026-03-10T14:00Z"` (an instant), and becomes its two columns; a number may be given as int, text or
Decimal. By default everything is clean and strict: one sale to place P1 in UTC, billed and shipped as ordered.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Date, Numeric

from metrics.schema import FEEDS, PROVENANCE

Row = dict[str, Any]
Records = dict[str, list[Row]]


def columns(feed: str) -> tuple[str, ...]:
    """The feed's own columns as a mapping file names them: a moment is one column, provenance is not there."""
    return tuple(
        column
        for column in (one.name for one in FEEDS[feed].table.columns)
        if column not in PROVENANCE and not column.endswith("_is_date")
    )


def everything(*feeds: str) -> frozenset[str]:
    """`feed.column` of all columns of these feeds (of the core feeds, customers and products when none is named)."""
    return frozenset(f"{feed}.{column}" for feed in feeds or CORE for column in columns(feed))


def moment(text: str) -> tuple[datetime, bool]:
    """The two columns of a moment: `2026-03-10` is a bare date, anything longer an ISO instant, given in UTC where it
    has no zone.
    """
    if len(text) == len("2026-03-10"):
        return datetime.fromisoformat(text), True
    value = datetime.fromisoformat(text)
    return (value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)), False


def row(feed: str, values: Mapping[str, Any]) -> Row:
    """A whole row of the feed: what is not given is empty. Raises KeyError for a column the feed does not have."""
    table = FEEDS[feed].table
    made: Row = dict.fromkeys(column.name for column in table.columns)
    made.update(source="test", file_id=1, row_no=1, deleted=False)
    for name, value in values.items():
        if name not in made:
            raise KeyError(f"{feed} has no column {name}")
        if f"{name}_is_date" in made:
            made[name], made[f"{name}_is_date"] = moment(value) if value is not None else (None, None)
        elif isinstance(table.c[name].type, Numeric) and value is not None:
            made[name] = Decimal(str(value))
        elif isinstance(table.c[name].type, Date) and isinstance(value, str):
            made[name] = date.fromisoformat(value)
        else:
            made[name] = value
    return made


def order(**values: Any) -> Row:
    """A sale ordered on 1 March 2026, promised for the 10th, both bare dates, zone UTC."""
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


def order_line(**values: Any) -> Row:
    """A goods line of 100 of product P at 5.00, taxed at 20 %."""
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


def shipment(**values: Any) -> Row:
    """A consignment that has neither left nor arrived until it is told so; received at the right place."""
    return row("shipments", {"shipment_id": "S1", "carrier": "road", "received_place": "P1"} | values)


def shipment_line(**values: Any) -> Row:
    """100 of product P for line 1, received as shipped, damage recorded as none."""
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


def invoice(**values: Any) -> Row:
    """An invoice of 10 March with the order's currency, party and terms."""
    defaults = {
        "invoice_id": "I1",
        "invoice_kind": "invoice",
        "invoiced_at": "2026-03-10",
        "bill_to": "B1",
        "payment_terms": "net 30",
        "currency": "EUR",
    }
    return row("invoices", defaults | values)


def invoice_line(**values: Any) -> Row:
    """100 at 5.00 billed for line 1; the amount follows from quantity and price unless given, and 20 % tax from the
    amount.
    """
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


def customer(**values: Any) -> Row:
    """Customer C, segment A, region North, from the start of 2026."""
    defaults = {
        "customer_id": "C",
        "valid_from": "2026-01-01",
        "name": "Customer",
        "service_segment": "A",
        "region": "North",
    }
    return row("customers", defaults | values)


def product(**values: Any) -> Row:
    """Product P, counted in pieces, from the start of 2026."""
    defaults = {
        "product_id": "P",
        "valid_from": "2026-01-01",
        "name": "Product",
        "category": "tools",
        "base_unit": "piece",
    }
    return row("products", defaults | values)


def unit_factor(**values: Any) -> Row:
    """A box of 12 of product P, from the start of 2026."""
    return row("unit_factors", {"product_id": "P", "unit": "box", "valid_from": "2026-01-01", "factor": 12} | values)


def service_package(**values: Any) -> Row:
    """Segment A's package of the brief's Table 8-1: 3 days, 98 % fill."""
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


def policy_version(**values: Any) -> Row:
    """Contract K1 from the start of 2026, as strict as the strict policy until told otherwise."""
    return row("policies", {"policy_id": "K1", "valid_from": "2026-01-01"} | values)


def target(**values: Any) -> Row:
    """95 % on time for everyone, from the start of 2026."""
    return row(
        "targets", {"measure": "on_time", "scope": "all", "valid_from": "2026-01-01", "target_value": "0.95"} | values
    )


def assumption(**values: Any) -> Row:
    """An assumed carrying rate of 20 % for everyone, from the start of 2026."""
    return row(
        "assumptions",
        {"assumption": "carrying_rate", "scope": "all", "valid_from": "2026-01-01", "assumed_value": "0.2"} | values,
    )


def calendar_day(**values: Any) -> Row:
    """Monday 2 March 2026, open from 8 to 16 UTC everywhere."""
    defaults = {
        "calendar_id": "default",
        "day": "2026-03-02",
        "opens_at": "2026-03-02T08:00Z",
        "closes_at": "2026-03-02T16:00Z",
    }
    return row("calendars", defaults | values)


def fx_rate(**values: Any) -> Row:
    """1.10 reporting dollars for one euro on 1 March 2026."""
    return row(
        "fx_rates", {"currency": "EUR", "on_date": "2026-03-01", "rate": "1.10", "reporting_currency": "USD"} | values
    )


def promise(**values: Any) -> Row:
    """Line 1's promise moved by the buyer on 5 March to the 20th: its second revision."""
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


def hold(**values: Any) -> Row:
    """The order stopped for the buyer's credit from 2 March 10:00 to 3 March 10:00 UTC."""
    defaults = {
        "hold_id": "H1",
        "order_id": "O",
        "kind": "credit",
        "placed_at": "2026-03-02T10:00Z",
        "released_at": "2026-03-03T10:00Z",
        "caused_by": "buyer",
    }
    return row("holds", defaults | values)


def order_event(**values: Any) -> Row:
    """The first attempt at step 2, from 1 March 10:00 to 2 March 10:00 UTC."""
    defaults = {
        "order_id": "O",
        "step": 2,
        "event_no": 1,
        "started_at": "2026-03-01T10:00Z",
        "finished_at": "2026-03-02T10:00Z",
    }
    return row("order_events", defaults | values)


def restated_quantity(**values: Any) -> Row:
    """Return a restatement: the run of 5 March changed line 1 from 100 to 80 (a row of the run ledger, not a feed)."""
    defaults = {
        "order_id": "O",
        "line_no": "1",
        "run_id": 2,
        "data_as_of": datetime(2026, 3, 5, 23, 59, 59, 999999),
        "before_qty": Decimal(100),
        "after_qty": Decimal(80),
    }
    return defaults | {name: Decimal(str(value)) if name.endswith("_qty") else value for name, value in values.items()}


CORE = ("orders", "order_lines", "shipments", "shipment_lines", "invoices", "invoice_lines", "customers", "products")
"""The feeds that are mapped unless a test says otherwise."""


def records(**feeds: Iterable[Row]) -> Records:
    """Records of the named feeds; every other feed is there and empty."""
    return {name: list(feeds.get(name, ())) for name in FEEDS}
