"""Names of other systems in our own words: compounds, accents, prefixes, and a vocabulary without typing errors."""

import pytest

from ingest.inference.names import column_scores, shared_prefix, table_score, vocabulary, words_of
from ingest.mapping.mapping_file import mappable
from metrics.schema import FEEDS


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Auftragsnummer", {"order", "number"}),
        ("N° de commande", {"order", "number", "noise"}),
        ("bestätigter Liefertermin", {"promise", "delivery", "date"}),
        ("qtyShipped", {"quantity", "ship"}),
        ("MwSt-Betrag", {"tax", "amount"}),
        ("Sold-To Party", {"customer"}),
        ("Customer PO", {"purchase"}),
        ("colour", {"?colour"}),
    ],
)
def test_column_name_is_translated_to_vocabulary_words(name: str, words: set[str]) -> None:
    assert words_of(name) == words


def test_prefix_shared_by_most_columns_is_ignored() -> None:
    columns = ["ord_no", "ord_customer", "ord_qty", "ord_price", "note"]
    assert shared_prefix(columns) == "ord"
    assert column_scores("ord_qty", "shipment_lines", prefix="ord")["shipped_qty"] > 0.9
    assert "shipped_qty" not in column_scores("ord_qty", "shipment_lines", alone=False)


def test_generic_column_name_matches_only_in_a_table_of_a_single_feed() -> None:
    assert column_scores("quantity", "order_lines")["ordered_qty"] > 0.9
    assert column_scores("quantity", "order_lines", alone=False) == {}
    assert table_score("fact_order_lines.xlsx", "order_lines") == 1 > table_score("fact_order_lines.xlsx", "orders")
    assert table_score("us_states", "shipments") == 0


def test_vocabulary_uses_only_existing_columns_and_known_words() -> None:
    known = vocabulary()
    ours = {word for words in known.words.values() for word in words}
    for feed, words in known.feeds.items():
        assert {*words.columns, *words.alone} <= {*mappable(FEEDS[feed])}, feed
        patterns = [
            *words.tables,
            *(one for listed in (*words.columns.values(), *words.alone.values()) for one in listed),
        ]
        assert {word for pattern, _ in patterns for word in pattern} <= ours, feed
    columns = {column for feed in FEEDS.values() for column in mappable(feed)}
    assert set(known.codes) <= columns
