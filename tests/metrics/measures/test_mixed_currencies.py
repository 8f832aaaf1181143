"""Every money measure of the catalogue over documents in several currencies (R25, currencies).

The same trade is recorded twice: once in dollars, once with every document in a currency of its own. The rates differ
by currency and by day. An amount converted at another document's rate, or at another day's rate, changes a number.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal

import pytest

from metrics.measures.catalog import MEASURES
from metrics.model.question import Question
from metrics.queries.answer import answer
from tests.support.ask_measures import built, one, together
from tests.support.builders import (
    Row,
    assumption,
    customer,
    fx_rate,
    invoice,
    invoice_line,
    order,
    order_line,
    product,
    shipment,
    shipment_line,
)
from tests.support.contact_builders import quote, quote_option, scorecard, service_case, service_cost, stockout

FIRST = date(2026, 1, 5)
ORDERS = 24
"""Orders of a customer, one every three days: enough arrivals for a safety stock."""
MONEY = tuple(name for name, measure in MEASURES.items() if measure.in_money)
Feeds = dict[str, list[Row]]


def rate(currency: str, day: date) -> Decimal:
    """Return dollars for one unit of a currency. Powers of two keep every amount exact."""
    odd = day.toordinal() % 2 == 1
    return {"USD": Decimal(1), "EUR": Decimal("0.5") if odd else Decimal(2), "GBP": Decimal(4) if odd else Decimal(1)}[
        currency
    ]


class Books:
    """Chooses a currency per document. In the plain books everything is in dollars."""

    def __init__(self, *, mixed: bool) -> None:
        self.mixed = mixed
        self.documents = 0

    def paid(self, day: date, **dollars: int) -> Row:
        """Return amounts of one document in its currency, worth these dollars on its day."""
        self.documents += 1
        currency = ("EUR", "GBP", "USD")[self.documents % 3] if self.mixed else "USD"
        amounts: Row = {name: Decimal(amount) / rate(currency, day) for name, amount in dollars.items()}
        return amounts | {"currency": currency}


def of_order(books: Books, who: str, at: int) -> Iterator[Feeds]:
    """Yield the records of one order: 100 at 8 dollars, every third late and short, billed two days after receipt."""
    day = FIRST + timedelta(3 * at)
    order_id, late = f"{who}{at}", at % 3 == 0
    own = books.paid(day, unit_price_amount=8)
    due, received = day + timedelta(5), day + timedelta(9 if late else 4)
    yield {
        "orders": [
            order(
                order_id=order_id, customer_id=who, ordered_at=str(day), promised_by=str(due), currency=own["currency"]
            )
        ],
        "order_lines": [
            order_line(order_id=order_id, unit_price_amount=own["unit_price_amount"])
            | ({"cancelled_qty": 10, "cancelled_by": "seller", "cancelled_at": None} if at % 6 == 0 else {})
        ],
    }
    parts = [(day + timedelta(3), 60), (received - timedelta(1), 40)] if late else [(day + timedelta(2), 100)]
    for place, (left, quantity) in enumerate(parts):
        freight = books.paid(left, freight_amount=16 + at)
        shipment_id = f"{order_id}-{place}"
        yield {
            "shipments": [
                shipment(shipment_id=shipment_id, shipped_at=str(left), received_at=str(received), **freight)
            ],
            "shipment_lines": [shipment_line(shipment_id=shipment_id, order_id=order_id, shipped_qty=quantity)],
        }
    billed = received + timedelta(2)
    bill = books.paid(billed, line_amount=800, unit_price_amount=8)
    # Other terms than the order's: every bill is wrong, in dollars as in the other currencies.
    head = {"invoice_id": order_id, "invoiced_at": str(billed), "payment_terms": "net 60"}
    yield {
        "invoices": [invoice(currency=bill.pop("currency"), **head)],
        "invoice_lines": [invoice_line(invoice_id=order_id, order_id=order_id, **bill)],
    }
    if late:
        yield from after_a_failure(books, who, order_id, billed)


def after_a_failure(books: Books, who: str, order_id: str, day: date) -> Iterator[Feeds]:
    """Yield a goodwill credit, a case, a service cost and the buyer's own verdict, each on a day of its own."""
    credited = day + timedelta(3)
    credit = books.paid(credited, line_amount=48)
    yield {
        "invoices": [
            invoice(
                invoice_id=f"K{order_id}",
                invoice_kind="credit",
                credit_reason="goodwill",
                invoiced_at=str(credited),
                currency=credit.pop("currency"),
            )
        ],
        "invoice_lines": [invoice_line(invoice_id=f"K{order_id}", order_id=order_id, billed_qty=None, **credit)],
        "service_cases": [
            service_case(
                case_id=order_id,
                order_id=order_id,
                customer_id=who,
                opened_at=f"{day}T09:00Z",
                acknowledged_at=f"{day}T10:00Z",
                resolved_at=f"{day + timedelta(1)}T09:00Z",
                **books.paid(day + timedelta(1), cost_amount=32),
            )
        ],
        "service_costs": [
            service_cost(
                cost_id=order_id,
                order_id=order_id,
                customer_id=who,
                activity="handling",
                incurred_on=str(day + timedelta(2)),
                **books.paid(day + timedelta(2), amount=24),
            )
        ],
        "buyer_scorecards": [scorecard(customer_id=who, order_id=order_id, passed=False)],
    }


def quoted(books: Books, who: str, at: int) -> Feeds:
    """Return an inquiry with two options in one currency. Every second one is accepted."""
    day, quote_id = FIRST + timedelta(2 * at), f"Q{who}{at}"
    offered = books.paid(day, fast=560, slow=480)
    return {
        "quotes": [
            quote(
                quote_id=quote_id,
                customer_id=who,
                asked_at=f"{day}T09:00Z",
                answered_at=f"{day}T12:00Z",
                order_id=f"{who}{at}" if at % 2 else None,
            )
        ],
        "quote_options": [
            quote_option(
                quote_id=quote_id,
                option_no=name,
                price_amount=offered[name],
                currency=offered["currency"],
                lead_time_days=days,
                accepted=at % 2 == 1 and name == "fast",
            )
            for name, days in (("fast", 2), ("slow", 6))
        ],
    }


def trade(*, mixed: bool) -> Feeds:
    """Return a year's start of three customers, and a fourth who stops ordering."""
    books = Books(mixed=mixed)
    parts: list[Feeds] = [{"products": [product(unit_cost_amount=3)], "customers": [], "stockouts": []}]
    for place, who in enumerate(("A", "B", "C", "L")):
        parts.append({"customers": [customer(customer_id=who, service_segment="AAB"[place % 3])]})
        for at in range(ORDERS if who != "L" else 7):
            parts += of_order(books, who, at)
            parts += [quoted(books, who, at)] if at < 6 else []
        for visit in range(place * 3):
            day = FIRST + timedelta(7 * visit)
            cost = books.paid(day, amount=700)
            visited = service_cost(cost_id=f"{who}{visit}v", customer_id=who, order_id=None, activity="visit", **cost)
            parts.append({"service_costs": [visited | {"incurred_on": day}]})
        parts.append({"stockouts": [stockout(stockout_id=who, customer_id=who, wanted_at="2026-02-20")]})
    parts.append({"assumptions": [assumption(assumption="fine_rate", assumed_value="0.5")]})
    days = [FIRST - timedelta(1) + timedelta(n) for n in range(130)]
    parts.append(
        {
            "fx_rates": [
                fx_rate(currency=currency, on_date=str(day), rate=rate(currency, day))
                for currency in ("EUR", "GBP")
                for day in days
            ]
        }
    )
    return together(*parts)


@pytest.mark.long
@pytest.mark.parametrize("by", [(), ("segment",)])
def test_r25_every_money_measure_converts_each_document_at_its_own_currency_and_day(by: tuple[str, ...]) -> None:
    values = []
    for mixed in (False, True):
        with built(**trade(mixed=mixed)) as connection:
            found = answer(connection, Question(MONEY, by=by))
            values.append({(one.measure, *one.dimensions.values()): one.value for one in found})
    plain, converted = values
    assert {name: value for name, value in converted.items() if value != pytest.approx(plain[name])} == {}
    if not by:
        assert [name for (name,), value in plain.items() if value is None] == []


def test_r25_invoice_in_another_currency_than_its_order_uses_its_own_rate() -> None:
    """The order of 1 March is in pounds (0.80), the invoice of 10 March in euros (1.00): 500 and not 400.

    The invoice of 60 pounds on 12 March has a rate of its day: 60 × 0.90 = 54. Together 554.
    """
    rates = (("GBP", "2026-03-01", "0.80"), ("GBP", "2026-03-09", "0.90"))
    records = {
        "orders": [order(currency="GBP")],
        "order_lines": [order_line()],
        "invoices": [
            invoice(currency="EUR"),
            invoice(invoice_id="I2", invoiced_at="2026-03-12", currency="GBP"),
        ],
        "invoice_lines": [invoice_line(), invoice_line(invoice_id="I2", line_amount=60)],
        "fx_rates": [
            fx_rate(currency=currency, on_date=day, rate=value, reporting_currency="EUR")
            for currency, day, value in rates
        ],
    }
    with built(**records) as connection:
        assert one(connection, "billed_value").value == 554
        assert one(connection, "net_sales_value").value == 554
        assert one(connection, "ordered_value").value == 400  # 100 at 5.00 pounds, at the rate of the order's day
