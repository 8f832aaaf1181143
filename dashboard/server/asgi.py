"""The ASGI application: Streamlit behind the gate, with a background warm-up, font files, health and security headers.

uvicorn binds the socket, because `streamlit run` leaves TCP_NODELAY off and every page run would wait 40 ms.
"""

import asyncio
import gc
import importlib
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime.secrets import SecretsValue

from dashboard.server.gate import Gate
from dashboard.server.monitoring import metrics
from dashboard.server.page_head import PageHead
from dashboard.server.unknown_page import UnknownPage
from dashboard.sign_in import read_settings

log = logging.getLogger(__name__)
HERE = Path(__file__).resolve().parents[1]
FONTS = ("inter-latin.woff2", "inter-latin-ext.woff2")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    (
        b"content-security-policy",
        b"default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
        b"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; worker-src 'self' blob:; "
        b"object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'",
    ),
)
"""Headers of every response. Streamlit needs inline scripts, and its charts compile their expressions."""
ENCRYPTED = (b"strict-transport-security", b"max-age=31536000")
"""Header of every response of a public address with https."""
SETTINGS = read_settings()

_warm = threading.Event()
"""Set when the warm-up has ended, with or without success."""


def warm_up() -> None:
    """Load the slow imports, the data file and the scorecard's answers before the first visitor needs them."""
    began = time.perf_counter()
    for module in ("altair", "streamlit.elements.lib.column_types"):  # slow to import
        importlib.import_module(module)

    from dashboard import queries
    from dashboard.frame import period
    from dashboard.sections import scorecard
    from metrics.access import EVERYTHING
    from metrics.errors import BuyerviewError
    from metrics.lists.data_status import data_status

    try:
        published = queries.current()
        if published is not None:
            with queries.reading_as(EVERYTHING), queries.one_generation(published.number):
                status = queries.cached(data_status, published.number)
                as_of = (status.data_as_of or published.published_at).date()
                shown = period.choose(period.DEFAULT, as_of=as_of, first=status.first_day or as_of)
                scorecard.warm(published.number, shown, is_dark=False)  # dark is drawn when somebody asks for it
    except BuyerviewError as error:  # the page shows the error
        log.warning("no data to warm up with: %s", error)
    log.info("warmed up in %.2f s", time.perf_counter() - began)


def _warm_first() -> None:
    try:
        warm_up()
    finally:
        _warm.set()
    gc.collect()
    gc.freeze()  # excludes the objects loaded so far from garbage collection


@asynccontextmanager
async def _lifespan(_app: st.App) -> AsyncIterator[dict[str, object]]:
    """Start the warm-up in the background, so that the browser can load the page's files meanwhile."""
    threading.Thread(target=_warm_first, name="warm-up", daemon=True).start()
    yield {}


async def health(_request: Request) -> Response:
    """Return 200 with the newest generation; 503 during the warm-up, or if the warehouse cannot be read."""
    if not _warm.is_set():
        return JSONResponse({"status": "warming up"}, status_code=503)
    from dashboard import queries
    from metrics.errors import BuyerviewError

    try:
        published = await asyncio.to_thread(queries.current)
    except BuyerviewError:
        return JSONResponse({"status": "warehouse cannot be read"}, status_code=503)
    return JSONResponse({"status": "ok", "generation": published.number if published else None})


async def font(request: Request) -> Response:
    """Return one of the font files by name."""
    name = request.path_params["name"]
    if name not in FONTS:
        return Response(status_code=404)
    return FileResponse(
        HERE / "assets" / name,
        media_type="font/woff2",
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )


class WarmFirst:
    """Middleware that delays pages until the warm-up has ended, because parallel imports block each other."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Delay the WebSocket of a page; pass everything else on."""
        if scope["type"] == "websocket" and not _warm.is_set():
            await asyncio.to_thread(_warm.wait)
        await self.app(scope, receive, send)


class ProtectiveHeaders:
    """Middleware that forbids framing, content sniffing and referrers to other sites."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to every HTTP response."""

        async def send_with(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [*message.get("headers", []), *HEADERS]
                if SETTINGS.origin.startswith("https:"):
                    headers = [*(_only_encrypted(*pair) for pair in headers), ENCRYPTED]
                message["headers"] = headers
            await send(message)

        await self.app(scope, receive, send_with if scope["type"] == "http" else send)


def _only_encrypted(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Return a header; a cookie is sent over encrypted connections only."""
    return (name, value + b"; Secure") if name == b"set-cookie" and b"secure" not in value.lower() else (name, value)


def _secrets() -> dict[str, SecretsValue]:
    """Return the settings of the sign-in as Streamlit takes them, in place of a file with secrets."""
    provider = SETTINGS.provider
    if provider is None:
        return {}
    return {
        "auth": {
            "redirect_uri": f"{SETTINGS.origin}/oauth2callback",
            "cookie_secret": provider.cookie_secret,
            "client_id": provider.client_id,
            "client_secret": provider.client_secret,
            "server_metadata_url": provider.metadata_url,
        }
    }


WRAPPERS = [
    Middleware(ProtectiveHeaders),
    Middleware(PageHead),
    Middleware(Gate, settings=SETTINGS),
    Middleware(UnknownPage),
    Middleware(WarmFirst),
]

app = st.App(
    HERE / "app.py",
    lifespan=_lifespan,
    routes=[Route("/healthz", health), Route("/metrics", metrics), Route("/assets/{name}", font)],
    middleware=WRAPPERS,
    secrets=_secrets(),
)
