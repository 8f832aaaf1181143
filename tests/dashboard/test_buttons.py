"""Every button of every page does something that a person sees, every download has a file, every link a page."""

import json
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from dashboard.components import theme
from dashboard.frame import menu_entries
from tests.dashboard.conftest import Open, markup

PAGES = tuple(entry.file.removesuffix(".py") for entry in menu_entries.ENTRIES)
ADDRESSES: dict[str, list[dict[str, str]]] = {
    "order_story": [{"order": "HAND-LATE", "list": "failed-orders"}],
    "failed_orders": [{"reason": "late", "segment": "A"}],
    "drill_down": [{"measure": "otif", "days": "2026-06-01..2026-06-14"}],
    "scorecard": [{"period": "Dates", "dates": "2024-01-01"}],
}
"""Addresses beyond the page's own, under which it has more buttons."""
PATHS = {entry.path for entry in menu_entries.ENTRIES}
IN_BROWSER = set(re.findall(r'"(bv-[a-z]+)": ', (theme.ASSETS / "page.js").read_text().partition("ACTIONS = ")[2]))
"""Classes of the buttons that the browser serves without the server; tests/browser clicks them."""
OF_THE_PAGE = "PDF"
"""Label of the button on every page. `reports/test_page_pdf.py` draws the file of each page."""
CONTROLS = ("selectbox", "multiselect", "text_input", "text_area", "number_input", "date_input", "checkbox", "pills")


def seen(at: AppTest) -> list[object]:
    """Return what a person sees on the page and in its address, without the sidebar, which shows the data's age."""
    texts = [str(part.proto.body) for kind in ("html", "markdown", "caption", "header") for part in at.main.get(kind)]
    values = [(part.label, str(part.value)) for kind in CONTROLS for part in at.main.get(kind)]  # type: ignore[attr-defined]
    buttons = [(one.label, one.disabled) for one in at.main.get("button")]  # type: ignore[attr-defined]
    address = {name: at.query_params[name] for name in at.query_params}
    messages = [one.value for kind in (at.toast, at.error) for one in kind]
    return [texts, values, buttons, messages, address]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Record the file of each download button by its label."""
    offered: dict[str, Any] = {}
    draw = st.download_button

    def record(label: str, *, data: Any, **options: Any) -> bool:
        offered.setdefault(label, data)
        return draw(label, data=data, **options)

    monkeypatch.setattr(st, "download_button", record)
    return offered


def lost_links(at: AppTest) -> list[str]:
    """Return the links and the buttons of our own markup that lead nowhere."""
    html = markup(at)
    targets = [unescape(target) for target in re.findall(r'<a [^>]*href="([^"]*)"', html)]
    targets += [link.proto.page for link in at.get("page_link")]
    buttons = re.findall(r'<button [^>]*class="([^"]*)"', html)
    dead = [target for target in targets if target.partition("?")[0].strip("./") not in PATHS]
    return dead + [name for name in buttons if not IN_BROWSER & set(name.split())]


def raw_tooltips(at: AppTest) -> list[object]:
    """Return the tooltips of charts that would show a field without a title, or every field of a mark."""
    found: list[object] = []

    def look(part: object) -> None:
        if isinstance(part, dict):
            tips = part.get("encoding", {}).get("tooltip", []) if isinstance(part.get("encoding"), dict) else []
            found.extend(tip for tip in tips if not tip.get("title"))
        for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
            look(inner)

    for chart in at.get("vega_lite_chart"):
        spec = json.loads(chart.proto.spec)
        found += [] if spec["config"]["mark"] == {"tooltip": None, "aria": False} else [spec["config"]]
        look(spec)
    return found


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES)
def test_every_button_of_a_page_changes_what_a_person_sees(
    page: str,
    small_home: Path,
    tmp_path: Path,
    at_home: Callable[[Path], None],
    open_page: Open,
    files: dict[str, Any],
) -> None:
    shutil.copytree(small_home, tmp_path / "home")
    at_home(tmp_path / "home")
    dead = []
    for address in ({}, *ADDRESSES.get(page, [])):
        name = None if page == "scorecard" else page
        opened = open_page(name, **address)
        assert lost_links(opened) == raw_tooltips(opened) == []
        for label, data in files.items():
            assert label == OF_THE_PAGE or len(data() if callable(data) else data) > 0, label
        files.clear()
        count = len(opened.button)
        for place in range(count):
            at = open_page(name, **address)
            if place >= len(at.button) or at.button[place].disabled:
                continue
            label, before = at.button[place].label, seen(at)
            at.button[place].click().run()
            assert not at.exception, label
            if seen(at) == before:
                dead.append(label)
    assert not dead
