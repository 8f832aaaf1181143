"""Every measure of the catalogue by product category and by carrier, where orders have several of both.

Each order here has two lines of two categories, sent by two carriers. A measure of lines shows the categories A and B,
a measure of orders shows "(several)". A measure that shows both mixes two grains: its parts cannot be compared.
"""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection

from metrics.facts.orders.tables import NONE, SEVERAL
from metrics.measures.catalog import MEASURES
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.queries.explain import explain
from tests.support.ask_measures import built, together
from tests.support.builders import (
    Row,
    customer,
    invoice,
    invoice_line,
    order,
    order_line,
    product,
    shipment,
    shipment_line,
)
from tests.support.contact_builders import returned, service_case, service_cost

DAYS = ("2026-03-02", "2026-03-05", "2026-03-08", "2026-03-11")
COST = "no data: cost is known by order, not by product"


def two_lines(order_id: str, day: str) -> dict[str, list[Row]]:
    """Return an order of two products. The second line comes late by another carrier and short, in two consignments."""
    feeds: dict[str, list[Row]] = {
        "orders": [order(order_id=order_id, ordered_at=day, promised_by="2026-03-15", requested_by="2026-03-15")],
        "order_lines": [
            order_line(order_id=order_id, line_no=line_no, product_id=category)
            for line_no, category in (("1", "A"), ("2", "B"))
        ],
        "invoices": [invoice(invoice_id=order_id, invoiced_at="2026-03-20")],
        "invoice_lines": [
            invoice_line(invoice_id=order_id, invoice_line_no=line_no, order_id=order_id, line_no=line_no)
            for line_no in ("1", "2")
        ],
        "service_costs": [service_cost(cost_id=order_id, order_id=order_id, activity="handling")],
        "service_cases": [service_case(case_id=order_id, order_id=order_id, cost_amount=10)],
        "returns": [returned(return_id=order_id, order_id=order_id, returned_qty=1)],
        "shipments": [],
        "shipment_lines": [],
    }
    for place, (line_no, left, quantity) in enumerate((("1", "13", 100), ("2", "13", 60), ("2", "18", 40))):
        shipment_id = f"{order_id}-{place}"
        feeds["shipments"].append(
            shipment(
                shipment_id=shipment_id,
                carrier="road" if line_no == "1" else "rail",
                shipped_at=f"2026-03-{left}",
                received_at=f"2026-03-{int(left) + 1}",
                freight_amount=8,
                currency="EUR",
            )
        )
        feeds["shipment_lines"].append(
            shipment_line(
                shipment_id=shipment_id,
                order_id=order_id,
                line_no=line_no,
                product_id="A" if line_no == "1" else "B",
                shipped_qty=quantity,
            )
        )
    return feeds


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    products = [product(product_id=name, category=name, unit_cost_amount=3) for name in "AB"]
    records = together(
        *[two_lines(f"O{place}", day) for place, day in enumerate(DAYS)],
        {"products": products, "customers": [customer()]},
    )
    with built(**records) as connected:
        yield connected


@pytest.mark.long
@pytest.mark.parametrize("dimension", ["product_category", "carrier"])
def test_no_measure_mixes_lines_and_whole_orders(connection: Connection, dimension: str) -> None:
    mixed, answered = [], 0
    for name in MEASURES:
        found = answer(connection, Question((name,), by=(dimension,)))
        labels = {one.dimensions[dimension] for one in found if one.value or one.numerator or one.denominator}
        answered += bool(labels)
        if SEVERAL in labels and labels - {SEVERAL, NONE, None}:
            mixed.append(name)
    assert mixed == []
    assert answered > 50


def test_profit_by_product_has_no_value_because_cost_is_known_by_order(connection: Connection) -> None:
    """Sales are known by line and costs by order: neither column of parts would be a profit."""
    profit, sales = (
        answer(connection, Question((name,), by=("product_category",)))
        for name in ("customer_profit", "net_sales_value")
    )
    assert [(one.value, one.numerator, one.no_data) for one in profit] == [(None, None, COST)]
    assert {one.dimensions["product_category"]: one.value for one in sales if one.value} == {"A": 2000, "B": 2000}
    both = answer(connection, Question(("net_sales_value", "customer_profit"), by=("product_category",)))
    assert {one.no_data for one in both if one.measure == "customer_profit"} == {COST}
    (of_one,) = answer(connection, Question(("customer_profit",), where=(("product_category", ("A",)),)))
    assert (of_one.value, of_one.no_data) == (None, COST)
    year = (None, None)
    explanation = explain(connection, "customer_profit", by="product_category", before=year, after=year)
    assert (explanation.parts, explanation.why_not) == ((), COST)


def test_total_of_whole_orders_is_shown_under_several(connection: Connection) -> None:
    found = answer(connection, Question(("recovery_cost",), by=("product_category",)))
    assert {one.dimensions["product_category"]: one.value for one in found} == {SEVERAL: 40}


def test_the_fill_calculator_counts_orders_with_their_worst_line(connection: Connection) -> None:
    """Each of 4 orders is short on line 2, and the buyer never ordered again: 4 × 12,500 lost, by order."""
    (whole,), (several,) = (
        answer(connection, Question(("fill_cash_lost",), by=by)) for by in ((), ("product_category",))
    )
    assert (whole.value, whole.denominator) == (several.value, several.denominator) == (50_000, 4)
    assert several.dimensions == {"product_category": SEVERAL}
