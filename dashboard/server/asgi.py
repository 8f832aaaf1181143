"""The ASGI application: Streamlit with a background warm-up, the font files, a health route and security headers.

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

log = logging.getLogger(__name__)
HERE = Path(__file__).resolve().parents[1]
FONTS = ("inter-latin.woff2", "inter-latin-ext.woff2")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
)

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
                message["headers"] = [*message.get("headers", []), *HEADERS]
            await send(message)

        await self.app(scope, receive, send_with if scope["type"] == "http" else send)


WRAPPERS = [Middleware(ProtectiveHeaders), Middleware(WarmFirst)]

app = st.App(
    HERE / "app.py",
    lifespan=_lifespan,
    routes=[Route("/healthz", health), Route("/assets/{name}", font)],
    middleware=WRAPPERS,
)
