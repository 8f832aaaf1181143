"""Pages that list customers, or orders with their customers, show names beside numbers."""

import html
import json
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from dashboard.measure_page.cells import customer_cell, named_customer, order_cell
from metrics.lists.customer import customer_names, customers_with_most_orders
from metrics.model.question import Question
from metrics.queries.answer import answer
from metrics.warehouse import Location, reading
from tests.dashboard.conftest import Open, markup
from tests.support.builders import customer, records
from tests.support.engines import memory
from tests.support.sql_facts import load

LISTED = {
    "packages": r'<a [^>]*>([^<]+)</a><span class="bv-small">(C\d+), segment',
    "profitability": r'<a [^>]*>([^<]+)</a><span class="bv-small">(C\d+), segment',
    "order_to_cash": r'<span class="bv-small">([^<]+) \((C\d+)\), segment',
    "two_books": r'<span class="bv-small">([^<]+) \((C\d+)\), segment',
}


@pytest.mark.parametrize("page", LISTED)
def test_listed_customers_have_their_names_and_files_the_numbers_as_a_column(
    page: str, sample: Location, at_home: Callable[[Path], None], open_page: Open
) -> None:
    assert sample.folder is not None
    with reading(sample) as connection:
        names = customer_names(connection, date(2026, 7, 1))
    at_home(sample.folder)
    drawn = markup(open_page(page, period="All"))
    listed = re.findall(LISTED[page], drawn)
    assert listed
    files = [json.loads(html.unescape(one)) for one in re.findall(r'data-table="([^"]*)"', drawn)]
    saved = [dict(zip(file["columns"], row, strict=True)) for file in files for row in file["rows"]]
    of_customers = [row for row in saved if "customer_id" in row]
    assert len(of_customers) >= len(listed)
    assert {row["customer_id"] for row in of_customers} >= {number for _, number in listed}
    assert all(row.get("customer_name", row.get("customer")) == names[row["customer_id"]] for row in of_customers)
    assert {names[number] for _, number in listed} == {html.unescape(name) for name, _ in listed}


def test_name_is_that_of_the_day_or_of_the_first_version() -> None:
    versions = [
        customer(customer_id="C1", valid_from="2026-01-01", name="Old"),
        customer(customer_id="C1", valid_from="2026-03-01", name="New"),
        customer(customer_id="C2", valid_from="2026-03-01", name="Later"),
        customer(customer_id="C2", valid_from="2026-04-01", name="Much later"),
        customer(customer_id="C3", valid_from="2026-01-01", name=None),
        customer(customer_id="C4", valid_from="2026-01-01", name="Withdrawn", deleted=True),
    ]
    with memory().connect() as connection:
        load(connection, records(customers=versions))
        assert customer_names(connection, date(2026, 2, 28)) == {"C1": "Old", "C2": "Later"}
        assert customer_names(connection, date(2026, 3, 1)) == {"C1": "New", "C2": "Later"}


def test_orders_in_quarantine_without_a_customer_are_no_customer_to_choose(sample: Location) -> None:
    with reading(sample) as connection:
        judged = answer(connection, Question(("judged_orders",), by=("customer",)))
        listed = customers_with_most_orders(connection, Question(()), 10_000, date(2026, 7, 1))
    numbers = {one.dimensions["customer"] for one in judged}
    assert "(none)" in numbers
    assert {row["customer"] for row in listed} == numbers - {"(none)"}


def test_customer_without_a_name_shows_its_number_only() -> None:
    cell = customer_cell("C7", "A", {})
    assert (cell.text, cell.small) == ("C7", "segment A")
    assert named_customer("C7", None) == "C7"
    assert named_customer("C7", "Ann") == "Ann (C7)"
    order = order_cell({"order_id": "O1", "customer_id": "C7", "segment": "A"}, {})
    assert order.small == "C7, segment A"
    assert dict(order.fields) == {"customer_id": "C7", "customer_name": "", "segment": "A"}
