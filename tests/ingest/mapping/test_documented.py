"""docs/mapping-reference.md lists the columns of every feed and every rule across rows."""

import re
from pathlib import Path

import pytest

from ingest.mapping.mapping_file import mappable, required
from ingest.validate import cross_row_rules
from metrics.schema import FEEDS

PAGE = (Path(__file__).parents[3] / "docs" / "mapping-reference.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### `(\w+)`\n(.*?)(?=^### |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))


@pytest.mark.parametrize("feed", FEEDS)
def test_document_lists_every_column_and_marks_the_required_columns(feed: str) -> None:
    listed = re.findall(r"^\| `(\w+)`( \(needed\))? \|", SECTIONS[feed], flags=re.MULTILINE)
    documented = [column for column, _ in listed]
    assert documented == [column for column in mappable(FEEDS[feed]) if column not in ("source_updated_at", "deleted")]
    assert {column for column, needed in listed if needed} == set(required(feed))


def test_document_lists_every_cross_row_rule() -> None:
    found = {rule.name for feed, about in FEEDS.items() for rule in cross_row_rules.rules(feed, about.table)}
    found |= {"unit_has_factor", "quantity_converts", "price_converts"}
    listed = set(re.findall(r"`([\w…]+)`", PAGE))
    # The document spells out one rule of each kind, and names the others as `moment_…`.
    missing = {name for name in found if name not in listed and f"{name.partition('_not_before_')[0]}_…" not in listed}
    assert len(found) > 15
    assert missing == set()
