"""Measure the first and the second visit of every page: `python -m benchmarks.page_visits --home DIR`.

A fresh server and two sessions, one after the other. Each opens all pages in the menu's order, through the page's own
protocol. Two columns a visit: seconds until the page's run has ended, and processor seconds of the server until then.
Budget: docs/speed.md, S8b.
"""

import argparse
import asyncio
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from benchmarks.clock import processor_seconds
from benchmarks.page_latency import Session, served
from dashboard.frame.menu_entries import ENTRIES

Visit = tuple[float, float]
"""Seconds on the clock, processor seconds."""
LONGEST_WARM_UP = 300


def wait_until_warm(address: str) -> None:
    """Wait for the end of the server's warm-up, which belongs to no visit. Raises TimeoutError."""
    until = time.monotonic() + LONGEST_WARM_UP
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://{address}/healthz", timeout=10):
                return
        except urllib.error.HTTPError:
            time.sleep(0.1)
    raise TimeoutError(f"the server was not warm after {LONGEST_WARM_UP} s")


async def visits(address: str, process: int) -> dict[str, Visit]:
    """Open every page in a new session. Raises RuntimeError if a page shows an error."""
    session = await Session(address).connect()
    took = {}
    for entry in ENTRIES:
        spent = processor_seconds(process)
        seconds, errors = await session.run(entry.path if session.pages else None)
        if errors:
            raise RuntimeError(f"/{entry.path}: {errors[0]}")
        took[entry.title] = (seconds, processor_seconds(process) - spent)
    await session.stream.close()
    return took


def table(first: dict[str, Visit], second: dict[str, Visit]) -> str:
    """Return the visits as a text table."""
    lines = [f"{'page':30}{'first':>9}{'CPU':>9}{'second':>9}{'CPU':>9}"]
    lines += [f"{page:30}{''.join(f'{value:9.2f}' for value in first[page] + second[page])}" for page in first]
    return "\n".join([*lines, f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs"])


def main() -> None:
    """Parse the options, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page_visits", description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="folder of a loaded warehouse")
    options = parser.parse_args()
    with served(options.home) as server:
        wait_until_warm(server.address)
        print(table(*[asyncio.run(visits(server.address, server.process)) for _ in range(2)]))


if __name__ == "__main__":
    main()
