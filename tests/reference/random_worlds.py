"""Random worlds: a day, an `as_of`, a policy, mapped columns and master data, without orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from tests.reference.draws import ZONES, Draw, a_moment, chance, pick
from tests.reference.random_master_data import (
    some_calendars,
    some_contracts,
    some_customers,
    some_factors,
    some_packages,
    some_products,
    some_rates,
)
from tests.support.all_builders import MAKERS
from tests.support.builders import Records, columns, everything, records

DAYS = (
    date(2026, 3, 8),
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 11, 1),
    date(2026, 2, 27),
    date(2026, 12, 30),
)
"""Days around which orders happen: clock changes in both directions, ends of a month and a year."""

OPTIONAL = (
    "orders.requested_by",
    "orders.requested_from",
    "orders.promised_by",
    "orders.ship_to",
    "orders.order_type",
    "orders.bill_to",
    "orders.payment_terms",
    "orders.currency",
    "orders.region",
    "orders.cancelled_by",
    "orders.cancel_reason",
    "order_lines.product_id",
    "order_lines.promised_by",
    "order_lines.unit_price_amount",
    "shipments.shipped_at",
    "shipments.received_at",
    "shipments.received_place",
    "shipments.carrier",
    "shipment_lines.product_id",
    "shipment_lines.received_qty",
    "shipment_lines.damaged_qty",
    "shipment_lines.substitution_agreed",
    "invoices.credit_reason",
    "invoices.bill_to",
    "invoices.payment_terms",
    "invoices.currency",
    "invoice_lines.billed_qty",
    "invoice_lines.unit_price_amount",
    "orders.delivery_term",
    "order_lines.tax_rate",
    "invoice_lines.tax_amount",
    "shipments.attempted_at",
    "shipments.failure_caused_by",
    "returns.reason",
    "promises.changed_by",
    "unit_factors.rounding_step",
    "customers.policy_id",
)
"""Columns that a source may leave unmapped."""

MORE_FEEDS = (
    "promises",
    "returns",
    "unit_factors",
    "policies",
    "fx_rates",
    "holds",
    "order_events",
    "service_cases",
    "service_packages",
    "calendars",
    "stockouts",
)
"""Feeds that only some worlds have."""

WHOLE_FEEDS = (("invoices", "invoice_lines"), ("products",), ("customers",))
"""Feeds that may be absent."""


@dataclass(frozen=True)
class World:
    """Records, and the inputs of their judgement."""

    middle: date
    records: Records
    policy: Mapping[str, Any]
    as_of: datetime
    mapped: frozenset[str]


def a_policy(draw: Draw) -> dict[str, Any]:
    """Return the strict policy for half of the worlds, else a random one."""
    if chance(draw, 2):
        return {}
    candidates: dict[str, Sequence[Any]] = {
        "timing": ("WINDOW",),
        "early_tolerance_days": (1,),
        "early_tolerance_hours": (Decimal("0.5"), Decimal(24)),
        "late_tolerance_days": (1, 2),
        "late_tolerance_hours": (Decimal("0.5"), Decimal(24)),
        "under_tolerance_share": (Decimal("0.02"), Decimal("0.1"), Decimal("0.5")),
        "over_tolerance_share": (Decimal("0.1"),),
        "claims_days": (0, 2),
        "invoice_days": (0, 2),
        "undated_days": (0, 2),
        "anchor": ("requested", "current_promise"),
        "rebase": ("none",),
        "allow_substitution": (False,),
        "receipt_event": ("shipped_at",),
        "open_balance": ("late",),
        "fault_reasons": ((), ("changed mind",)),
    }
    return {key: pick(draw, *values) for key, values in candidates.items() if chance(draw, 2 if key == "timing" else 6)}


def a_mapping(draw: Draw) -> frozenset[str]:
    """Return all columns for half of the worlds. The others lack some columns or a feed."""
    more = MORE_FEEDS if chance(draw, 2) else [feed for feed in MORE_FEEDS if chance(draw, 2)]
    mapped = set(everything()) | set(everything(*more) if more else ())
    if chance(draw, 2):
        return frozenset(mapped)
    for _ in range(pick(draw, 1, 2, 3)):
        mapped.discard(pick(draw, *OPTIONAL))
    if chance(draw, 4):
        absent = pick(draw, *WHOLE_FEEDS)
        mapped = {name for name in mapped if name.split(".")[0] not in absent}
    return frozenset(mapped)


def without_unmapped(all_records: Records, mapped: frozenset[str]) -> Records:
    """Return the records after ingest: unmapped columns empty, unmapped feeds without rows, four decimals."""
    kept: Records = {}
    for feed, rows in all_records.items():
        unmapped = [column for column in columns(feed) if f"{feed}.{column}" not in mapped] if feed in MAKERS else []
        if feed in MAKERS and len(unmapped) == len(columns(feed)):
            kept[feed] = []
            continue
        gone = {name: None for column in unmapped for name in (column, f"{column}_is_date")}
        kept[feed] = [{name: gone.get(name, four_decimals(value)) for name, value in row.items()} for row in rows]
    return kept


def four_decimals(value: Any) -> Any:
    return value.quantize(Decimal("0.0001")) if isinstance(value, Decimal) else value


@st.composite
def worlds(draw: Draw) -> World:
    """Draw a world without orders: a day, a policy, customers and products."""
    middle = pick(draw, *DAYS)
    mapped = a_mapping(draw)
    as_of_day = middle + timedelta(days=pick(draw, 12, 12, 12, 40, 40, 3, 2, 1, 0))
    at = a_moment(draw, as_of_day, pick(draw, *ZONES))
    as_of = datetime.fromisoformat(f"{at}T23:59:59.999999" if len(at) == len("2026-03-10") else at).replace(tzinfo=None)
    known: Records = records(
        customers=some_customers(draw, middle),
        products=some_products(draw, middle),
        unit_factors=some_factors(draw, middle),
        policies=some_contracts(draw, middle),
        fx_rates=some_rates(draw, middle),
        service_packages=some_packages(draw, middle),
        calendars=some_calendars(draw, middle),
    )
    known |= {"quarantine": [], "quarantine_values": [], "restated_quantities": []}
    return World(middle, known, a_policy(draw), as_of, mapped)
