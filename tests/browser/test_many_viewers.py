"""Many viewers of one real server over WebSockets (C11, C19 to C22): no error, and the memory returns."""

import asyncio
import socket
import time
import urllib.request
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Origin

from tests.browser.conftest import Served
from tests.dashboard.small_warehouse import publish
from tests.support import own_loop
from tests.support import tries as counts
from tests.support.tries import Tries

VIEWERS = counts.number(goal=100, usual=20)
PAGE_RUNS = counts.number(goal=1_000, usual=40)
CONNECTS = counts.number(goal=10_000, usual=300)
HALF_OPEN = counts.number(goal=1_500, usual=300)
MEGABYTE = 1 << 20
T = TypeVar("T")

pytestmark = [pytest.mark.long, pytest.mark.timeout(3_600)]


@pytest.fixture(scope="module")
def address(serve: Served, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server of its own, because its memory is measured. The first page run has warmed it."""
    folder = tmp_path_factory.mktemp("viewers") / "home"
    publish(folder, count=60)
    found = serve(folder)
    run(lambda: look(found, 2))
    return found


def run(ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine, which may take long with FAULT_TRIES=full."""
    return own_loop.run(ask, seconds=3_600)


def memory(address: str) -> int:
    """Return the bytes of memory of the server that listens there."""
    port = str(urlsplit(address).port).encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            if words[-2:-1] == [port] and b"serve(" in b" ".join(words):
                return 1024 * int((process / "status").read_text().partition("VmRSS:")[2].split()[0])
        except OSError:
            continue
    raise AssertionError("no server found")


def ask(query: str = "") -> bytes:
    """Return the message of a browser that asks for a page run."""
    message = BackMsg()
    message.rerun_script.query_string = query
    return message.SerializeToString()


async def finished(stream: ClientConnection) -> None:
    """Wait until the page has run to its end. Raises AssertionError for an exception on the page."""
    while True:
        message = ForwardMsg()
        message.ParseFromString(await asyncio.wait_for(stream.recv(decode=False), 120))
        if message.WhichOneof("type") == "delta":
            assert message.delta.new_element.WhichOneof("type") != "exception", message.delta.new_element.exception
        if message.WhichOneof("type") == "script_finished" and message.script_finished == 0:
            return


def opened(address: str) -> connect:
    """Connect as a page of the server does."""
    stream = address.replace("http://", "ws://") + "/_stcore/stream"
    return connect(stream, origin=Origin(address), max_size=None, subprotocols=["streamlit"], open_timeout=60)  # type: ignore[list-item]


async def look(address: str, times: int) -> list[float]:
    """Open the page and run it so many times. Return the seconds of each run."""
    seconds = []
    async with opened(address) as stream:
        for _ in range(times):
            began = time.monotonic()
            await stream.send(ask())
            await finished(stream)
            seconds.append(time.monotonic() - began)
    return seconds


def test_many_viewers_at_once_all_get_their_page(address: str, tries: Tries) -> None:
    async def all_look() -> list[list[float]]:
        return await asyncio.gather(*(look(address, 1) for _ in range(VIEWERS)))

    seconds = sorted(one for viewer in run(all_look) for one in viewer)
    assert len(seconds) == VIEWERS
    tries.add(VIEWERS)


def test_memory_stays_flat_over_many_page_runs(address: str, tries: Tries) -> None:
    run(lambda: look(address, PAGE_RUNS // 4))
    before = memory(address)
    run(lambda: look(address, PAGE_RUNS))
    assert memory(address) - before < 10 * MEGABYTE
    tries.add(PAGE_RUNS)


def test_memory_stays_flat_over_many_connects_and_disconnects(address: str, tries: Tries) -> None:
    async def come_and_go(times: int) -> None:
        for _ in range(times):
            async with opened(address):
                pass

    run(lambda: come_and_go(CONNECTS // 4))
    before = memory(address)
    run(lambda: come_and_go(CONNECTS))
    assert memory(address) - before < 20 * MEGABYTE
    assert run(lambda: look(address, 1))
    tries.add(CONNECTS)


def test_huge_address_over_the_websocket_is_ignored_and_the_memory_returns(address: str) -> None:
    """C11: the page of another viewer runs as before. The server may close the stream or ignore the address."""

    async def shout() -> None:
        async with opened(address) as stream:
            try:
                await stream.send(ask("region=" + "x" * (24 * MEGABYTE)))
                await finished(stream)
            except ConnectionClosed:
                pass

    run(shout)
    before = memory(address)
    for _ in range(5):
        run(shout)
    assert memory(address) - before < 60 * MEGABYTE
    assert run(lambda: look(address, 1))


def test_half_open_connections_do_not_delay_others(address: str, tries: Tries) -> None:
    """C19: each client sends half a request and waits."""
    parts = urlsplit(address)
    with ExitStack() as stack:
        for _ in range(HALF_OPEN):
            client = stack.enter_context(socket.create_connection((parts.hostname or "", parts.port or 0), timeout=20))
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        with urllib.request.urlopen(f"{address}/healthz", timeout=10) as answer:
            assert answer.status == 200
        assert max(run(lambda: look(address, 3))) < 30
    tries.add(HALF_OPEN)
