"""Texts of pages have titles and words in place of the names that files use."""

import pytest

from dashboard.components import cards
from dashboard.components.reasons import in_plain_words
from metrics.model.question import SEVERAL_UNITS, Answer


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no feed: buyer_scorecards", "no feed: buyer scorecards"),
        ("perfect_order cannot be dated by ordered", "“Perfect orders” cannot be dated by ordered"),
        ("map order_lines.unit_price or order_events.at.", "map order_lines.unit_price or order_events.at."),
        ("no source maps shipped_at", "no source maps shipped_at"),
    ],
)
def test_names_of_feeds_and_measures_are_words_and_columns_stay(text: str, shown: str) -> None:
    assert in_plain_words(text) == shown


def test_reason_of_a_missing_number_names_the_dimension_in_words() -> None:
    answer = Answer({}, None, "unit_fill_final", None, no_data=SEVERAL_UNITS)
    assert cards.why_missing(answer) == "no data: several units; break down by base unit or use value"
