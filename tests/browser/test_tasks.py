"""User tasks in a real browser against a real server."""

import http.client
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from dashboard.components import formatting
from dashboard.exports import write
from dashboard.frame.period import choose
from metrics import warehouse
from metrics.measures.catalog import MEASURES
from metrics.queries import answer as query
from metrics.queries.answer import Question
from metrics.warehouse import Location
from tests.browser.conftest import ROOT, Screen, Served
from tests.dashboard.small_warehouse import AS_OF, publish

pytestmark = pytest.mark.browser
PATHS = ("/", "/failed-orders", "/order-story?order=HAND-LATE", "/at-risk", "/export", "/data-quality", "/definitions")
WEEKS = choose("13W", as_of=AS_OF.date(), first=AS_OF.date())


def asked(home: Path, *measures: str, **more: object) -> list[query.Answer]:
    with warehouse.reading(Location(folder=home)) as connection:
        return query.answer(connection, Question(measures, **{"start": WEEKS.start, "end": WEEKS.end, **more}))  # type: ignore[arg-type]


def written(home: Path, measure: str, **more: object) -> str:
    return formatting.number(asked(home, measure, **more)[0].value, MEASURES[measure].unit)


def test_scorecard_shows_the_query_results(screen: Screen, shared_home: Path) -> None:
    screen.go()
    for name in ("perfect_order", "otif", "on_time", "cycle_days"):
        expect(screen.value(name)).to_have_text(written(shared_home, name))


@pytest.mark.long
def test_a_filter_changes_the_address_and_the_number(screen: Screen, shared_home: Path) -> None:
    screen.go()
    screen.page.get_by_role("toolbar", name="Segment").get_by_role("button", name="C", exact=True).click()
    expect(screen.page).to_have_url(re.compile(r"\?segment=C$"))
    expect(screen.value("otif")).to_have_text(written(shared_home, "otif", where=(("segment", ("C",)),)))
    screen.idle()
    screen.page.go_back()
    expect(screen.page).to_have_url(re.compile(r"/$"))
    expect(screen.value("otif")).to_have_text(written(shared_home, "otif"))


@pytest.mark.long
def test_url_stores_only_changed_filters_and_opens_the_same_page_for_another_user(
    screen: Screen, chromium: Browser
) -> None:
    screen.go()
    assert screen.page.url.rstrip("/") == screen.address
    screen.page.get_by_role("radio", name="26W").click()
    expect(screen.page).to_have_url(re.compile(r"\?period=26W$"))
    screen.idle()
    seen = screen.value("otif").inner_text()
    other = Screen(chromium.new_page(), screen.address).go("/?period=26W")
    expect(other.value("otif")).to_have_text(seen)
    other.page.close()


@pytest.mark.long
def test_filters_are_kept_when_the_page_changes(screen: Screen) -> None:
    screen.go("/?segment=B")
    expect(screen.page.get_by_role("button", name="Segment: B ✕")).to_be_visible()  # the filter has applied the address
    screen.idle()
    screen.page.get_by_role("link", name="Failed orders").first.click()
    expect(screen.page.get_by_role("heading", level=1)).to_have_text("Failed orders")
    expect(screen.page).to_have_url(re.compile("failed-orders.*segment=B"))
    expect(screen.page.get_by_text("· segment B ·")).to_be_visible()


@pytest.mark.long
def test_filters_are_kept_if_a_menu_link_is_clicked_before_they_are_rendered(screen: Screen) -> None:
    page = screen.page
    processor = page.context.new_cdp_session(page)
    processor.send("Emulation.setCPUThrottlingRate", {"rate": 6})
    page.goto(f"{screen.address}/?segment=A", wait_until="commit")
    there = (
        "[...document.querySelectorAll('[data-testid=stSidebarNav] a')].find(one => "
        "one.textContent.includes('Availability'))"
    )
    page.wait_for_function(there)
    page.evaluate(f"{there}.click()")
    processor.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    expect(page.get_by_role("heading", level=1, name="Availability")).to_be_visible()
    expect(page).to_have_url(re.compile(r"/availability\?segment=A$"))


@pytest.mark.long
def test_user_name_is_kept_after_a_reload_and_is_not_in_the_url(screen: Screen) -> None:
    name = "Zoë \"; </script> O'Hara"
    field = screen.go("/failed-orders").page.get_by_role("textbox", name="Your name")
    field.fill(name)
    field.press("Enter")
    screen.page.wait_for_function("document.cookie.includes('buyerview_name=Zo')")
    screen.idle().page.reload()
    expect(field).to_have_value(name)
    assert "Zo" not in screen.page.url
    field.fill("")
    field.press("Enter")
    screen.page.wait_for_function("!document.cookie.includes('buyerview_name')")


def test_list_row_opens_the_order_and_the_back_button_returns_to_the_list(screen: Screen) -> None:
    screen.go("/failed-orders?segment=B")
    screen.page.locator('[class*="st-key-work_row_"] a:visible').first.click()
    expect(screen.page.get_by_role("heading", name="The five tests")).to_be_visible()
    expect(screen.page).to_have_url(re.compile(r"order-story.*order="))
    screen.page.go_back()
    expect(screen.page.get_by_role("heading", level=1)).to_have_text("Failed orders")


@pytest.mark.long
def test_next_order_and_the_way_back_to_the_list_work_with_the_keyboard(screen: Screen) -> None:
    page = screen.go("/failed-orders?segment=B&sort=value").page
    rows = page.locator('[class*="st-key-work_row_"] a:visible')
    first, second = rows.nth(0).inner_text(), rows.nth(1).inner_text()
    rows.first.click()
    expect(page.get_by_role("heading", name=f"Order {first}")).to_be_visible()
    expect(page.get_by_role("button", name="Previous order")).to_be_disabled()
    page.get_by_role("button", name="Next order").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=f"Order {second}")).to_be_visible()
    page.get_by_role("link", name="Back to the list").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Failed orders")
    expect(rows.first).to_contain_text(first)
    expect(page).to_have_url(re.compile(r"segment=B"))
    expect(page).to_have_url(re.compile(r"sort=value"))


@pytest.mark.long
def test_orders_can_be_found_and_assigned_with_the_keyboard_only(screen: Screen) -> None:
    screen.go("/order-story")
    screen.page.get_by_label("Order number").focus()
    screen.page.keyboard.type("HAND-SHORT")
    screen.page.keyboard.press("Enter")
    expect(screen.page.get_by_role("heading", name="Order HAND-SHORT")).to_be_visible()
    expect(screen.page.locator('[data-verdict="complete"]')).to_contain_text("60 of 100 received, 40 missing")
    screen.go("/failed-orders?reason=wrong_item")
    screen.page.get_by_role("textbox", name="Your name").focus()
    screen.page.keyboard.type("Ada")
    screen.page.keyboard.press("Tab")
    screen.page.get_by_label("Select order HAND-WRONG").focus()
    screen.page.keyboard.press("Space")
    screen.page.get_by_role("button", name="Assign 1 order").focus()
    screen.page.keyboard.press("Enter")
    expect(screen.page.locator(".bv-item b", has_text="Ada")).to_be_visible()


def test_reason_in_the_url_filters_the_list(screen: Screen) -> None:
    refused: list[str] = []
    screen.page.on("response", lambda response: refused.append(response.url) if response.status >= 400 else None)
    screen.go("/failed-orders?reason=wrong_item")
    expect(screen.page.locator(".bv-ledger b").first).to_have_text("1")
    assert refused == [], "the address of a page has no request that fails"


@pytest.mark.long
@pytest.mark.parametrize("name", write.FORMATS)
def test_download_equals_the_command_line_export_byte_for_byte(
    name: str, screen: Screen, shared_home: Path, tmp_path: Path
) -> None:
    screen.go("/export?segment=B&segment=C&period=26W&m=otif&m=cycle_days&m=ordered_value&grain=month")
    screen.page.get_by_role("radio", name=write.TITLES[name], exact=True).click()
    button = screen.page.get_by_test_id("stDownloadButton").get_by_role("button", name=f"Download {write.TITLES[name]}")
    button.wait_for()
    screen.idle()
    with screen.page.expect_download() as got:
        button.click()
    screen.page.get_by_text("Command line").click()
    shown = screen.page.get_by_test_id("stCode").inner_text()
    words = shlex.split(shown)
    assert words[:2] == ["buyerview", "export"]
    environment = {**os.environ, "BUYERVIEW_HOME": str(shared_home), "PYTHONPATH": str(ROOT)}
    environment.pop("BUYERVIEW_WAREHOUSE", None)
    subprocess.run(
        [sys.executable, "-c", "import buyerview; buyerview.main()", *words[1:]],
        cwd=tmp_path,
        env=environment,
        check=True,
        timeout=120,
    )
    assert Path(got.value.path()).read_bytes() == (tmp_path / words[-1]).read_bytes()


@pytest.mark.long
def test_page_shows_a_new_data_version_automatically_and_keeps_unsaved_input(
    chromium: Browser, serve: Served, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    screen = Screen(chromium.new_page(), serve(home)).go()
    expect(screen.page.get_by_text("No data yet")).to_be_visible()
    publish(home, count=60, seed=2)
    expect(screen.value("otif")).to_have_text(written(home, "otif"), timeout=30_000)
    main = screen.page.get_by_test_id("stMain")
    screen.page.get_by_role("button", name="More filters").click()
    half_typed = screen.page.get_by_role("combobox", name="Channel")
    half_typed.press_sequentially("ed")
    main.evaluate("element => element.scrollTo(0, 100)")
    publish(home, count=60, seed=5)
    expect(screen.page.get_by_text("Data version 2")).to_be_visible(timeout=30_000)
    expect(screen.value("otif")).to_have_text(written(home, "otif"))
    expect(half_typed).to_have_value("ed")
    assert main.evaluate("element => element.scrollTop") == 100
    screen.page.close()


@pytest.fixture(scope="module")
# skips first
def empty_address(serve: Served, tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> str:  # noqa: ARG001
    folder = tmp_path_factory.mktemp("empty") / "home"
    folder.mkdir()
    return serve(folder)


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=[pytest.mark.long] if number else []) for number, path in enumerate(PATHS)]
)
def test_an_empty_warehouse_shows_the_first_command_and_no_error(
    path: str, empty_address: str, chromium: Browser
) -> None:
    screen = Screen(chromium.new_page(), empty_address).go(path)
    first = f"{len(MEASURES)} measures" if path == "/definitions" else "buyerview demo"  # definitions need no data
    expect(screen.page.get_by_text(first)).to_be_visible()
    expect(screen.page.get_by_test_id("stException")).to_have_count(0)
    screen.page.close()


@pytest.fixture
def phone(chromium: Browser, address: str) -> Iterator[Screen]:
    """The width of a phone, in light colours. Widths do not depend on the colours."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, color_scheme="light")
    yield Screen(context.new_page(), address)
    context.close()


@pytest.mark.parametrize(
    "path", [pytest.param(path, marks=[pytest.mark.long] if number else []) for number, path in enumerate(PATHS)]
)
def test_pages_do_not_scroll_horizontally_on_a_phone(path: str, phone: Screen) -> None:
    phone.go(path)
    assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert phone.page.evaluate("document.querySelector('[data-testid=stMain]').scrollWidth") <= 390
    expect(phone.page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.long
def test_filters_are_collapsed_on_a_phone(phone: Screen) -> None:
    phone.go()
    expect(phone.page.locator(".st-key-filters")).to_be_hidden()
    phone.page.get_by_text("Filters", exact=True).click()
    expect(phone.page.locator(".st-key-filters")).to_be_visible()


@pytest.mark.long
@pytest.mark.parametrize("zone", [pytest.param("America/Los_Angeles", marks=pytest.mark.long), "Pacific/Auckland"])
def test_r37_days_on_charts_and_lists_are_the_same_in_every_time_zone(
    zone: str, chromium: Browser, address: str
) -> None:
    context = chromium.new_context(timezone_id=zone, locale="en-GB", viewport={"width": 1440, "height": 900})
    screen = Screen(context.new_page(), address).go()
    labels = screen.page.locator(".vega-embed svg text, .vega-embed canvas")
    labels.first.wait_for()
    first = f"{WEEKS.start.day} {date.strftime(WEEKS.start, '%b')}"
    alternative = screen.page.get_by_test_id("stVegaLiteChart")
    expect(alternative).to_be_visible()
    assert first in screen.page.content() or screen.page.locator(f'[aria-label*="{first}"]').count() > 0
    context.close()


@pytest.mark.long
def test_markup_in_names_triggers_no_external_request_and_no_dialog(chromium: Browser, address: str) -> None:
    screen = Screen(chromium.new_page(), address)
    calls: list[str] = []
    screen.page.on("request", lambda request: calls.append(request.url))
    screen.page.on("dialog", lambda dialog: calls.append(f"dialog {dialog.message}"))
    for path in ("/order-story?order=HAND-LATE", "/failed-orders?customer=C00", "/data-quality"):
        screen.go(path)
    screen.page.wait_for_timeout(500)
    assert not [url for url in calls if not url.startswith((address, address.replace("http", "ws"), "data:", "blob:"))]
    screen.page.close()


@pytest.mark.parametrize(("host", "status"), [("evil.example", 403), ("localhost", 101)])
def test_only_allowed_hosts_can_open_the_websocket(host: str, status: int, address: str) -> None:
    port = int(address.rsplit(":", 1)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", "/_stcore/stream", skip_host=True)
    for name, value in (
        ("Host", f"{host}:{port}"),
        ("Origin", f"http://{host}:{port}"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == status
    connection.close()


def test_responses_have_security_headers_and_assets_serves_only_the_fonts(address: str) -> None:
    with urllib.request.urlopen(f"{address}/assets/inter-latin.woff2", timeout=10) as answer:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["x-frame-options"] == "DENY"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{address}/assets/app.css", timeout=10)


if os.environ.get("CI", "").lower() == "true":  # a machine that is slow and shared
    expect.set_options(timeout=60_000)
