"""Each page shows exactly those filters that narrow it."""

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Block

from dashboard.frame.menu_entries import ENTRIES, Filter
from metrics.warehouse import Location
from tests.dashboard.conftest import Open, markup

SET: dict[Filter, dict[str, str | list[str]]] = {
    Filter.PERIOD: {"period": "4W"},
    Filter.ORDERS: {"segment": "C"},
    Filter.COMPARE: {"compare": ["last year"]},
    Filter.GRAIN: {"grain": "day"},
}
"""An address that sets each filter."""
FILTERED = tuple(entry.file.removesuffix(".py") for entry in ENTRIES if entry.filters)


def content(at: AppTest) -> list[str]:
    """Return what a page shows, without its links and its subtitle, which may hold the filters."""
    assert not at.exception
    html = "\n".join(str(part.proto.body) for part in at.main.get("html"))
    linkless = re.sub(r'(href|data-link)="[^"]*"', "", html).replace('<span class="bv-no-chips"></span>', "")
    charts = [str(chart.proto.spec) for chart in at.get("vega_lite_chart")]
    return [linkless, *charts, *(one.value for one in at.caption[1:])]


def hidden(block: Block) -> set[str]:
    """Return the names of the hidden parts of the filter bar."""
    found = set()
    for part in block.children.values():
        found |= set(re.findall(r'id: ".*-hidden_(\w+)"', str(part.proto)[:200]))
        found |= hidden(part) if isinstance(part, Block) else set()
    return found


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=pytest.mark.long) for page in FILTERED[:-1]] + [FILTERED[-1]]
)
def test_filter_bar_hides_the_filters_that_do_not_narrow_the_page(page: str, page_of_small: Open) -> None:
    entry = next(entry for entry in ENTRIES if entry.file == f"{page}.py")
    at = page_of_small(None if page == "scorecard" else page, period="4W", segment="C", grain="day")
    assert hidden(at.main) == {str(one) for one in Filter if one not in entry.filters}
    chips = {button.key for button in at.button if button.key and button.key.startswith("chip_")}
    named = {Filter.PERIOD: "chip_period", Filter.ORDERS: "chip_segment_C", Filter.GRAIN: "chip_grain"}
    assert chips - {"chip_all"} == {key for one, key in named.items() if one in entry.filters}


@pytest.mark.parametrize("address", [{"days": "2026-06-01..2026-06-14"}, {"measure": "work_in_progress"}])
def test_a_number_of_its_own_day_or_of_a_snapshot_has_no_period(address: dict[str, str], page_of_small: Open) -> None:
    assert Filter.PERIOD in hidden(page_of_small("drill_down", **address).main)


@pytest.mark.every_run("at_risk", "levers")
@pytest.mark.parametrize("page", FILTERED)
def test_page_has_exactly_the_filters_that_narrow_it(
    page: str, sample: Location, at_home: Callable[[object], None], open_page: Open
) -> None:
    at_home(sample.folder)
    entry = next(entry for entry in ENTRIES if entry.file == f"{page}.py")
    name = None if page == "scorecard" else page
    fixed: dict[str, str] = {}
    if page == "customer":  # one of its list, because the list has no tiles
        fixed["customer"] = re.findall(r'customer\?customer=([^"&]+)"', markup(open_page(name)))[0]
    unset = content(open_page(name, **fixed))
    narrowing = {one for one, address in SET.items() if content(open_page(name, **fixed, **address)) != unset}
    assert narrowing == set(entry.filters)
