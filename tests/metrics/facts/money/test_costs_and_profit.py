"""Worked cases of product cost, cost to serve and profit."""

from datetime import date
from decimal import Decimal
from itertools import pairwise
from random import Random

from sqlalchemy import Connection

from metrics.facts.money import movements
from tests.metrics.facts.money.cases import APRIL_END, WITHOUT_RATES, by, by_month, one, rows, sold, value
from tests.support import builders, contact_builders
from tests.support.ask_measures import only
from tests.support.sql_facts import build

filled = only(movements)


def test_r35_product_cost_uses_the_unit_cost_valid_on_the_order_day(warehouse: Connection) -> None:
    """Ordered 1 March at a cost of 3.00, billed 10 March at a cost of 4.00: 100 × 3.00 = 300."""
    products = [builders.product(unit_cost_amount=3), builders.product(valid_from="2026-03-05", unit_cost_amount=4)]
    build(
        warehouse,
        sold(products=products, invoices=[builders.invoice()], invoice_lines=[builders.invoice_line()]),
        APRIL_END,
        WITHOUT_RATES,
    )
    assert value(warehouse, "product_cost") == Decimal(300)


def test_freight_and_case_costs_count_only_without_a_matching_service_cost(warehouse: Connection) -> None:
    """Costs add up to 20 + 30 + 12 + 45 + 9 + 100 = 216.

    Order O: picking 20 and freight 30 are service costs, so the shipment's freight of 35 does not count. Its case of 12
    counts, because no service cost has the activity "case". Order O2: its shipment's freight of 45 counts. Its case is
    charged with 9, so the case's own 8 does not count. A visit of 100 has no order.
    """
    build(
        warehouse,
        sold(
            orders=[builders.order(), builders.order(order_id="O2")],
            order_lines=[builders.order_line(), builders.order_line(order_id="O2")],
            shipments=[
                builders.shipment(shipped_at="2026-03-08", freight_amount=35, currency="EUR"),
                builders.shipment(shipment_id="S2", shipped_at="2026-03-09", freight_amount=45, currency="EUR"),
            ],
            shipment_lines=[builders.shipment_line(), builders.shipment_line(shipment_id="S2", order_id="O2")],
            service_cases=[
                contact_builders.service_case(cost_amount=12, resolved_at="2026-04-02T09:00Z"),
                contact_builders.service_case(case_id="Z2", order_id="O2", cost_amount=8),
            ],
            service_costs=[
                contact_builders.service_cost(),
                contact_builders.service_cost(cost_id="T2", activity="Freight", amount=30),
                contact_builders.service_cost(cost_id="T3", activity="case", order_id="O2", amount=9),
                contact_builders.service_cost(
                    cost_id="T4", activity="visit", order_id=None, amount=100, incurred_on="2026-04-10"
                ),
                contact_builders.service_cost(
                    cost_id="T5", activity="visit", order_id=None, amount=1000, incurred_on="2026-05-10"
                ),
            ],
        ),
        APRIL_END,
        WITHOUT_RATES,
    )
    assert by(warehouse, "cost_to_serve", "activity") == {
        "picking": Decimal(20), "freight": Decimal(75), "case": Decimal(21), "visit": Decimal(100),
    }  # fmt: skip
    assert value(warehouse, "cost_to_serve") == Decimal(216)
    # By the day of the cost: the case was settled in April, and the visit was in April.
    assert by_month(warehouse, "cost_to_serve") == {date(2026, 3, 1): Decimal(104), date(2026, 4, 1): Decimal(112)}
    assert by(warehouse, "cost_to_serve", "segment") == {"A": Decimal(216)}, (
        "a visit without an order stands under the customer's segment"
    )
    per_order = one(warehouse, "cost_to_serve_order")
    assert (per_order.numerator, per_order.denominator, per_order.value) == (Decimal(216), 2, 108.0)


def test_freight_of_a_consignment_for_several_orders_is_shared_by_quantity(warehouse: Connection) -> None:
    """100.00 for 1, 1 and 1 pieces: 33.3333, 33.3334 and 33.3333, together 100.

    O3 has freight as a service cost, so its part is left out.
    """
    orders = ("O1", "O2", "O3")
    records = sold(
        orders=[builders.order(order_id=name) for name in orders],
        order_lines=[builders.order_line(order_id=name) for name in orders],
        shipments=[builders.shipment(shipped_at="2026-03-08", freight_amount=100, currency="EUR")],
        shipment_lines=[builders.shipment_line(shipment_line_no=name, order_id=name, shipped_qty=1) for name in orders],
    )
    build(warehouse, records, APRIL_END, WITHOUT_RATES)
    shares = [(row["order_id"], row["amount"], row["stands_for_document"]) for row in rows(warehouse, "cost_to_serve")]
    assert shares == [
        ("O1", Decimal("33.3333"), True),
        ("O2", Decimal("33.3334"), False),
        ("O3", Decimal("33.3333"), False),
    ]
    build(
        warehouse,
        records | {"service_costs": [contact_builders.service_cost(order_id="O3", activity="freight", amount=5)]},
        APRIL_END,
        WITHOUT_RATES,
    )
    assert value(warehouse, "cost_to_serve") == Decimal("71.6667")


def test_a_consignment_that_has_not_left_costs_nothing_yet(warehouse: Connection) -> None:
    records = sold(
        shipments=[builders.shipment(shipped_at="2026-05-02", freight_amount=35, currency="EUR")],
        shipment_lines=[builders.shipment_line()],
    )
    build(warehouse, records, APRIL_END, WITHOUT_RATES)
    assert value(warehouse, "cost_to_serve") == 0


def test_freight_parts_add_up_to_the_total_freight(warehouse: Connection) -> None:
    """Each part is the difference of two running totals, rounded half up to four decimals."""
    drawn = Random(15)
    cases = [
        ("10", ("1", "2"), ("3.3333", "6.6667")),
        ("0.0001", ("1", "1"), ("0.0001", "0.0000")),
        ("9", ("0", "0", "0"), ("3.0000", "3.0000", "3.0000")),
        ("7.77", ("0", "5"), ("0.0000", "7.7700")),
        ("12.5", ("0",), ("12.5000",)),
        ("999999999.9999", ("999999999.9999", "0.0001"), ("999999999.9998", "0.0001")),
    ]
    for most in (3, 100_000, 10**13 - 1):
        for _ in range(20):
            whole, *weights = [Decimal(drawn.randint(1, most)) / 10_000 for _ in range(drawn.randint(3, 6))]
            cases.append((str(whole), tuple(map(str, weights)), tuple(map(str, exact_parts(whole, weights)))))
    shipments = [
        builders.shipment(shipment_id=f"S{number:02}", shipped_at="2026-03-08", freight_amount=Decimal(whole))
        for number, (whole, _, _) in enumerate(cases)
    ]
    lines = [
        builders.shipment_line(
            shipment_id=f"S{number:02}", shipment_line_no=name, order_id=name, shipped_qty=Decimal(weight)
        )
        for number, (_, weights, _) in enumerate(cases)
        for name, weight in zip("ABCDEF", weights, strict=False)
    ]
    orders = [builders.order(order_id=name) for name in "ABCDEF"]
    order_lines = [builders.order_line(order_id=name) for name in "ABCDEF"]
    build(
        warehouse,
        sold(orders=orders, order_lines=order_lines, shipments=shipments, shipment_lines=lines),
        APRIL_END,
        WITHOUT_RATES,
    )
    found = {(row["document_id"], row["order_id"]): row["original_amount"] for row in rows(warehouse, "cost_to_serve")}
    expected = {
        (f"S{number:02}", name): Decimal(part)
        for number, (_, _, parts) in enumerate(cases)
        for name, part in zip("ABCDEF", parts, strict=False)
    }
    assert found == expected
    for whole, _, parts in cases:
        assert sum(map(Decimal, parts)) == Decimal(whole)


def exact_parts(whole: Decimal, weights: list[Decimal]) -> list[Decimal]:
    """Divide an amount by weights with whole numbers of any size."""
    amount, *shares = [int(value * 10_000) for value in (whole, *weights)]
    total = sum(shares)
    upto = [(2 * amount * sum(shares[:count]) + total) // (2 * total) for count in range(len(shares) + 1)]
    return [Decimal(last - first) / 10_000 for first, last in pairwise(upto)]


def test_profit_excludes_lines_without_a_unit_cost_and_has_a_remark(warehouse: Connection) -> None:
    """O: 500 - 100 × 3.00 - picking 20 = 180. The line of product Q (500) has no unit cost and is left out."""
    build(
        warehouse,
        sold(
            order_lines=[builders.order_line(), builders.order_line(line_no="2", product_id="Q")],
            products=[builders.product(unit_cost_amount=3), builders.product(product_id="Q")],
            invoices=[builders.invoice()],
            invoice_lines=[builders.invoice_line(), builders.invoice_line(invoice_line_no="2", line_no="2")],
            service_costs=[contact_builders.service_cost()],
        ),
        APRIL_END,
        WITHOUT_RATES,
    )
    profit = one(warehouse, "customer_profit")
    assert profit.value == Decimal(180)
    assert profit.remark == "left out: net sales of 500.00 on 1 billed line without a unit cost"
    assert value(warehouse, "sales_without_unit_cost") == Decimal(500)
    losing = one(warehouse, "loss_making_customers")
    assert (losing.value, losing.remark) == (None, "1 customers left out: a unit cost is missing")


def test_customer_with_negative_profit_is_loss_making(warehouse: Connection) -> None:
    """C: 500 - 300 - 20 = 180. D: 500 - 300 - 250 = -50. One of two customers loses money."""
    build(
        warehouse,
        sold(
            orders=[builders.order(), builders.order(order_id="O2", customer_id="D")],
            order_lines=[builders.order_line(), builders.order_line(order_id="O2")],
            invoices=[builders.invoice(), builders.invoice(invoice_id="I2")],
            invoice_lines=[builders.invoice_line(), builders.invoice_line(invoice_id="I2", order_id="O2")],
            service_costs=[
                contact_builders.service_cost(),
                contact_builders.service_cost(cost_id="T2", order_id="O2", customer_id="D", amount=250),
            ],
        ),
        APRIL_END,
        WITHOUT_RATES,
    )
    assert by(warehouse, "customer_profit", "customer") == {"C": Decimal(180), "D": Decimal(-50)}
    losing = one(warehouse, "loss_making_customers")
    assert (losing.value, losing.numerator, losing.denominator) == (1, 1, 2)
    assert by(warehouse, "loss_making_customers", "customer") == {"C": 0, "D": 1}
