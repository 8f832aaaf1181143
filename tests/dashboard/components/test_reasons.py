"""Texts of pages have titles and words in place of the names that files use."""

import re

import pytest

from dashboard.components import cards
from dashboard.components.reasons import column_in_words, in_plain_words
from dashboard.sections import data_quality_quarantine
from metrics.measures.catalog import MEASURES
from metrics.model.question import SEVERAL_UNITS, Answer
from metrics.model.reasons import missing
from metrics.schema import FEEDS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no feed: buyer_scorecards", "no feed: buyer scorecards"),
        ("perfect_order cannot be dated by ordered", "“Perfect orders” cannot be dated by ordered"),
        ("no feed: orders or order_lines", "no feed: orders or order lines"),
        ("map order_lines.unit_price or order_events.at.", "map order_lines.unit_price or order_events.at."),
        ("write full = true for [order_lines]", "write full = true for [order_lines]"),
        ("order_lines.csv, /data/order_lines", "order_lines.csv, /data/order_lines"),
        ("no source maps shipped_at", "no source maps “shipped at”"),
        ("no data: due_on (map invoices.due_on)", "no data: “due on” (map invoices.due_on)"),
        ("assume fine_rate", "assume “Fine as a share of the goods value that the buyer's book fails”"),
        ("no_such_name", "no_such_name"),
    ],
)
def test_names_are_titles_and_words_except_those_to_type_in_a_mapping(text: str, shown: str) -> None:
    assert in_plain_words(text) == shown


def test_no_reason_of_a_measure_has_a_name_except_those_to_map() -> None:
    columns = [f"{name}.{column.name}" for name, feed in FEEDS.items() for column in feed.table.c]
    known = [frozenset(), *(frozenset(columns) - {column} for column in columns)]
    found = {in_plain_words(missing(measure, one) or "") for measure in MEASURES.values() for one in known}
    assert len(found) > 50
    assert not [text for text in found if re.search(r"\w_\w", re.sub(r"\w+\.\w+", "", text))]


def test_column_of_a_check_is_words() -> None:
    assert column_in_words("order_lines", "unit_price") == "Order lines, unit price"
    assert column_in_words("order_lines", None) == "Order lines"


def test_reason_of_a_missing_number_names_the_dimension_in_words() -> None:
    answer = Answer({}, None, "unit_fill_final", None, no_data=SEVERAL_UNITS)
    assert cards.why_missing(answer) == "no data: several units; break down by base unit or use value"


def test_broken_rule_names_its_feed_in_words_and_the_column_of_the_file() -> None:
    assert data_quality_quarantine._place({"feed": "order_lines", "column": "MY_QTY"}) == "Order lines, MY_QTY"
    assert data_quality_quarantine._place({"feed": "order_lines", "column": None}) == "Order lines"
