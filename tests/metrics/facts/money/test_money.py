"""The ledger of money on hand-worked records: net sales, product cost and cost to serve. Every number is worked out
beside its test.
"""

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.facts.money import movements
from metrics.facts.money.freight import freight_parts
from metrics.facts.money.table import money_facts_table
from metrics.queries.answer import Answer, Question, answer
from tests.support import builders
from tests.support.ask_measures import only
from tests.support.engines import ENGINES, empty
from tests.support.sql_facts import build

filled = only(movements)

APRIL_END = datetime(2026, 4, 30, 23, 59, 59, 999999)
EVERYTHING = builders.everything(*builders.MAKERS)
WITHOUT_RATES = EVERYTHING - builders.everything("fx_rates")


@pytest.fixture(params=ENGINES)
def warehouse(request: pytest.FixtureRequest) -> Iterator[Connection]:
    """An empty warehouse; every test runs once on each engine."""
    with empty(request) as connection:
        yield connection


def sold(**feeds: Any) -> builders.Records:
    """Order O of 100 P at 5.00 (cost 3.00) by customer C, with what the test adds; a feed given replaces the default
    one.
    """
    given = {
        "orders": [builders.order()],
        "order_lines": [builders.order_line()],
        "customers": [builders.customer()],
        "products": [builders.product(unit_cost_amount=3)],
    }
    return builders.records(**(given | feeds))


def value(
    connection: Connection, measure: str, *, start: date | None = None, end: date | None = None, **where: str
) -> Any:
    return one(connection, measure, start=start, end=end, **where).value


def one(
    connection: Connection, measure: str, *, start: date | None = None, end: date | None = None, **where: str
) -> Answer:
    (found,) = answer(
        connection,
        Question((measure,), start=start, end=end, where=tuple((name, (text,)) for name, text in where.items())),
    )
    return found


def by(connection: Connection, measure: str, dimension: str) -> dict[str | None, Any]:
    return {
        found.dimensions[dimension]: found.value for found in answer(connection, Question((measure,), by=(dimension,)))
    }


def by_month(connection: Connection, measure: str) -> dict[date | None, Any]:
    return {found.period: found.value for found in answer(connection, Question((measure,), grain="month"))}


def rows(connection: Connection, kind: str) -> list[dict[str, Any]]:
    m = money_facts_table.c
    found = connection.execute(
        select(money_facts_table).where(m.kind == kind).order_by(m.document_id, m.order_id, m.line_no)
    ).mappings()
    return [dict(row) for row in found]


def test_r24_ledger_by_document_date_and_cohort_by_order_date(warehouse: Connection) -> None:
    """March invoice 1,000 + freight 50 + tax 200, April credit 100: ledger March 1,000, April -100; cohort 900."""
    build(
        warehouse,
        sold(
            invoices=[
                builders.invoice(invoiced_at="2026-03-10"),
                builders.invoice(
                    invoice_id="K1", invoice_kind="credit", invoiced_at="2026-04-05", credit_reason="goodwill"
                ),
            ],
            invoice_lines=[
                builders.invoice_line(line_amount=1000, tax_amount=200),
                builders.invoice_line(invoice_line_no="2", order_id=None, line_no=None, billed_qty=1, line_amount=50),
                builders.invoice_line(invoice_id="K1", billed_qty=None, line_amount=100),
            ],
        ),
        APRIL_END,
        WITHOUT_RATES,
    )
    assert by_month(warehouse, "net_sales_value") == {date(2026, 3, 1): Decimal(1000), date(2026, 4, 1): Decimal(-100)}
    assert by_month(warehouse, "net_sales_cohort") == {date(2026, 3, 1): Decimal(900)}
    # A credit for money alone takes no goods back: 100 pieces at 3.00 stay sold.
    assert value(warehouse, "product_cost") == Decimal(300)


def test_r24_net_sales_of_an_invoice_reversed_and_reissued(warehouse: Connection) -> None:
    """Invoice 1,000, reversal 1,000 (with its own lines), reissue 950: 950."""
    build(
        warehouse,
        sold(
            invoices=[
                builders.invoice(),
                builders.invoice(
                    invoice_id="I1R", invoice_kind="reversal", reverses_invoice_id="I1", invoiced_at="2026-03-12"
                ),
                builders.invoice(invoice_id="I2", invoiced_at="2026-03-12"),
            ],
            invoice_lines=[
                builders.invoice_line(line_amount=1000),
                builders.invoice_line(invoice_id="I1R", line_amount=1000),
                builders.invoice_line(invoice_id="I2", line_amount=950),
            ],
        ),
        APRIL_END,
        WITHOUT_RATES,
    )
    assert value(warehouse, "net_sales_value") == Decimal(950)
    assert value(warehouse, "product_cost") == Decimal(300), "100 - 100 + 100 pieces at 3.00"


def test_r24_a_reversal_without_lines_takes_back_its_invoice_once(warehouse: Connection) -> None:
    """Two reversals name the invoice of 1,000 and bring no lines: it is taken back once. Sales 0, two documents left to
    see.
    """
    build(
        warehouse,
        sold(
            invoices=[
                builders.invoice(),
                builders.invoice(
                    invoice_id="I1R", invoice_kind="reversal", reverses_invoice_id="I1", invoiced_at="2026-03-12"
                ),
                builders.invoice(
                    invoice_id="I1S", invoice_kind="reversal", reverses_invoice_id="I1", invoiced_at="2026-03-13"
                ),
            ],
            invoice_lines=[builders.invoice_line(line_amount=1000)],
        ),
        APRIL_END,
        WITHOUT_RATES,
    )
    assert [(row["document_id"], row["source"], row["amount"]) for row in rows(warehouse, "net_sales")] == [
        ("I1", "invoice", Decimal(1000)),
        ("I1R", "reversal", Decimal(-1000)),
    ]
    assert value(warehouse, "net_sales_value") == 0


def test_documents_after_as_of_fees_and_deleted_ones_are_not_there(warehouse: Connection) -> None:
    """Of 500 billed, a fee line of 10, an invoice of May and a deleted one of 70, only the 500 count; a service line of
    40 does.
    """
    build(
        warehouse,
        sold(
            order_lines=[
                builders.order_line(),
                builders.order_line(line_no="2", line_kind="fee", product_id=None),
                builders.order_line(line_no="3", line_kind="service", product_id=None),
            ],
            invoices=[
                builders.invoice(),
                builders.invoice(invoice_id="I2", invoiced_at="2026-05-01"),
                builders.invoice(invoice_id="I3") | {"deleted": True},
            ],
            invoice_lines=[
                builders.invoice_line(line_amount=500),
                builders.invoice_line(invoice_line_no="2", line_no="2", line_amount=10),
                builders.invoice_line(invoice_line_no="3", line_no="3", billed_qty=1, line_amount=40),
                builders.invoice_line(invoice_id="I2", line_amount=60),
                builders.invoice_line(invoice_id="I3", line_amount=70),
            ],
        ),
        APRIL_END,
        WITHOUT_RATES,
    )
    assert value(warehouse, "net_sales_value") == Decimal(540)
    assert value(warehouse, "product_cost") == Decimal(300), "the service needs no product"
    assert value(warehouse, "lines_without_unit_cost") == 0


def dollars(**feeds: Any) -> builders.Records:
    """5,000 USD and 5,000 EUR at 1.10 billed, and 10,000 AED without a rate; the reporting currency is USD."""
    names = ("USD", "EUR", "AED")
    return sold(
        orders=[builders.order(order_id=name, currency=name) for name in names],
        order_lines=[builders.order_line(order_id=name) for name in names],
        fx_rates=[builders.fx_rate(on_date="2026-03-08")],
        invoices=[builders.invoice(invoice_id=name, currency=name) for name in names],
        invoice_lines=[
            builders.invoice_line(invoice_id=name, order_id=name, line_amount=10000 if name == "AED" else 5000)
            for name in names
        ],
        **feeds,
    )


def test_r25_currencies_meet_at_the_rate_of_the_document_day_or_not_at_all(warehouse: Connection) -> None:
    """5,000 USD + 5,000 EUR × 1.10 = 10,500 USD, and "10,000 AED in 1 document", never 20,000."""
    build(warehouse, dollars(), APRIL_END, EVERYTHING)
    assert value(warehouse, "net_sales_value") == Decimal(10500)
    assert by(warehouse, "net_sales_value", "currency") == {
        "USD": Decimal(5000),
        "EUR": Decimal(5500),
        "AED": Decimal(0),
    }
    assert value(warehouse, "documents_without_rate") == 1
    left_out = one(warehouse, "amount_without_rate")
    assert left_out.value == Decimal(10000)
    assert left_out.remark == "10,000.00 AED in 1 document"
    profit = one(warehouse, "customer_profit")
    assert profit.value == Decimal(10500 - 2 * 300), "100 pieces at 3.00 of each of the two documents that have a rate"
    assert profit.remark == "left out: 1 document without a rate"


def test_r25_a_rate_serves_seven_days(warehouse: Connection) -> None:
    """A rate of the 1st serves a document of the 8th, not one of the 9th; two currencies left out are never added."""
    for day, counted in (("2026-03-08", Decimal(550)), ("2026-03-09", Decimal(0))):
        records = sold(
            fx_rates=[builders.fx_rate()],
            invoices=[builders.invoice(invoiced_at=day)],
            invoice_lines=[builders.invoice_line()],
        )
        build(warehouse, records, APRIL_END, EVERYTHING)
        assert value(warehouse, "net_sales_value") == counted
    build(warehouse, dollars(service_costs=[builders.service_cost(currency="CHF")]), APRIL_END, EVERYTHING)
    left_out = one(warehouse, "amount_without_rate")
    assert left_out.value is None
    assert left_out.no_data == "no data: more than one currency without a rate; break down by currency"
    assert by(warehouse, "amount_without_rate", "currency") == {
        "AED": Decimal(10000),
        "CHF": Decimal(20),
        "EUR": 0,
        "USD": 0,
    }


def test_r25_without_any_rates_two_currencies_are_withheld(warehouse: Connection) -> None:
    build(warehouse, dollars() | {"fx_rates": []}, APRIL_END, WITHOUT_RATES)
    found = one(warehouse, "net_sales_value")
    assert found.value is None
    assert found.no_data
    assert value(warehouse, "net_sales_value", currency="AED") == Decimal(10000)


def test_r35_the_unit_cost_is_that_of_the_day_the_order_was_placed(warehouse: Connection) -> None:
    """Ordered 1 March at a cost of 3.00, billed 10 March when it had become 4.00: 100 × 3.00 = 300."""
    products = [builders.product(unit_cost_amount=3), builders.product(valid_from="2026-03-05", unit_cost_amount=4)]
    build(
        warehouse,
        sold(products=products, invoices=[builders.invoice()], invoice_lines=[builders.invoice_line()]),
        APRIL_END,
        WITHOUT_RATES,
    )
    assert value(warehouse, "product_cost") == Decimal(300)


def test_freight_and_cases_count_where_no_service_cost_charges_them(warehouse: Connection) -> None:
    """Order O: picking 20, freight 30 as a service cost, so the consignment's 35 is not counted again; its case of 12
    is, for no cost says "case".

    Order O2: freight 45 of its consignment, a case charged with 9, so the case's own 8 is not counted. A visit of 100
    belongs to no order. 20 + 30 + 12 + 45 + 9 + 100 = 216.
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
                builders.service_case(cost_amount=12, resolved_at="2026-04-02T09:00Z"),
                builders.service_case(case_id="Z2", order_id="O2", cost_amount=8),
            ],
            service_costs=[
                builders.service_cost(),
                builders.service_cost(cost_id="T2", activity="Freight", amount=30),
                builders.service_cost(cost_id="T3", activity="case", order_id="O2", amount=9),
                builders.service_cost(
                    cost_id="T4", activity="visit", order_id=None, amount=100, incurred_on="2026-04-10"
                ),
                builders.service_cost(
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
    # By the day of the cost: the case was settled in April, the visit was in April.
    assert by_month(warehouse, "cost_to_serve") == {date(2026, 3, 1): Decimal(104), date(2026, 4, 1): Decimal(112)}
    assert by(warehouse, "cost_to_serve", "segment") == {"A": Decimal(216)}, (
        "a visit without an order stands under the customer's segment"
    )
    per_order = one(warehouse, "cost_to_serve_order")
    assert (per_order.numerator, per_order.denominator, per_order.value) == (Decimal(216), 2, 108.0)


def test_freight_of_a_consignment_for_several_orders_is_shared_by_quantity(warehouse: Connection) -> None:
    """100.00 for 1, 1 and 1 pieces: 33.3333, 33.3334 and 33.3333, together 100; O3's own freight is charged, so its
    part is left out.
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
        records | {"service_costs": [builders.service_cost(order_id="O3", activity="freight", amount=5)]},
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


@pytest.mark.parametrize(
    ("whole", "weights", "expected"),
    [
        ("10", ("1", "2"), ("3.3333", "6.6667")),
        ("0.0001", ("1", "1"), ("0.0001", "0.0000")),
        ("9", ("0", "0", "0"), ("3.0000", "3.0000", "3.0000")),
        ("7.77", ("0", "5"), ("0.0000", "7.7700")),
    ],
)
def test_parts_add_up_to_the_whole(whole: str, weights: tuple[str, ...], expected: tuple[str, ...]) -> None:
    made = freight_parts(Decimal(whole), [Decimal(weight) for weight in weights])
    assert made == [Decimal(part) for part in expected]
    assert sum(made) == Decimal(whole)


def test_profit_leaves_out_what_has_no_unit_cost_and_says_so(warehouse: Connection) -> None:
    """O: 500 - 100 × 3.00 - picking 20 = 180. The line of product Q, 500 billed, has no unit cost: it is left out and
    said.
    """
    build(
        warehouse,
        sold(
            order_lines=[builders.order_line(), builders.order_line(line_no="2", product_id="Q")],
            products=[builders.product(unit_cost_amount=3), builders.product(product_id="Q")],
            invoices=[builders.invoice()],
            invoice_lines=[builders.invoice_line(), builders.invoice_line(invoice_line_no="2", line_no="2")],
            service_costs=[builders.service_cost()],
        ),
        APRIL_END,
        WITHOUT_RATES,
    )
    profit = one(warehouse, "customer_profit")
    assert profit.value == Decimal(180)
    assert profit.remark == "left out: net sales of 500.00 on 1 billed line without a unit cost"
    assert value(warehouse, "sales_without_unit_cost") == Decimal(500)
    losing = one(warehouse, "loss_making_customers")
    assert (losing.value, losing.remark) == (None, "1 customers left out: a unit cost or exchange rate is missing")


def test_a_customer_below_zero_is_loss_making(warehouse: Connection) -> None:
    """C: 500 - 300 - 20 = 180. D: 500 - 300 - 250 = -50. One of two customers loses money."""
    build(
        warehouse,
        sold(
            orders=[builders.order(), builders.order(order_id="O2", customer_id="D")],
            order_lines=[builders.order_line(), builders.order_line(order_id="O2")],
            invoices=[builders.invoice(), builders.invoice(invoice_id="I2")],
            invoice_lines=[builders.invoice_line(), builders.invoice_line(invoice_id="I2", order_id="O2")],
            service_costs=[
                builders.service_cost(),
                builders.service_cost(cost_id="T2", order_id="O2", customer_id="D", amount=250),
            ],
        ),
        APRIL_END,
        WITHOUT_RATES,
    )
    assert by(warehouse, "customer_profit", "customer") == {"C": Decimal(180), "D": Decimal(-50)}
    losing = one(warehouse, "loss_making_customers")
    assert (losing.value, losing.numerator, losing.denominator) == (1, 1, 2)
    assert by(warehouse, "loss_making_customers", "customer") == {"C": 0, "D": 1}
