"""The route /metrics in Prometheus's text format. For administrators, this machine, or a scraper with a token.

BUYERVIEW_METRICS_TOKEN    secret that a scraper elsewhere, or behind a proxy, sends as Authorization: Bearer ...
"""

import asyncio
import hmac
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from ipaddress import ip_address

from sqlalchemy import func, select
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response

from dashboard.components import latency
from dashboard.sign_in import PERSON_HEADER
from metrics import warehouse
from metrics.errors import BuyerviewError
from metrics.lists.data_quality import freshness
from metrics.schema import quarantine

TOKEN = "BUYERVIEW_METRICS_TOKEN"
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
"""Headers that a proxy adds. A request with one of them did not begin on this machine."""


async def metrics(request: Request) -> Response:
    """Return the metrics; 404 to others, so that the route does not reveal itself."""
    if not may_read(request):
        return Response(status_code=404)
    data = await asyncio.to_thread(lambda: list(_data_lines()))
    return PlainTextResponse("\n".join([*data, *_latency_lines()]) + "\n", media_type="text/plain; version=0.0.4")


def may_read(request: HTTPConnection) -> bool:
    """Return whether a request has the token, comes from this machine past any proxy, or from an administrator.

    Only the gate sets the header of the person, and it lets only administrators pass to this route.
    """
    if has_token(request) or PERSON_HEADER in request.headers:
        return True
    if request.client is None or any(name in request.headers for name in FORWARDED):
        return False
    try:
        return ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def has_token(request: HTTPConnection) -> bool:
    """Return whether a request has the token of the setting."""
    token = os.environ.get(TOKEN, "")
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


def _data_lines() -> Iterable[str]:
    place = warehouse.locate()
    try:
        published = warehouse.current(place)
        if published is None:
            yield from _gauge("buyerview_up", "1 if the published data can be read", 0)
            return
        with warehouse.reading(place, generation=published.number) as connection:
            last = freshness(connection)
            kept_out = (
                select(func.count()).select_from(quarantine).where(quarantine.c.status.in_(("rejected", "waiting")))
            )
            rows = int(connection.scalar(kept_out) or 0)
    except BuyerviewError:
        yield from _gauge("buyerview_up", "1 if the published data can be read", 0)
        return
    yield from _gauge("buyerview_up", "1 if the published data can be read", 1)
    yield from _gauge("buyerview_data_version", "Number of the published data version", published.number)
    yield from _age("buyerview_data_age_seconds", "Seconds since the end of the data", last.get("data_as_of"))
    yield from _age("buyerview_last_run_age_seconds", "Seconds since the last published run", last.get("finished_at"))
    yield from _gauge("buyerview_quarantine_rows", "Rows in quarantine, rejected or waiting", rows)


def _age(name: str, text: str, moment: datetime | None) -> list[str]:
    """Return a gauge of the seconds since a moment (UTC); nothing if it is unknown, because 0 would look fresh."""
    if moment is None:
        return []
    return _gauge(name, text, round((datetime.now(UTC).replace(tzinfo=None) - moment).total_seconds()))


def _gauge(name: str, text: str, value: int) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} gauge", f"{name} {value}"]


def _latency_lines() -> list[str]:
    name = "buyerview_page_seconds"
    lines = [f"# HELP {name} Time that pages took on the server", f"# TYPE {name} histogram"]
    counts, seconds = latency.histogram()
    runs = 0
    for bound, count in zip((*map(str, latency.BOUNDS), "+Inf"), counts, strict=True):
        runs += count
        lines.append(f'{name}_bucket{{le="{bound}"}} {runs}')
    return [*lines, f"{name}_sum {seconds:.6f}", f"{name}_count {runs}"]
