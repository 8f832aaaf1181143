"""Tables, link and shortcuts, which the browser serves without the server, and a note from its form to the tile."""

import csv
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Screen, Served

pytestmark = [pytest.mark.browser, pytest.mark.long]


@pytest.fixture(scope="module")
def copy_of_home(shared_home: Path, serve: Served, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server on a copy of the warehouse that the tests may change."""
    folder = tmp_path_factory.mktemp("notes") / "home"
    shutil.copytree(shared_home, folder)
    return serve(folder)


@pytest.fixture
def phone(chromium: Browser, copy_of_home: str) -> Iterator[Screen]:
    context = chromium.new_context(viewport={"width": 390, "height": 844}, locale="en-US")
    yield Screen(context.new_page(), copy_of_home)
    context.close()


def test_table_is_sorted_searched_and_saved_in_the_browser(screen: Screen, tmp_path: Path) -> None:
    screen.go("/availability?by=customer")
    table = screen.page.locator(".bv-data").last
    table.get_by_role("button", name="Out of").click()
    with screen.page.expect_download() as got:
        table.get_by_role("button", name=re.compile("^Download CSV")).click()
    assert re.fullmatch(r"buyerview_availability_\w+_v1\.csv", got.value.suggested_filename)
    got.value.save_as(tmp_path / "table.csv")
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    ascending = sorted(rows, key=lambda row: float(row["out_of"]))
    names = table.locator("tbody th")
    sizes = [int(text.split()[0].replace(",", "")) for text in table.locator("tbody td:nth-child(4)").all_inner_texts()]
    assert sizes == sorted(sizes)
    table.get_by_role("button", name="Out of").click()
    assert int(table.locator("tbody td:nth-child(4)").first.inner_text().split()[0].replace(",", "")) == max(sizes)
    wanted = ascending[0]["customer"]
    table.get_by_role("searchbox").fill(wanted)
    assert [text for text in names.all_inner_texts() if text].count(wanted) == 1
    assert table.locator("tbody tr:visible").count() < len(sizes)


def test_copy_link_copies_and_the_question_mark_shows_the_shortcuts(screen: Screen) -> None:
    screen.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    screen.go("/levers?segment=A")
    screen.page.get_by_role("button", name="Copy link").click()
    expect(screen.page.get_by_text("Link copied")).to_be_visible()
    copied = screen.page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith(f"{screen.address}/levers?")
    assert {"segment=A", "v=1"} <= set(copied.partition("?")[2].split("&"))
    screen.page.get_by_role("heading", level=1).click()
    screen.page.keyboard.press("?")
    expect(screen.page.get_by_role("dialog", name="Keyboard shortcuts")).to_contain_text("Next order")
    screen.page.get_by_role("button", name="Close").click()
    expect(screen.page.get_by_role("dialog", name="Keyboard shortcuts")).to_have_count(0)


def test_note_is_added_changed_and_deleted_on_a_phone(phone: Screen) -> None:
    phone.go("/behind?measure=otif&days=2026-06-08..2026-06-14")
    name = phone.page.get_by_role("textbox", name="Your name")
    name.fill("Ada")
    name.press("Enter")
    phone.idle()
    phone.page.get_by_role("textbox", name="Note", exact=True).fill("Strike at the port")
    phone.click_until("Save note", phone.page.get_by_text("Strike at the port").first)
    phone.idle()
    phone.go()
    mark = phone.page.locator(".bv-mark", has_text="1 note")
    expect(mark).to_have_count(1)
    mark.click()
    expect(phone.page.get_by_role("heading", level=1)).to_have_text("Behind the number")
    phone.idle()
    expect(phone.page.get_by_text("Strike at the port").first).to_be_visible()
    chosen = phone.page.get_by_role("combobox", name=re.compile("Add or change"))
    chosen.scroll_into_view_if_needed()  # before the click, because scrolling closes the list
    phone.idle()
    chosen.click()
    phone.page.get_by_role("option", name=re.compile("^Change: Strike")).click()
    phone.idle()
    phone.click_until("Delete note", phone.page.get_by_text("No notes on this number."))
