"""Measure page latency on a loaded warehouse: `python -m benchmarks.page_latency --home DIR`.

The server runs in its own process. Chromium measures a single user. Many users are sessions that speak the page's own
protocol, because twenty browsers would take the processor that the server needs. Budgets: docs/speed.md, S8 to S11.
"""

import argparse
import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import websockets
from playwright.sync_api import Page, sync_playwright
from sqlalchemy import func, select
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.typing import Origin, Subprotocol

from metrics.facts.orders import order_facts_table
from metrics.lists.order_story import order_records
from metrics.warehouse import Location, reading

ROOT = Path(__file__).resolve().parents[1]
PERIODS = ("4W", "13W", "26W", "52W")
THINK = 3.0
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
CHANGED = """([name, seconds]) => new Promise((resolve, reject) => {
  const tiles = () => document.querySelector('.bv-tiles')?.innerText ?? ''
  const before = tiles(), began = performance.now()
  document.querySelector(`[role=radio][aria-label="${name}"]`)?.click()
    ?? [...document.querySelectorAll('[role=radio]')].find(radio => radio.innerText.trim() === name).click()
  const look = () => {
    const passed = performance.now() - began
    if (tiles() && tiles() !== before) resolve(passed)
    else if (passed > seconds * 1000) reject(`no other numbers after ${seconds} s`)
    else requestAnimationFrame(look)
  }
  look()
})"""
"""JavaScript: click a period and return the milliseconds until the tiles show other numbers."""


class Server(NamedTuple):
    """A running server: host and port, `perf_counter` of its start, number of its process."""

    address: str
    began: float
    process: int


@contextmanager
def served(home: Path) -> Iterator[Server]:
    """Start a server on a warehouse."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    began = time.perf_counter()
    command = [sys.executable, "-c", "import buyerview; buyerview.main()", "serve", "--port", str(port), "--no-browser"]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "BUYERVIEW_HOME": str(home)}, stdout=subprocess.DEVNULL
    )
    try:
        while process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1):
                    break
            except urllib.error.HTTPError:
                break  # the server accepts requests while it warms up
            except OSError:
                time.sleep(0.02)
        yield Server(f"127.0.0.1:{port}", began, process.pid)
    finally:
        process.terminate()
        process.wait(15)


# --- a single user ----------------------------------------------------------------------------------------------------


def one_person(address: str, began: float) -> dict[str, float]:
    """Return seconds from the server's start to numbers, and milliseconds of filter changes, first and warm."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"), args=list(FLAGS)
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"http://{address}/", wait_until="commit")
        page.locator("[data-measure]").first.wait_for(timeout=120_000)
        start = time.perf_counter() - began
        clicks = [_changed(page, name) for _ in range(2) for name in PERIODS]
        warm = [_changed(page, name) for _ in range(5) for name in PERIODS]
        browser.close()
    return {
        "start_s": start,
        "filter_cold_ms": max(clicks),
        "filter_ms": statistics.median(warm),
        "filter_p95_ms": _share(warm, 0.95),
    }


def _changed(page: Page, name: str) -> float:
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=60_000)
    page.wait_for_timeout(300)
    return float(page.evaluate(CHANGED, [name, 60]))


def _share(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


# --- many users -------------------------------------------------------------------------------------------------------


class Session:
    """Client side of the page's protocol, as in a browser tab."""

    def __init__(self, address: str) -> None:
        self.address, self.page = address, ""
        self.pages: dict[str, str] = {}
        self.widgets: dict[str, str] = {}
        self.states: dict[str, WidgetState] = {}

    async def connect(self) -> "Session":
        """Open the stream."""
        self.stream = await websockets.connect(
            f"ws://{self.address}/_stcore/stream",
            subprotocols=[Subprotocol("streamlit")],
            origin=Origin(f"http://{self.address}"),
            max_size=None,
            compression=None,
        )
        return self

    async def run(self, page: str | None = None) -> tuple[float, list[str]]:
        """Request a run of this page or another page. Return its seconds and the errors it showed."""
        asked = BackMsg()
        asked.rerun_script.page_script_hash = self.page if page is None else self.pages[page]
        asked.rerun_script.context_info.timezone = "UTC"
        asked.rerun_script.context_info.locale = "en-US"
        asked.rerun_script.widget_states.widgets.extend(self.states.values())
        began, errors = time.perf_counter(), []
        await self.stream.send(asked.SerializeToString())
        while True:
            message = ForwardMsg()
            message.ParseFromString(await asyncio.wait_for(self.stream.recv(), 120))
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self.page = message.new_session.page_script_hash
            elif kind == "navigation":
                self.pages = {app.url_pathname: app.page_script_hash for app in message.navigation.app_pages}
            elif kind == "delta" and message.delta.WhichOneof("type") == "new_element":
                element = message.delta.new_element
                shown = getattr(element, element.WhichOneof("type") or "")
                name = getattr(shown, "id", "")
                if isinstance(name, str) and name.startswith("$$ID-"):
                    self.widgets[name.split("-", 2)[2]] = name
                if element.WhichOneof("type") == "exception":
                    errors.append(shown.message)
            elif kind == "script_finished" and message.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                return time.perf_counter() - began, errors

    def choose(self, key: str, values: list[str]) -> None:
        """Set the values of a multiple-choice control for the next run."""
        if key in self.widgets:
            state = WidgetState(id=self.widgets[key])
            state.string_array_value.data.extend(values)
            self.states[state.id] = state


async def _person(
    number: int, address: str, until: float, segments: list[str], runs: list[float], errors: list[str]
) -> None:
    rng = random.Random(number)
    session = await Session(address).connect()
    await asyncio.sleep(rng.random() * THINK)
    errors += (await session.run())[1]
    on = ""
    while time.perf_counter() < until:
        await asyncio.sleep(rng.expovariate(1 / THINK))
        page, action = None, rng.random()
        if action < 0.5:
            session.choose("period", [rng.choice(PERIODS)])
        elif action < 0.8:
            session.choose("segment", rng.sample(segments, rng.randint(0, len(segments) - 1)))
        else:
            page = on = "failed-orders" if on == "" else ""
        took, shown = await session.run(page)
        runs.append(took * 1000)
        errors += shown
    await session.stream.close()


async def _people(count: int, address: str, seconds: float, segments: list[str]) -> dict[str, float]:
    runs: list[float] = []
    errors: list[str] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*[_person(number, address, until, segments, runs, errors) for number in range(count)])
    if errors:
        raise RuntimeError(f"{len(errors)} errors on the pages, the first: {errors[0]}")
    return {"runs": len(runs), "p50_ms": statistics.median(runs), "p95_ms": _share(runs, 0.95), "max_ms": max(runs)}


# --- a single order --------------------------------------------------------------------------------------------------


def one_order(place: Location) -> float:
    """Return the median milliseconds to read all records of an order."""
    facts = order_facts_table.c
    took = []
    with reading(place) as connection:
        ids = list(connection.scalars(select(facts.order_id).order_by(facts.order_id).limit(4000)))[::200]
        for order_id in ids:
            began = time.perf_counter()
            order_records(connection, order_id)
            took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def run(home: Path, sessions: int, seconds: float) -> dict[str, Any]:
    """Run every measurement and return the content of the JSON output."""
    place = Location(folder=home)
    with reading(place) as connection:
        segments = sorted(connection.scalars(select(order_facts_table.c.segment).distinct()))
        orders = connection.scalar(select(func.count()).select_from(order_facts_table))
    with served(home) as (address, began, _):
        results: dict[str, Any] = {"orders": orders, "one_person": one_person(address, began)}
        results["one_session"] = asyncio.run(_people(1, address, seconds, segments))
        results[f"{sessions}_sessions_cold"] = asyncio.run(_people(sessions, address, seconds, segments))
        results[f"{sessions}_sessions"] = asyncio.run(_people(sessions, address, seconds, segments))
    return {
        **results,
        "one_order_ms": one_order(place),
        "machine": {"cpus": os.cpu_count(), "load": os.getloadavg()[0]},
    }


def main() -> None:
    """Parse the options, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_latency", description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="folder of a loaded warehouse")
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=25)
    options = parser.parse_args()
    print(json.dumps(run(options.home, options.sessions, options.seconds), indent=2))


if __name__ == "__main__":
    main()
