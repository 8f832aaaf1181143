"""The web server's application: Streamlit with a warm-up while the first visitor's browser loads it, our font, a health
route and protective headers.

uvicorn binds the socket itself: `streamlit run` leaves TCP_NODELAY off and every run of a page then waits 40 ms
(design, screens).
"""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

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
"""Set once the warm-up is over, however it went."""


def warm_up() -> None:
    """Do the slow things once, before anyone waits for them: imports, the data file, the first questions."""
    began = time.perf_counter()
    import altair  # noqa: F401 - slow to import
    import streamlit.elements.lib.column_types  # noqa: F401

    from dashboard import queries
    from dashboard.frame import period
    from dashboard.sections import scorecard
    from metrics.errors import BuyerviewError
    from metrics.lists.data_status import data_status

    try:
        published = queries.current()
        if published is not None:
            with queries.one_generation(published.number):
                status = queries.cached(data_status, published.number)
                as_of = (status.data_as_of or published.published_at).date()
                shown = period.choose(period.DEFAULT, as_of=as_of, first=status.first_day or as_of)
                scorecard.warm(published.number, shown, is_dark=False)  # dark is drawn when somebody asks for it
    except BuyerviewError as error:  # the page will say it
        log.warning("nothing to warm up with: %s", error)
    log.info("warmed up in %.2f s", time.perf_counter() - began)


def _warm_first() -> None:
    try:
        warm_up()
    finally:
        _warm.set()
    gc.collect()
    gc.freeze()  # what is loaded by now nobody who looks for garbage later need look at again


@asynccontextmanager
async def _lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG001
    """Begins the warm-up and serves at once: a browser takes as long to load what it needs before it asks for a page."""
    threading.Thread(target=_warm_first, name="warm-up", daemon=True).start()
    yield {}


async def health(request: Request) -> Response:  # noqa: ARG001
    """200 with the generation served; 503 while warming up, or where the warehouse cannot be read."""
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
    """One of our two font files, by name."""
    name = request.path_params["name"]
    if name not in FONTS:
        return Response(status_code=404)
    return FileResponse(
        HERE / "assets" / name,
        media_type="font/woff2",
        headers={"cache-control": "public, max-age=31536000, immutable"},
    )


class WarmFirst:
    """Pages are drawn once the warm-up is done: two threads importing the same things get in each other's way."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a page's stream wait."""
        if scope["type"] == "websocket" and not _warm.is_set():
            await asyncio.to_thread(_warm.wait)
        await self.app(scope, receive, send)


class ProtectiveHeaders:
    """Answers may not be framed, sniffed or named to other sites."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to every HTTP answer."""

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
