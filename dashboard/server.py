"""The web server's application: Streamlit with a warm-up before the first visitor, our font, a health route and protective headers.

uvicorn binds the socket itself: `streamlit run` leaves TCP_NODELAY off and every run of a page then waits 40 ms (design, screens).
"""

import asyncio
import gc
import logging
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
HERE = Path(__file__).resolve().parent
FONTS = ("inter-latin.woff2", "inter-latin-ext.woff2")
HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", b"frame-ancestors 'none'"),
)


def warm_up() -> float:
    """Do the slow things once, before anyone waits for them: imports, the data file, the first questions. Returns the seconds it took.

    Streamlit collects garbage after every run with the interpreter locked (58 ms with these libraries loaded); what is frozen here it no
    longer looks at.
    """
    began = time.perf_counter()
    import altair  # noqa: F401 - slow to import
    import streamlit.elements.lib.column_types  # noqa: F401

    from dashboard import charts, data, export, period, scorecard, story  # noqa: F401
    from metrics.errors import BuyerviewError

    try:
        published = data.current()
        if published is not None:
            with data.one_generation(published.number):
                frame = data.frame_facts(published.number)
                as_of = (frame["freshness"].get("data_as_of") or published.published_at).date()
                shown = period.choose(period.DEFAULT, as_of=as_of, first=frame["extent"]["first_day"] or as_of)
                for is_dark in (False, True):
                    scorecard.warm(published.number, shown, is_dark=is_dark)
    except BuyerviewError as error:  # the page will say it
        log.warning("nothing to warm up with: %s", error)
    gc.collect()
    gc.freeze()
    return time.perf_counter() - began


@asynccontextmanager
async def _lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:  # noqa: ARG001
    took = await asyncio.to_thread(warm_up)
    log.info("warmed up in %.2f s", took)
    yield {}


async def health(request: Request) -> Response:  # noqa: ARG001
    """200 with the generation served; 503 where the warehouse cannot be read."""
    from dashboard import data
    from metrics.errors import BuyerviewError

    try:
        published = await asyncio.to_thread(data.current)
    except BuyerviewError:
        return JSONResponse({"status": "warehouse cannot be read"}, status_code=503)
    return JSONResponse({"status": "ok", "generation": published.number if published else None})


async def font(request: Request) -> Response:
    """One of our two font files, by name."""
    name = request.path_params["name"]
    if name not in FONTS:
        return Response(status_code=404)
    return FileResponse(HERE / "assets" / name, media_type="font/woff2", headers={"cache-control": "public, max-age=31536000, immutable"})


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


app = st.App(
    HERE / "app.py",
    lifespan=_lifespan,
    routes=[Route("/healthz", health), Route("/assets/{name}", font)],
    middleware=[Middleware(ProtectiveHeaders)],
)
