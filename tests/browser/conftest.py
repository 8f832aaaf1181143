"""Fixtures for browser tests: a real server on its own warehouse, and a real browser."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from playwright.sync_api import TimeoutError as NotSeen

from tests.dashboard.small_warehouse import shared_small_home
from tests.support.programs import require

ROOT = Path(__file__).resolve().parents[2]
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
START = "import sys; from dashboard.server.start import serve; serve(port=int(sys.argv[1]))"
Served = Callable[..., str]
SETTLED = """() => {
  const app = document.querySelector('[data-testid="stApp"]'), now = performance.now();
  const seen = `${document.querySelectorAll("*").length} ${app?.textContent.length}`;
  const moves = document.getAnimations().some(one => one.playState === "running");
  const busy = app?.dataset.testScriptState !== "notRunning" || document.querySelector('[data-testid="stSkeleton"]');
  if (busy || moves || window.testsSaw?.seen !== seen) window.testsSaw = { seen, since: now };
  return now - window.testsSaw.since >= 400;
}"""
"""True once nothing has changed or moved for 0.4 s. The browser draws the last elements after the script has ended."""

expect.set_options(timeout=20_000)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    program = require("chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(program), args=list(FLAGS))
        yield browser
        browser.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def serve() -> Iterator[Served]:
    """Return a function that starts a server on a warehouse's folder and returns its address. All stop at the end.

    The function also takes the port, and environment variables of the server.
    """
    started: list[subprocess.Popen[bytes]] = []

    def go(home: Path, at: int = 0, **settings: str) -> str:
        port = at or free_port()
        environment = {**os.environ, "BUYERVIEW_HOME": str(home), "PYTHONPATH": str(ROOT), **settings}
        environment.pop("BUYERVIEW_WAREHOUSE", None)
        started.append(subprocess.Popen([sys.executable, "-c", START, str(port)], cwd=home.parent, env=environment))
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return f"http://127.0.0.1:{port}"
            time.sleep(0.1)
        raise AssertionError("the server did not answer within a minute")

    yield go
    for process in started:
        process.terminate()
    for process in started:
        process.wait(15)


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_small_home(tmp_path_factory)


@pytest.fixture(scope="session")
def address(serve: Served, shared_home: Path, chromium: Browser) -> str:  # noqa: ARG001 - without a browser, no server
    """A server on a warehouse that tests only read."""
    return serve(shared_home)


@dataclass
class Screen:
    """A page as a person sees it. Tests find elements by role, name and our own data attributes, never by a library's
    class names.
    """

    page: Page
    address: str

    def go(self, path: str = "/") -> "Screen":
        self.page.goto(self.address + path, wait_until="commit")
        return self.idle()

    def idle(self) -> "Screen":
        """Wait until the script has run to its end and the browser has drawn all of it."""
        self.page.get_by_role("heading", level=1).first.wait_for(timeout=30_000)
        self.page.wait_for_timeout(150)
        self.page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=30_000)
        self.page.wait_for_function(SETTLED, polling=100, timeout=30_000)
        return self

    def click_until(self, button: str, seen: Locator) -> None:
        """Click a button until its effect is seen, as a person would: a click on a page that moves can miss.

        The effect of a click may remove the button, and on a busy machine it may be late. So a further click is only
        tried while the button is there.
        """
        place = self.page.get_by_role("button", name=button, exact=True)
        for _ in range(3):
            with suppress(NotSeen):
                place.click(timeout=10_000)
            with suppress(NotSeen):
                seen.wait_for(timeout=15_000)
                return
        shown = self.page.get_by_test_id("stMain").inner_text()
        raise AssertionError(f"no click on {button} had an effect; the page shows: {shown}")

    def value(self, measure: str) -> Locator:
        return self.page.locator(f'[data-measure="{measure}"]')


@pytest.fixture
def screen(chromium: Browser, address: str) -> Iterator[Screen]:
    context = chromium.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    yield Screen(context.new_page(), address)
    context.close()
