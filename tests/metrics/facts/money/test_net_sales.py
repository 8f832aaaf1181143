"""Worked cases of net sales and currencies. Each test shows its calculation."""

from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from metrics.facts.money import movements
from tests.metrics.facts.money.cases import APRIL_END, EVERYTHING, WITHOUT_RATES, by, by_month, one, rows, sold, value
from tests.support import builders, contact_builders
from tests.support.ask_measures import only
from tests.support.sql_facts import build

filled = only(movements)


def test_r24_net_sales_by_document_date_and_by_order_date(warehouse: Connection) -> None:
    """March invoice 1,000 + freight 50 + tax 200, April credit 100: March 1,000, April -100, all orders 900."""
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
    # A credit of money alone returns no goods: 100 pieces at 3.00 stay sold.
    assert value(warehouse, "product_cost") == Decimal(300)


def test_i9_net_sales_include_a_discount_line_and_its_credit(warehouse: Connection) -> None:
    """Goods 1,000 less a voucher of 20, written as 1 at -20 and, in the next order, as -1 at 20: 980 + 980.

    The voucher of the second order is credited again, +20: 1,980. A discount has no product cost: 2 x 300.
    """
    two = [builders.order(order_id=name) for name in ("O", "Q")]
    lines = [
        line
        for name in ("O", "Q")
        for line in (
            builders.order_line(order_id=name),
            builders.order_line(
                order_id=name, line_no="2", line_kind="discount", ordered_qty=1, unit_price_amount=-20, product_id="V"
            ),
        )
    ]
    bills = [
        builders.invoice_line(line_amount=1000),
        builders.invoice_line(invoice_line_no="2", line_no="2", billed_qty=1, unit_price_amount=-20, line_amount=-20),
        builders.invoice_line(invoice_id="I2", order_id="Q", line_amount=1000),
        builders.invoice_line(
            invoice_id="I2", order_id="Q", invoice_line_no="2", line_no="2", billed_qty=-1, unit_price_amount=20,
            line_amount=-20,
        ),
        builders.invoice_line(invoice_id="K", order_id="Q", line_no="2", billed_qty=None, line_amount=-20),
    ]  # fmt: skip
    invoices = [
        builders.invoice(),
        builders.invoice(invoice_id="I2"),
        builders.invoice(invoice_id="K", invoice_kind="credit", credit_reason="goodwill"),
    ]
    build(
        warehouse, sold(orders=two, order_lines=lines, invoices=invoices, invoice_lines=bills), APRIL_END, WITHOUT_RATES
    )
    assert value(warehouse, "net_sales_value") == Decimal(1980)
    assert value(warehouse, "product_cost") == Decimal(600)


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


def test_r24_two_reversals_without_lines_reverse_their_invoice_once(warehouse: Connection) -> None:
    """Two reversals of the invoice of 1,000 have no lines. It is reversed once: sales 0, with two documents."""
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


def test_net_sales_exclude_future_documents_fees_and_deleted_invoices(warehouse: Connection) -> None:
    """The 500 billed and a service line of 40 count.

    A fee line of 10, an invoice of May and a deleted invoice of 70 do not count.
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
    """Return 5,000 USD, 5,000 EUR at 1.10 and 10,000 AED without a rate. The reporting currency is USD."""
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


def test_r25_amounts_are_converted_at_the_document_day_rate_or_left_out(warehouse: Connection) -> None:
    """5,000 USD + 5,000 EUR × 1.10 = 10,500 USD, with "10,000 AED in 1 document" left out."""
    names = ("USD", "EUR", "AED")
    of_three = [builders.order(order_id=name, customer_id=name, currency=name) for name in names]
    build(warehouse, {**dollars(), "orders": of_three}, APRIL_END, EVERYTHING)
    assert value(warehouse, "net_sales_value") == Decimal(10500)
    assert by(warehouse, "net_sales_value", "currency") == {
        "USD": Decimal(5000),
        "EUR": Decimal(5500),
        "AED": None,
    }
    sales = one(warehouse, "net_sales_value")
    assert (sales.judged, sales.unknown, sales.coverage) == (3, 1, 2 / 3)
    assert sales.remark == one(warehouse, "billed_value").remark == "Leaves out 1 amount without an exchange rate."
    aed = one(warehouse, "net_sales_value", currency="AED")
    assert (aed.value, aed.no_data) == (None, "no data: no amount has an exchange rate")
    assert value(warehouse, "documents_without_rate") == 1
    left_out = one(warehouse, "amount_without_rate")
    assert left_out.value == Decimal(10000)
    assert left_out.remark == "10,000.00 AED in 1 document"
    profit = one(warehouse, "customer_profit")
    assert profit.value == Decimal(10500 - 2 * 300), "100 pieces at 3.00 of each of the two documents that have a rate"
    assert profit.remark == "left out: 1 document without a rate"
    # The sales of AED are unknown, so it has no zone. The median of 5,000 and 5,500 is 5,250.
    assert by(warehouse, "zone", "zone") == {"Build": 1, "Protect": 1}
    assert one(warehouse, "zone").remark == (
        "cuts: net sales 5,250.00, cost to serve 0.00; 2 customers; 1 customers left out: an exchange rate is missing"
    )
    aed = one(warehouse, "customer_profit", currency="AED")
    assert (aed.value, aed.remark) == (0, profit.remark)


def test_r25_exchange_rate_is_valid_for_seven_days(warehouse: Connection) -> None:
    """A rate of the 1st applies to a document of the 8th, but not of the 9th.

    Two currencies without a rate are not added.
    """
    for day, counted in (("2026-03-08", Decimal(550)), ("2026-03-09", None)):
        records = sold(
            fx_rates=[builders.fx_rate()],
            invoices=[builders.invoice(invoiced_at=day)],
            invoice_lines=[builders.invoice_line()],
        )
        build(warehouse, records, APRIL_END, EVERYTHING)
        assert value(warehouse, "net_sales_value") == counted
    build(warehouse, dollars(service_costs=[contact_builders.service_cost(currency="CHF")]), APRIL_END, EVERYTHING)
    left_out = one(warehouse, "amount_without_rate")
    assert left_out.value is None
    assert left_out.no_data == "no data: more than one currency without a rate; break down by currency"
    assert by(warehouse, "amount_without_rate", "currency") == {
        "AED": Decimal(10000),
        "CHF": Decimal(20),
        "EUR": 0,
        "USD": 0,
    }


def test_r25_total_of_two_currencies_is_withheld_without_exchange_rates(warehouse: Connection) -> None:
    build(warehouse, dollars() | {"fx_rates": []}, APRIL_END, WITHOUT_RATES)
    found = one(warehouse, "net_sales_value")
    assert found.value is None
    assert found.no_data
    assert value(warehouse, "net_sales_value", currency="AED") == Decimal(10000)
