"""Random master data: customers, products, unit factors, contracts, rates, packages and calendars."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from tests.reference.draws import Draw, chance, pick
from tests.support.builders import (
    Row,
    calendar_day,
    customer,
    fx_rate,
    policy_version,
    product,
    service_package,
    unit_factor,
)


def some_customers(draw: Draw, middle: date) -> list[Row]:
    """Return customers with versions that start around the orders. The customer `nobody` is missing."""
    rows = [
        customer(customer_id="C1", service_segment="A", region="North", policy_id=pick(draw, "K1", "K1", None)),
        customer(
            customer_id="C2",
            service_segment=pick(draw, "B", None),
            region=None,
            policy_id=pick(draw, "K2", "K1", "K9", None),
        ),
        customer(customer_id="C3", valid_from=middle - timedelta(days=pick(draw, 2, 1, 3)), service_segment="C"),
    ]
    if chance(draw, 2):
        rows.append(
            customer(
                customer_id="C1",
                valid_from=middle - timedelta(days=pick(draw, 2, 1)),
                service_segment="B",
                deleted=chance(draw, 4),
            )
        )
    return rows


def some_products(draw: Draw, middle: date) -> list[Row]:
    """Return product P in pieces, K in kilograms and E without a unit. Product X is missing."""
    rows = [
        product(
            product_id="P",
            category="tools",
            base_unit=pick(draw, "piece", "EA"),
            unit_cost_amount=pick(draw, "3.5", None),
        ),
        product(product_id="K", category=pick(draw, "food", None), base_unit="kg"),
        product(product_id="E", category="tools", base_unit=None),
    ]
    if chance(draw, 3):
        rows.append(
            product(
                product_id="K",
                valid_from=middle - timedelta(days=2),
                category="food",
                base_unit="piece",
                deleted=chance(draw, 4),
            )
        )
    return rows


def some_factors(draw: Draw, middle: date) -> list[Row]:
    """Return rounding steps of the products' base units, and a box without a step."""
    rows = [
        unit_factor(product_id="P"),
        unit_factor(
            product_id="P", unit=pick(draw, "piece", "EA"), factor=1, rounding_step=pick(draw, "1", "0.1", None)
        ),
    ]
    if chance(draw, 2):
        rows.append(
            unit_factor(
                product_id="K",
                unit="kg",
                valid_from=middle - timedelta(days=pick(draw, 2, 30)),
                factor=1,
                rounding_step="0.01",
            )
        )
    return rows


def some_contracts(draw: Draw, middle: date) -> list[Row]:
    """Return contract K1 with two versions and K2 with a late first version. Contract K9 is missing."""
    return [
        policy_version(policy_id="K1", **terms(draw)),
        policy_version(
            policy_id="K1", valid_from=middle - timedelta(days=pick(draw, 2, 1)), deleted=chance(draw, 4), **terms(draw)
        ),
        policy_version(policy_id="K2", valid_from=middle - timedelta(days=pick(draw, 3, 2, 1)), **terms(draw)),
    ]


def terms(draw: Draw) -> dict[str, Any]:
    """Return random terms of a contract. The other keys are empty."""
    candidates: dict[str, Sequence[Any]] = {
        "timing": ("WINDOW", "DEADLINE"),
        "early_tolerance_days": (1,),
        "late_tolerance_days": (1, 2),
        "late_tolerance_hours": (Decimal("0.5"),),
        "under_tolerance_share": (Decimal("0.1"), Decimal("0.5")),
        "over_tolerance_share": (Decimal("0.1"),),
        "claims_days": (2,),
        "invoice_days": (2,),
        "anchor": ("requested", "current_promise"),
    }
    return {key: pick(draw, *values) for key, values in candidates.items() if chance(draw, 3)}


def some_rates(draw: Draw, middle: date) -> list[Row]:
    """Return rates to the dollar or the euro, up to twelve days before the orders. The dinar has no rate."""
    to = pick(draw, "USD", "EUR")
    days = sorted(
        {middle - timedelta(days=number) for number in (pick(draw, 1, 2, 3), pick(draw, 5, 9, 10), pick(draw, 9, 12))}
    )
    rates = [
        fx_rate(currency="EUR", on_date=day, rate=f"1.1{number}", reporting_currency=to)
        for number, day in enumerate(days)
        if to != "EUR"
    ]
    return rates + [
        fx_rate(currency="JPY", on_date=day, rate=f"0.006{number}", reporting_currency=to)
        for number, day in enumerate(days)
    ]


def some_packages(draw: Draw, middle: date) -> list[Row]:
    """Return service packages with random lead times. Segment C has none."""
    return [
        service_package(lead_time_days_max=pick(draw, 1, 2, 3)),
        service_package(service_segment="B", lead_time_days_max=pick(draw, 0, 1, None)),
        service_package(valid_from=middle - timedelta(days=pick(draw, 2, 1)), lead_time_days_max=pick(draw, 1, 2)),
    ]


def some_calendars(draw: Draw, middle: date) -> list[Row]:
    """Return one or two working-day calendars around the orders, with closed days and missing days."""
    rows = []
    for name in {pick(draw, "P1", "ship_to"), pick(draw, "default", "ship_from")}:
        forgotten = pick(draw, None, None, -1, 2)
        for number in range(-5, 7):
            day = middle + timedelta(days=number)
            hours: dict[str, str | None] = {
                "opens_at": f"{day}T08:00Z",
                "closes_at": f"{day}T{pick(draw, '10', '12', '13')}:00Z",
            }
            if chance(draw, 4):
                hours = {"opens_at": None, "closes_at": None}
            if number != forgotten:
                rows.append(calendar_day(calendar_id=name, day=day, **hours))
    return rows
