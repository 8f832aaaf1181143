"""Every button of every page does something that a person sees."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.frame import menu_entries
from tests.dashboard.conftest import Open

PAGES = tuple(entry.file.removesuffix(".py") for entry in menu_entries.ENTRIES)
ADDRESSES: dict[str, list[dict[str, str]]] = {
    "order_story": [{"order": "HAND-LATE", "list": "failed-orders"}],
    "failed_orders": [{"reason": "late", "segment": "A"}],
    "drill_down": [{"measure": "otif", "days": "2026-06-01..2026-06-14"}],
    "scorecard": [{"period": "Dates", "dates": "2024-01-01"}],
}
"""Addresses beyond the page's own, under which it has more buttons."""
CONTROLS = ("selectbox", "multiselect", "text_input", "text_area", "number_input", "date_input", "checkbox", "pills")


def seen(at: AppTest) -> list[object]:
    """Return what a person sees on the page and in its address, without the sidebar, which shows the data's age."""
    texts = [str(part.proto.body) for kind in ("html", "markdown", "caption", "header") for part in at.main.get(kind)]
    values = [(part.label, str(part.value)) for kind in CONTROLS for part in at.main.get(kind)]  # type: ignore[attr-defined]
    buttons = [(one.label, one.disabled) for one in at.main.get("button")]  # type: ignore[attr-defined]
    address = {name: at.query_params[name] for name in at.query_params}
    messages = [one.value for kind in (at.toast, at.error) for one in kind]
    return [texts, values, buttons, messages, address]


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES)
def test_every_button_of_a_page_changes_what_a_person_sees(
    page: str, small_home: Path, tmp_path: Path, at_home: Callable[[Path], None], open_page: Open
) -> None:
    shutil.copytree(small_home, tmp_path / "home")
    at_home(tmp_path / "home")
    dead = []
    for address in ({}, *ADDRESSES.get(page, [])):
        name = None if page == "scorecard" else page
        count = len(open_page(name, **address).button)
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
