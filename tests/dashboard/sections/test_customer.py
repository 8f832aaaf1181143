"""The page for one customer, its numbers against the same questions elsewhere, and the printed review."""

from datetime import date
from pathlib import Path

from streamlit.testing.v1 import AppTest

from dashboard import queries
from dashboard.frame.filters import Filters
from dashboard.frame.period import choose
from dashboard.reports import pdf, service_review
from dashboard.sections import customer_review
from metrics.lists.failed_orders import failed_orders
from metrics.model.question import Question
from tests.dashboard.conftest import Open, markup

START, END, AS_OF = date(2026, 5, 1), date(2026, 6, 30), date(2026, 6, 30)
FILTERS = Filters(choose("Dates", as_of=AS_OF, first=START, days=(START, END)), (("customer", ("C02",)),))


def _review() -> customer_review.Review:
    published = queries.current()
    assert published is not None
    return customer_review.load_review("C02", published.number, FILTERS)


def test_every_number_of_the_page_equals_the_export_filtered_to_the_customer(small: Path) -> None:
    assert small
    review = _review()
    question = Question(customer_review.MEASURES_SHOWN, start=START, end=END, where=(("customer", ("C02",)),))
    exported = {answer.measure: answer for answer in queries.answers(review.view.generation, question)}
    assert {name: answer.value for name, answer in review.answers.items()} == {
        name: answer.value for name, answer in exported.items()
    }
    sections = {section.key: section for section in customer_review.sections(review)}
    listed = queries.cached(failed_orders, review.view.generation, start=START, end=END, where=FILTERS.where)
    assert listed.total == exported["failed_orders"].value
    assert [row[0].text for row in sections["failed"].rows] == [row["order_id"] for row in listed.rows][:10]
    assert "HAND-PRICE" in {row[0].text for row in sections["failed"].rows}
    assert sections["contract"].rows == sections["disputed"].rows == []


def test_customers_to_choose_from_are_those_with_most_judged_orders(small: Path) -> None:
    assert small
    filters = Filters(FILTERS.period, ())
    listed = customer_review.largest_customers(_review().view.generation, filters)
    counts = {}
    for name in ("judged_orders", "failed_orders"):
        question = Question((name,), by=("customer",), start=START, end=END)
        counts[name] = {one.dimensions["customer"]: one.value for one in queries.answers(1, question)}
    assert [row["judged_orders"] for row in listed] == sorted(counts["judged_orders"].values(), reverse=True)[:12]
    assert {"customer": "C02", "name": "Customer 2"}.items() <= next(
        row for row in listed if row["customer"] == "C02"
    ).items()
    for row in listed:
        assert [row[name] for name in counts] == [found.get(row["customer"], 0) for found in counts.values()]


def test_service_review_is_a_pdf_with_every_table(small: Path) -> None:
    assert small
    review = _review()
    text = service_review.review_text(review, None)
    assert [section["title"] for section in text["sections"]] == [one.title for one in customer_review.sections(review)]
    assert all(section["note"] for section in text["sections"])
    assert pdf.pdf(text).startswith(b"%PDF")


def test_page_asks_for_a_customer_and_shows_the_chosen_one(page_of_small: Open) -> None:
    at: AppTest = page_of_small("customer")
    assert "Choose one customer" in markup(at)
    assert "customer=C02" in markup(at)
    assert "Customer 2</a>" in markup(at)
    at = page_of_small("customer", customer="C02", period="52W")
    assert "No disputed orders" in markup(at)
    assert "Customer 2" in {header.value for header in at.header}
