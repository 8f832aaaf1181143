"""Master data: the small feeds, such as customers, products, targets and exchange rates, and their files.

The orders and what follows from them are in core_records.py, fulfilment.py and after_delivery.py.
"""

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from sample_data import company
from sample_data.core_records import LAST_DAY_NO
from sample_data.planting import draw

MASTER_DATA = (
    "customers",
    "products",
    "service_packages",
    "policies",
    "targets",
    "unit_factors",
    "assumptions",
    "calendars",
    "fx_rates",
)
"""The small feeds. They are written at once, for any number of orders."""
HISTORY_FROM = company.HISTORY_FROM.isoformat()
MOVES_ON = date(2025, 7, 1)
"""Day on which some customers move to another segment."""


class Customer(NamedTuple):
    """A customer, with the columns that the SQL of the records needs."""

    customer_no: int
    customer_id: str
    region: int
    zone: str
    hours_east: int
    american: bool
    segment: int
    later_segment: int
    segment_changes: int
    habit: int
    """0 lean, 1 ordinary, 2 needy."""
    size_factor: float
    own_category: int
    leaves_d: int
    pampered: bool
    """Served far better than promised."""
    contract: str
    terms: str
    bill_to: str
    ship_to: str
    currency: str
    price_factor: float
    tax_rate: float
    first_carrier: int
    second_carrier: int


class Product(NamedTuple):
    """A product. `place` counts within the category."""

    product_no: int
    product_id: str
    category_no: int
    place: int
    unit: str
    typical_qty: int
    list_price: float
    per_box: int | None
    later_per_box: int | None


def customer_book(orders: int, seed: int) -> list[Customer]:
    """Return the customers, the largest first.

    Large customers are more often in segment A. One in thirty moves to another segment in July 2025. Habits, contracts
    and departures alternate by number, so that even thirty customers include each of them. Many needy customers of
    segment C are pampered.
    """
    count = company.customer_count(orders)
    return [_customer(index, index / count, seed) for index in range(count)]


def _customer(index: int, size_rank: float, seed: int) -> Customer:
    segment = _segment(size_rank, draw(seed, "segment", index))
    moves = draw(seed, "moves", index) < 0.033
    region = (
        company.NORTH if index == company.BUYS_IN_KRONOR else int(draw(seed, "region", index) * len(company.REGIONS))
    )
    _, zone, hours_east, american, _ = company.REGIONS[region]
    first, second = company.PREFERRED_CARRIERS[region]
    turn = index * 7 % 10
    habit = 0 if turn < 4 else 1 if turn < 7 else 2
    leaves = index >= 3 and segment > 0 and (index * 5 + seed) % 11 < 2
    leaves_d = day_no(company.LEAVING_FROM) + int(draw(seed, "leaves", index) * company.LEAVING_DAYS)
    currency = company.currency_of(region, index, draw(seed, "currency", index))
    identity = f"C{index + 1:05d}"
    return Customer(
        customer_no=index,
        customer_id=identity,
        region=region,
        zone=zone,
        hours_east=hours_east,
        american=american,
        segment=segment,
        later_segment=abs(segment - 1) if moves else segment,
        segment_changes=day_no(MOVES_ON),
        habit=habit,
        size_factor=(1.8, 1.0, 0.35)[habit],
        own_category=int(draw(seed, "own category", index) * len(company.CATEGORIES)),
        leaves_d=leaves_d if leaves else company.NEVER,
        pampered=segment == 2 and habit == 2 and not leaves and index % 3 < 2,
        contract=company.contract_of(index, draw(seed, "contract", index)),
        terms=("4/10 net 30", "3/10 net 30", "2/10 net 30")[segment],
        bill_to=identity,
        ship_to=f"{identity}-DOCK{1 + int(draw(seed, 'dock', index) * 3)}",
        currency=currency,
        price_factor=company.PRICE_FACTORS[currency],
        tax_rate=(0.19, 0.20, 0.255, 0.21, 0.20, 0.0)[region],
        first_carrier=first,
        second_carrier=second,
    )


def _segment(size_rank: float, chosen: float) -> int:
    likely_a, likely_b = (0.75, 0.20) if size_rank < 0.08 else (0.35, 0.45) if size_rank < 0.35 else (0.10, 0.38)
    return 0 if chosen < likely_a else 1 if chosen < likely_a + likely_b else 2


def customer_rows(customers: Sequence[Customer], seed: int) -> Iterable[tuple[str, ...]]:
    """Yield rows of customers.csv, with a second version for each customer who changes segment."""
    for customer in customers:
        region, *_, cities = company.REGIONS[customer.region]
        name = company.customer_name(customer.customer_no, customer.region)
        city = cities[int(draw(seed, "city", customer.customer_no) * len(cities))]
        manager = company.MANAGERS[int(draw(seed, "manager", customer.customer_no) * len(company.MANAGERS))]
        versions = [(company.HISTORY_FROM, customer.segment)]
        if customer.later_segment != customer.segment:
            versions.append((MOVES_ON, customer.later_segment))
        for valid_from, segment in versions:
            yield (
                customer.customer_id,
                valid_from.isoformat(),
                name,
                company.SEGMENTS[segment],
                region,
                city,
                manager if segment == 0 else "",
                customer.contract,
            )


def day_no(on: date) -> int:
    """Return the day number of a calendar day."""
    return (on - company.EPOCH).days


def product_book(orders: int, seed: int) -> list[Product]:
    """Return the goods of the records."""
    per_category = company.product_count(orders) // len(company.CATEGORIES)
    products = []
    for category, (_, unit, typical, low, high, _) in enumerate(company.CATEGORIES):
        for place in range(per_category):
            number = category * per_category + place
            price = round(low + (high - low) * draw(seed, "price", number) ** 2, 2)
            boxes = company.boxes(category, place)
            products.append(Product(number, f"{1000 + number:07d}", category, place, unit, typical, price, *boxes))
    return products


def product_rows(products: Sequence[Product], seed: int) -> Iterable[tuple[str, ...]]:
    """Yield rows of products.csv. The unit cost has a decimal comma, as the mapping of that file declares."""
    for product in products:
        category, *_, nouns = company.CATEGORIES[product.category_no]
        noun = nouns[product.place % len(nouns)]
        size = 4 + product.place // len(nouns) * 2
        cost = product.list_price * (0.55 + 0.2 * draw(seed, "cost", product.product_no))
        available = "2025-01-06" if draw(seed, "new", product.product_no) < 0.05 else ""
        name = f"{noun[0].upper()}{noun[1:]} {size}"
        decimal_comma = f"{cost:.2f}".replace(".", ",")
        yield product.product_id, HISTORY_FROM, name, category, product.unit, decimal_comma, available
    for identity, name, _ in company.SERVICES:
        yield identity, HISTORY_FROM, name, "Services", "piece", "", ""


def unit_rows(products: Sequence[Product]) -> Iterable[tuple[str, ...]]:
    """Yield rows of unit_factors.csv.

    They have the boxes, with a second version for each box that changes, and the rounding step of goods sold by length
    or weight.
    """
    for product in products:
        if product.unit != "piece":
            yield product.product_id, product.unit, HISTORY_FROM, "1", "0.001"
        elif product.per_box is not None:
            yield product.product_id, "box", HISTORY_FROM, str(product.per_box), "1"
            if product.later_per_box != product.per_box:
                yield product.product_id, "box", company.BOXES_CHANGE.isoformat(), str(product.later_per_box), "1"


def rate_rows(seed: int) -> Iterable[tuple[str, ...]]:
    """Yield rows of fx_rates.csv: a rate for each Monday, within 2 % of the usual rate. The krona ends with 2025."""
    for currency, usual in company.USUAL_RATES.items():
        for number in range(-7, LAST_DAY_NO + 1, 7):
            on = date.fromordinal(company.EPOCH.toordinal() + number)
            if currency != "SEK" or on <= company.LAST_SEK_RATE:
                rate = usual * (98_000 + int(4_000 * draw(seed, "rate", currency, number))) // 100_000
                yield currency, on.isoformat(), f"{rate // 10_000}.{rate % 10_000:04d}", company.REPORTING_CURRENCY


def _assumption_rows(customers: Sequence[Customer]) -> Iterable[tuple[str, ...]]:
    for name, scope, value in company.ASSUMPTIONS:
        yield name, scope, HISTORY_FROM, value
    for customer in customers:
        if customer.contract == "RETAIL-WINDOW":
            yield "fine_rate", f"customer:{customer.customer_id}", HISTORY_FROM, company.FINE_RATE


def write_table(path: Path, header: str, rows: Iterable[Sequence[str]], delimiter: str = ",") -> None:
    """Write a small CSV file. `header` has the column names, separated by spaces."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerow(header.split())
        writer.writerows(rows)


def write_master_data(out: Path, seed: int, customers: Sequence[Customer], products: Sequence[Product]) -> None:
    """Write the files of the small feeds."""
    write_table(
        out / "customers.csv",
        "customer_no valid_from name segment region city key_account_manager contract",
        customer_rows(customers, seed),
    )
    write_table(
        out / "products.csv",
        "material valid_from description family unit unit_cost available_from",
        product_rows(products, seed),
        delimiter=";",
    )
    write_table(
        out / "service_packages.csv",
        "segment valid_from defects_max order_fill_min lead_time_days window terms support",
        ((segment, HISTORY_FROM, *terms) for segment, *terms in company.SERVICE_PACKAGES),
    )
    write_table(
        out / "policies.csv",
        "contract valid_from timing early_days early_hours late_days late_hours under over "
        "claims_days invoice_days anchor",
        ((contract, HISTORY_FROM, *terms) for contract, *terms in company.POLICIES),
    )
    write_table(
        out / "targets.csv",
        "measure scope valid_from target tolerance",
        ((measure, scope, HISTORY_FROM, *values) for measure, scope, *values in company.targets()),
    )
    write_table(out / "unit_factors.csv", "material unit valid_from factor step", unit_rows(products))
    write_table(out / "assumptions.csv", "name scope valid_from value", _assumption_rows(customers))
    write_table(out / "calendars.csv", "calendar day opens closes", company.working_days())
    write_table(out / "fx_rates.csv", "curr on_date rate to_curr", rate_rows(seed))
