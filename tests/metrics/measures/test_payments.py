"""Worked cases of payments, and a recount of random invoices in plain Python."""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, select

from metrics.facts import payments as payments_module
from metrics.facts.payments import cash_facts_table, payment_facts_table
from metrics.queries.answer import Question, answer
from tests.metrics.measures.order_to_cash_cases import MAPPED, START, world
from tests.support import engines
from tests.support.ask_measures import only
from tests.support.builders import (
    Row,
    everything,
    invoice,
    invoice_line,
    order,
    order_line,
    records,
    shipment,
    shipment_line,
)
from tests.support.contact_builders import payment
from tests.support.rule_cases import END_OF_APRIL
from tests.support.sql_facts import build

filled = only(payments_module)


@pytest.fixture(scope="module", params=engines.ENGINES)
def database(request: pytest.FixtureRequest) -> Iterator[Connection]:
    with engines.empty(request) as connection:
        yield connection


def paid(
    connection: Connection,
    *payments: Row,
    documents: list[Row] | None = None,
    lines: list[Row] | None = None,
    **order_values: Any,
) -> Any:
    """One order of 1 March, delivered on the 5th, billed 500 + 100 tax on the 10th, due on the 31st."""
    made = records(
        orders=[order(**order_values)],
        order_lines=[order_line()],
        shipments=[shipment(shipped_at="2026-03-02", received_at="2026-03-05")],
        shipment_lines=[shipment_line()],
        invoices=[invoice(due_on=date(2026, 3, 31)), *(documents or [])],
        invoice_lines=[invoice_line(), *(lines or [])],
        payments=payments,
    )
    build(connection, made, END_OF_APRIL, MAPPED)
    p = payment_facts_table.c
    return connection.execute(select(p.settled_day, p.kept).where(p.invoice_id == "I1")).one()


def credit(invoice_id: str, amount: str, day: str, **values: Any) -> tuple[Row, Row]:
    """Return a credit without tax for line 1."""
    header = invoice(invoice_id=invoice_id, invoice_kind="credit", invoiced_at=day, credit_reason="goodwill", **values)
    return header, invoice_line(invoice_id=invoice_id, line_amount=amount, tax_amount="0", billed_qty=None)


def test_invoice_is_settled_by_the_payment_that_clears_its_balance(database: Connection) -> None:
    full = payment(amount=600, paid_at="2026-03-20")
    assert paid(database, full) == (date(2026, 3, 20), True)
    (one,) = answer(database, Question(("order_to_cash_days",)))
    assert (one.numerator, one.denominator, one.value) == (19, 1, 19.0)
    assert answer(database, Question(("terms_kept_by_buyer",)))[0].numerator == 1
    assert paid(database, payment(amount=500)) == (None, False)  # the tax is owed too
    assert answer(database, Question(("order_to_cash_days",)))[0].value is None
    two = [payment(amount=500, paid_at="2026-03-20"), payment(payment_id="Y2", amount=100, paid_at="2026-04-02")]
    assert paid(database, *two) == (date(2026, 4, 2), False)
    assert paid(database, payment(amount="599.995", paid_at="2026-03-31")) == (
        date(2026, 3, 31),
        True,
    )  # to half a cent, on the last day
    assert paid(database, payment(amount=600, paid_at="2026-05-02")) == (None, False)  # after as_of
    assert paid(database, payment(amount=600, currency="USD")) == (None, False)


def test_credits_reduce_the_open_amount_of_an_invoice(database: Connection) -> None:
    header, line = credit("K1", "100", "2026-03-15")
    assert paid(database, payment(amount=500), documents=[header], lines=[line]) == (date(2026, 3, 20), True)
    named, named_line = credit("K1", "100", "2026-03-25", reverses_invoice_id="I1")
    assert paid(database, payment(amount=500), documents=[named], lines=[named_line]) == (
        date(2026, 3, 25),
        True,
    )  # open until the credit came


def test_fully_reversed_invoice_is_excluded_from_payment_terms(database: Connection) -> None:
    """The invoice is reversed and issued again. The second invoice alone settles the order."""
    reversal = invoice(invoice_id="R1", invoice_kind="reversal", invoiced_at="2026-03-12", reverses_invoice_id="I1")
    again = invoice(invoice_id="I2", invoiced_at="2026-03-13", due_on=date(2026, 4, 12))
    lines = [invoice_line(invoice_id="R1"), invoice_line(invoice_id="I2")]
    late = payment(invoice_id="I2", amount=600, paid_at="2026-04-10")
    assert paid(database, late, documents=[reversal, again], lines=lines) == (date(2026, 3, 12), None)
    (terms,) = answer(database, Question(("terms_kept_by_buyer",)))
    assert (terms.numerator, terms.denominator) == (1, 1)
    assert database.execute(
        select(cash_facts_table.c.invoices, cash_facts_table.c.cash_day, cash_facts_table.c.cash_days)
    ).one() == (
        1,
        date(2026, 4, 10),
        40,
    )


def test_settlement_of_an_invoice_with_unknown_tax_is_unknown(database: Connection) -> None:
    assert paid(
        database, payment(amount=600), lines=[invoice_line(invoice_line_no="2", line_amount="0", tax_amount=None)]
    ) == (None, None)
    (terms,) = answer(database, Question(("terms_kept_by_buyer",)))
    assert (terms.denominator, terms.unknown) == (0, 1)


def test_an_order_is_settled_when_its_last_invoice_is(database: Connection) -> None:
    second = invoice(invoice_id="I2", due_on=date(2026, 4, 15))
    lines = [invoice_line(invoice_id="I2", billed_qty=20)]
    payments = [
        payment(amount=600, paid_at="2026-03-20"),
        payment(payment_id="Y2", invoice_id="I2", amount=120, paid_at="2026-03-30"),
    ]
    paid(database, *payments, documents=[second], lines=lines)
    assert answer(database, Question(("order_to_cash_days",)))[0].value == 29.0
    paid(database, *payments[:1], documents=[second], lines=lines)
    assert answer(database, Question(("order_to_cash_days",)))[0].value is None


def test_invoice_that_is_not_yet_due_is_excluded_from_payment_terms(database: Connection) -> None:
    future = invoice(invoice_id="I2", due_on=date(2026, 5, 15))
    paid(database, documents=[future], lines=[invoice_line(invoice_id="I2")])
    (terms,) = answer(database, Question(("terms_kept_by_buyer",)))
    assert (terms.numerator, terms.denominator) == (0, 1)


def test_orders_other_than_sales_have_no_order_to_cash_days(database: Connection) -> None:
    paid(database, payment(amount=600), order_type="sample")
    assert answer(database, Question(("order_to_cash_days",)))[0].value is None


def test_payment_measures_name_the_missing_payments_feed(database: Connection) -> None:
    build(database, world({"O": 66}, []), END_OF_APRIL, everything())
    for name in ("order_to_cash_days", "terms_kept_by_buyer"):
        assert answer(database, Question((name,)))[0].no_data == "no feed: payments"


def test_invoice_settlement_equals_an_independent_recount(database: Connection) -> None:
    """Recount 300 invoices with up to three payments and a credit each."""
    drawn = random.Random(500)
    names = [f"I{number:03}" for number in range(300)]
    documents, lines, payments, expected = [], [], [], {}
    for name in names:
        gross, moves = drawn.randrange(100, 1000), []
        documents.append(invoice(invoice_id=name, invoiced_at="2026-03-10", due_on=date(2026, 3, 31)))
        lines.append(invoice_line(invoice_id=name, order_id=name, line_amount=str(gross), tax_amount="0"))
        if drawn.random() < 0.3:
            day, amount = drawn.randrange(10, 59), drawn.randrange(1, gross)
            header, line = credit(f"K{name}", str(amount), f"{(START + timedelta(day - 1)).date()}")
            documents.append(header)
            lines.append(line | {"order_id": name})
            moves.append((day, amount))
        for number in range(drawn.randrange(0, 4)):
            day, amount = drawn.randrange(10, 59), drawn.choice([gross, gross // 2, gross - gross // 2, 1])
            payments.append(
                payment(
                    payment_id=f"{name}{number}",
                    invoice_id=name,
                    amount=amount,
                    paid_at=f"{(START + timedelta(day - 1)).date()}",
                )
            )
            moves.append((day, amount))
        so_far, expected[name] = 0, None
        for day, amount in sorted(moves):
            so_far += amount
            if so_far >= gross and expected[name] is None:
                expected[name] = day
    made = records(
        orders=[order(order_id=name) for name in names],
        order_lines=[order_line(order_id=name) for name in names],
        invoices=documents,
        invoice_lines=lines,
        payments=payments,
    )
    build(database, made, END_OF_APRIL, MAPPED)
    p = payment_facts_table.c
    found = {
        name: None if day is None else (day - date(2026, 2, 28)).days
        for name, day in database.execute(select(p.invoice_id, p.settled_day))
    }
    assert found == expected
    settled = [day for day in expected.values() if day is not None]
    (terms,) = answer(database, Question(("terms_kept_by_buyer",)))
    assert (terms.numerator, terms.denominator) == (sum(day <= 31 for day in settled), len(names))
    (cash,) = answer(database, Question(("order_to_cash_days",)))
    assert (cash.numerator, cash.denominator) == (sum(day - 1 for day in settled), len(settled))
