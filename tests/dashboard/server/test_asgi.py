"""The web server around the pages: responses during the warm-up, headers of every response. Tests call it by ASGI."""

import asyncio
import json
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from dashboard.server import asgi, page_head
from dashboard.server.page_head import PageHead
from dashboard.server.unknown_page import UnknownPage
from dashboard.sign_in import Mode, SignIn

T = TypeVar("T")


async def _greet(stream: WebSocket) -> None:
    await stream.accept()
    await stream.send_text("drawn")
    await stream.close()


APP = Starlette(
    routes=[Route("/healthz", asgi.health), Route("/assets/{name}", asgi.font), WebSocketRoute("/stream", _greet)],
    middleware=asgi.WRAPPERS,
)
"""Return our routes and wrappers around an application that greets."""


async def answered(path: str, kind: str = "http", *, app: ASGIApp = APP, accept: bytes = b"*/*") -> list[Any]:
    """Return the messages that the application sends for a request."""
    sent: list[Any] = []
    asked = [
        {"type": "websocket.connect"}
        if kind == "websocket"
        else {"type": "http.request", "body": b"", "more_body": False}
    ]

    async def receive() -> Any:
        return asked.pop() if asked else await asyncio.Event().wait()  # the connection stays open and silent

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": kind,
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [
            (b"host", b"localhost:8501"),
            (b"accept", accept),
            *([(b"origin", b"http://localhost:8501")] * (kind == "websocket")),
        ],
        "server": ("127.0.0.1", 8501),
        "root_path": "",
    }
    await asyncio.wait_for(app(scope, receive, send), 20)
    return sent


def run(asked: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine in its own thread. An earlier browser test may have left a running loop in this thread."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asked).result(30)


def get(path: str, *, app: ASGIApp = APP, accept: bytes = b"*/*") -> tuple[int, dict[bytes, bytes], bytes]:
    """Return status, headers and body of a response."""
    begins, *parts = run(answered(path, app=app, accept=accept))
    return begins["status"], dict(begins["headers"]), b"".join(part.get("body", b"") for part in parts)


# the warehouse
def test_page_stream_waits_for_the_warm_up_and_healthz_reports_it(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001
    warm = threading.Event()
    monkeypatch.setattr(asgi, "_warm", warm)
    status, _, body = get("/healthz")
    assert (status, json.loads(body)) == (503, {"status": "warming up"})

    async def visit() -> None:
        visitor = asyncio.create_task(answered("/stream", "websocket"))
        done, _ = await asyncio.wait([visitor], timeout=0.3)
        assert not done
        warm.set()
        assert [message.get("text") for message in await visitor] == [None, "drawn", None]

    run(visit())
    status, _, body = get("/healthz")
    assert (status, json.loads(body)) == (200, {"status": "ok", "generation": 1})


def test_failed_warm_up_does_not_block_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asgi, "_warm", threading.Event())
    monkeypatch.setattr(asgi, "warm_up", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        asgi._warm_first()
    assert asgi._warm.is_set()


@pytest.mark.parametrize(
    ("path", "status"), [("/assets/inter-latin.woff2", 200), ("/assets/other.woff2", 404), ("/nothing", 404)]
)
def test_every_response_forbids_framing_and_content_sniffing(path: str, status: int) -> None:
    found, headers, _ = get(path)
    assert found == status
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"frame-ancestors 'none'" in headers[b"content-security-policy"]


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/stockouts", 200, "Streamlit"),
        ("/stockout", 404, "no page with the address /stockout. Did you mean Stockouts (/stockouts)?"),
        ("/&lt;b", 404, "no page with the address /&amp;lt;b. "),
    ],
)
def test_unknown_address_gets_a_page_that_leads_to_the_scorecard(path: str, status: int, text: str) -> None:
    page = UnknownPage(HTMLResponse("<head>Streamlit</head>"))
    found, _, body = get(path, app=page, accept=b"text/html,*/*")
    assert found == status
    assert text.rstrip() in body.decode()
    assert ('<a href="/">Open the scorecard</a>' in body.decode()) is (status == 404)
    assert get(path, app=page)[0] == 200, "no browser asks for a page"


def test_every_page_begins_with_the_script_and_the_layout_of_the_frame() -> None:
    """Nothing may be drawn before them, or the page moves."""
    page = PageHead(HTMLResponse("<html><head><title>Streamlit</title></head></html>"))
    _, headers, body = get("/", app=page, accept=b"text/html,*/*")
    begin, _, rest = body.partition(b"<title>")
    assert b"BACKEND_BASE_URL" in begin
    assert (Path(asgi.HERE) / "assets" / "frame.css").read_bytes() in begin
    assert rest == b"Streamlit</title></head></html>"
    assert int(headers[b"content-length"]) == len(body)


def test_the_parts_of_the_program_that_pages_use_are_loaded_early() -> None:
    """A new version of Streamlit may name them differently."""
    found = page_head.parts_of_the_program()
    assert [Path(address).name.partition(".")[0] for address in found] == list(page_head.PARTS)
    assert all(address.encode() in page_head.ADDED for address in found)


def test_with_a_public_https_address_cookies_and_pages_stay_encrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert b"strict-transport-security" not in get("/healthz")[1]
    monkeypatch.setattr(asgi, "SETTINGS", SignIn(Mode.OIDC, "https://dash.example.com"))
    assert get("/healthz")[1][b"strict-transport-security"] == b"max-age=31536000"
    assert asgi._only_encrypted(b"set-cookie", b"a=b; HttpOnly") == (b"set-cookie", b"a=b; HttpOnly; Secure")
    assert asgi._only_encrypted(b"set-cookie", b"a=b; Secure") == (b"set-cookie", b"a=b; Secure")
