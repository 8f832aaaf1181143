"""The pages of measures: the sentence and the charts say what the query answers, lists hold as many orders as their measure counts."""

import pytest

from dashboard import shapes
from dashboard.shapes import Bar
from tests.dashboard.conftest import Open, markup

PAGES = ("order_to_cash", "communications", "recovery", "influence", "books")


@pytest.mark.parametrize("page", PAGES)
def test_without_a_page_s_feeds_it_says_which_to_add(page: str, page_of_small: Open) -> None:
    at = page_of_small(page)
    assert not at.exception
    assert "Add the feed" in markup(at)


def test_bars_stand_in_the_order_given_and_totals_are_marks() -> None:
    spec = shapes.rows([Bar("b", 3, "three"), Bar("a", 5, "five", start=2, tone="bad-strong"), Bar("c", 4, "four", total=True)], is_dark=False)
    assert [row["name"] for row in spec["datasets"]["rows"]] == ["b", "a", "c"]
    assert [row["name"] for row in spec["datasets"]["bars"]] == ["b", "a"]
    assert [row["name"] for row in spec["datasets"]["totals"]] == ["c"]
    assert {one["name"]: one["value"] for one in spec["params"]} == {"low": 0, "high": 5}
