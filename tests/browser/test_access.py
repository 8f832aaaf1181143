"""axe-core has no serious or critical finding on any page, light or dark, with full data."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser

from dashboard.frame import menu_entries
from metrics.warehouse import Location
from tests.browser.conftest import Screen, Served

pytestmark = pytest.mark.browser
GRAVE = ("serious", "critical")
PATHS = [entry.path for entry in menu_entries.ENTRIES]
look = partial(Axe().run, options={"resultTypes": ["violations"]})


@pytest.fixture(scope="module")
def full(serve: Served, sample: Location, chromium: Browser) -> str:  # noqa: ARG001 - without a browser, no server
    """A server on sample orders of every feed."""
    assert sample.folder is not None
    return serve(sample.folder)


@pytest.fixture(scope="module", params=["light", "dark"])
def reader(request: pytest.FixtureRequest, chromium: Browser, full: str) -> Iterator[Screen]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, color_scheme=request.param)
    yield Screen(context.new_page(), full)
    context.close()


def told(finding: dict[str, Any]) -> str:
    """Return a finding as text: rule, meaning and element."""
    where = [node["html"][:160] for node in finding["nodes"][:3]]
    return f"{finding['id']} ({finding['impact']}): {finding['help']}; {len(finding['nodes'])} places: {where}"


@pytest.mark.long
@pytest.mark.parametrize("path", PATHS, ids=[path or "scorecard" for path in PATHS])
def test_pages_have_no_serious_axe_violations(path: str, reader: Screen) -> None:
    reader.go(f"/{path}")
    found = look(reader.page).response["violations"]
    assert [told(one) for one in found if one["impact"] in GRAVE] == []


def grave(on: Screen) -> list[str]:
    """Return the serious and critical findings on the page as it is now."""
    return [told(one) for one in look(on.page).response["violations"] if one["impact"] in GRAVE]


@pytest.mark.long
def test_open_menus_forms_and_dialogs_have_no_serious_axe_violations(reader: Screen) -> None:
    page = reader.go().page
    for menu in ("More filters", "Save view", "Download", "Notes"):
        page.get_by_test_id("stPopoverButton").filter(has_text=menu).first.click()
        page.get_by_test_id("stPopoverBody").wait_for()
        assert grave(reader.idle()) == [], menu
        page.keyboard.press("Escape")
        page.get_by_test_id("stPopoverBody").wait_for(state="detached")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard shortcuts").wait_for()
    assert grave(reader) == [], "shortcuts"
    page.get_by_role("button", name="Close").click()
    page.set_viewport_size({"width": 390, "height": 844})
    page.get_by_text("Filters", exact=True).click()
    page.locator(".st-key-filters").wait_for()
    assert grave(reader.idle()) == [], "filters on a phone"
    page.set_viewport_size({"width": 1440, "height": 900})
    reader.go("/failed-orders?show=all")
    page.locator('[class*="st-key-work_row_"] a:visible').first.click()
    page.get_by_text("Resolution", exact=True).click()
    page.get_by_role("button", name="Resolve order").wait_for()
    assert grave(reader.idle()) == [], "resolution"


@pytest.mark.long
def test_wide_table_on_a_phone_shows_that_it_scrolls_and_takes_keyboard_focus(full: str, chromium: Browser) -> None:
    context = chromium.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark")
    on = Screen(context.new_page(), full)
    try:
        on.go("/data-quality")
        wide = (
            "[...document.querySelectorAll('[role=region][aria-label]')].find(one => one.scrollWidth > "
            "one.clientWidth + 20)"
        )
        table = on.page.wait_for_function(f"() => {wide}").as_element()  # tables are drawn after the page
        assert table is not None
        table.focus()
        on.page.keyboard.press("ArrowRight")
        on.page.wait_for_function("at => at.scrollLeft > 0", arg=table)
        assert "gradient" in table.evaluate("at => getComputedStyle(at).backgroundImage")
        found = look(on.page, options={"runOnly": ["scrollable-region-focusable"]}).response["violations"]
        assert [told(one) for one in found] == []
    finally:
        context.close()
