"""One small warehouse for all screen tests, and pages that run without a browser."""

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import streamlit as st
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

from dashboard.frame import user_name
from dashboard.frame.menu import entry_of_file
from metrics import warehouse
from tests.dashboard.small_warehouse import shared_small_home

ROOT = Path(__file__).resolve().parents[2]
Open = Callable[..., AppTest]

# Each run of a page starts a runtime of its own, which reads the metadata of every installed package.
manifest_scanner.scan_component_manifests = cache(manifest_scanner.scan_component_manifests)


@pytest.fixture(scope="session")
def small_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one published generation; tests only read it."""
    return shared_small_home(tmp_path_factory)


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Point the dashboard at a warehouse, with nothing cached from another."""

    def go(folder: Path) -> None:
        monkeypatch.delenv("BUYERVIEW_WAREHOUSE", raising=False)
        monkeypatch.setenv("BUYERVIEW_HOME", str(folder))
        st.cache_data.clear()
        st.cache_resource.clear()

    yield go
    warehouse.close(warehouse.locate())
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def small(small_home: Path, at_home: Callable[[Path], None]) -> Path:
    """Make the small warehouse the one that the dashboard finds."""
    at_home(small_home)
    return small_home


@pytest.fixture
def open_page(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Run a page as if a browser had opened its address."""
    monkeypatch.setattr(user_name, "_remembered", lambda: "")  # AppTest invents a cookie for any name

    def go(page: str | None = None, **address: str | list[str]) -> AppTest:
        at = AppTest.from_file(str(ROOT / "dashboard" / "app.py"), default_timeout=60)
        for name, value in address.items():
            at.query_params[name] = value
        if page:
            at._page_hash = calc_hash(entry_of_file(page).path)  # `switch_page` would need another run before it
        return at.run()

    return go


@pytest.fixture
def page_of_small(small: Path, open_page: Open) -> Open:  # noqa: ARG001 - the warehouse it opens
    """Open a page over the small warehouse."""
    return open_page


def markup(at: AppTest) -> str:
    """All of our own markup on the page."""
    return "\n".join(str(part.proto.body) for part in at.get("html"))
