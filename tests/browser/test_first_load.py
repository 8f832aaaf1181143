"""The first load of a page moves and hides nothing that is seen, though parts of Streamlit's program arrive late."""

import re
import time

import pytest
from playwright.sync_api import Browser, Route

from tests.browser.conftest import Screen

WATCH = """window.testsMoved = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries())
    testsMoved.push([entry.value, entry.sources.map(source => source.node?.parentElement?.outerHTML.slice(0, 90))]);
}).observe({ type: "layout-shift", buffered: true });
window.testsHidden = 0;
let wasSeen = false;
const look = () => {
  const first = document.querySelector("[data-testid=stMain] .bv:not(.bv-button)");
  const isSeen = first !== null && getComputedStyle(first).visibility === "visible";
  testsHidden += wasSeen && !isSeen;
  wasSeen = isSeen;
  requestAnimationFrame(look);
};
look();"""
"""The layout shifts, and how often the page was hidden after it had been seen."""
MOST = 0.05
"""Largest sum of layout shifts. Browsers call a sum below 0.1 good."""
LATE = re.compile(r"/static/js/(Html|TextInput|DownloadButton|ArrowVegaLiteChart)\.[\w-]+\.js$")


def send_late(route: Route) -> None:
    """Send a part of the program after the first elements of the page."""
    time.sleep(0.4)
    route.continue_()


@pytest.mark.parametrize(
    ("path", "width", "height"),
    [
        ("/", 1440, 900),
        *(pytest.param(path, 390, 844, marks=pytest.mark.long) for path in ("/stockouts", "/bring-data")),
    ],
)
def test_first_load_moves_nothing_in_sight(chromium: Browser, address: str, path: str, width: int, height: int) -> None:
    context = chromium.new_context(viewport={"width": width, "height": height})
    try:
        page = context.new_page()
        page.add_init_script(WATCH)
        page.route(LATE, send_late)
        Screen(page, address).go(path)
        moved = page.evaluate("testsMoved")
        assert sum(value for value, _ in moved) <= MOST, moved
        assert not page.evaluate("testsHidden")
        assert page.get_by_test_id("stMain").locator(".bv").filter(visible=True).count()  # and no rule still hides them
    finally:
        context.close()
