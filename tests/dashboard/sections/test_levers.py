"""Levers on the scorecard and on their page, and the orders they lead to."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.dashboard.conftest import Open, markup

ROW = re.compile(r'<td class="bv-num"><a href="([^"]*failed-orders[^"]*)" target="_self">(\d+)<')


def orders_of_levers(html: str) -> list[tuple[str, int]]:
    """Return the address and the number of orders of each lever."""
    return [(href.replace("&amp;", "&"), int(number)) for href, number in ROW.findall(html)]


def test_a_lever_leads_to_its_orders(page_of_small: Open) -> None:
    found = orders_of_levers(markup(page_of_small("levers", period="All")))
    address, number = found[0]
    lever = parse_qs(urlsplit(address).query)["lever"][0]
    shown = page_of_small("failed_orders", period="All", lever=lever)
    assert number > 1
    assert f"<b>{number}</b><span class='bv-muted'>failed orders</span>" in markup(shown)
    assert any("Failed only because" in caption.value for caption in shown.caption)


def test_reasons_of_all_orders_add_up_to_the_failed_orders(page_of_small: Open) -> None:
    html = markup(page_of_small("levers", period="All", where="all"))
    several = re.search(r"Several reasons</th><td class=\"bv-num\">(\d+)", html)
    failed = re.search(r"All failed orders</th><td class=\"bv-num\">(\d+)", html)
    assert failed is not None
    single = sum(number for _, number in orders_of_levers(html))
    assert single + (int(several[1]) if several else 0) == int(failed[1])


def test_scorecard_shows_the_best_levers_of_different_reasons(page_of_small: Open) -> None:
    found = orders_of_levers(markup(page_of_small(period="All")))
    reasons = [parse_qs(urlsplit(address).query)["lever"][0].split(":")[0] for address, _ in found]
    assert 0 < len(reasons) == len(set(reasons)) <= 3


@pytest.mark.parametrize("lever", ["late", "late:planet:Mars", "unheard:carrier:X"])
def test_an_unknown_lever_in_an_address_is_ignored(lever: str, page_of_small: Open) -> None:
    shown = page_of_small("failed_orders", period="All", lever=lever)
    assert not shown.exception
    assert not any("Failed only because" in caption.value for caption in shown.caption)
