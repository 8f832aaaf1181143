"""Worked examples of net sales and currencies for the reference implementation."""

from datetime import date
from decimal import Decimal
from typing import Any

from tests.reference.money import net_sales, net_sales_of_orders, posted, rate
from tests.support.builders import fx_rate, invoice, invoice_line


def documents(*rows: tuple[str, str, int, str | None]) -> Any:
    """Return documents of (kind, day, amount, line). A line of None is freight."""
    headers = [
        invoice(invoice_id=f"I{number}", invoice_kind=kind, invoiced_at=on)
        for number, (kind, on, _, _) in enumerate(rows)
    ]
    lines = [
        invoice_line(invoice_id=f"I{number}", line_no=line, line_amount=amount)
        for number, (_, _, amount, line) in enumerate(rows)
    ]
    return posted(headers, lines, until=date(2026, 4, 30))


def test_r24_net_sales_by_document_date_and_by_order() -> None:
    """March invoice 1,000 and freight 50, April credit 100: March 1,000, April -100; all orders 900."""
    found = documents(
        ("invoice", "2026-03-10", 1000, "1"), ("invoice", "2026-03-10", 50, None), ("credit", "2026-04-05", 100, "1")
    )
    assert net_sales(found, [], first=date(2026, 3, 1), last=date(2026, 3, 31)).amount == 1000
    assert net_sales(found, [], first=date(2026, 4, 1), last=date(2026, 4, 30)).amount == -100
    assert net_sales_of_orders(found, [], frozenset({"O"})).amount == 900
    assert net_sales_of_orders(found, [], frozenset({"another"})).amount == 0


def test_r24_net_sales_of_a_reversed_and_reissued_invoice() -> None:
    """Invoice 1,000, reversal 1,000, reissue 950: 950."""
    found = documents(
        ("invoice", "2026-03-10", 1000, "1"), ("reversal", "2026-03-11", 1000, "1"), ("invoice", "2026-03-12", 950, "1")
    )
    assert net_sales_of_orders(found, [], frozenset({"O"})).amount == 950


def test_r25_amounts_are_converted_at_the_rate_of_the_document_day() -> None:
    """5,000 USD, 5,000 EUR at 1.10 and 10,000 AED without a rate: 10,500 USD, with 10,000 AED left out."""
    headers = [
        invoice(invoice_id=currency, currency=currency, invoiced_at="2026-03-05") for currency in ("USD", "EUR", "AED")
    ]
    amounts = {"USD": 5000, "EUR": 5000, "AED": 10000}
    lines = [invoice_line(invoice_id=currency, line_amount=amount) for currency, amount in amounts.items()]
    found = net_sales(posted(headers, lines, until=date(2026, 4, 30)), [fx_rate()])
    assert found.amount == 10500
    assert found.left_out == {"AED": (Decimal(10000), 1)}


def test_r25_exchange_rate_is_valid_for_seven_days() -> None:
    rates = [fx_rate(), fx_rate(on_date="2026-03-03", rate="1.20")]
    assert rate("EUR", date(2026, 3, 2), rates) == Decimal("1.10")
    assert rate("EUR", date(2026, 3, 10), rates) == Decimal("1.20")
    assert rate("EUR", date(2026, 3, 11), rates) is None
    assert rate("EUR", date(2026, 2, 28), rates) is None
    assert rate("USD", date(2026, 3, 2), rates) == 1
    assert rate("EUR", date(2026, 3, 2), []) == 1
