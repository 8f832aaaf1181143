"""Checks of where a request comes from: the address it was sent to, the page that sent it, and its size."""

from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from starlette.requests import HTTPConnection
from starlette.types import Message, Receive
from streamlit.proto.BackMsg_pb2 import BackMsg

from dashboard.sign_in import LOOPBACK, Mode, SignIn, is_loopback

LONGEST_QUERY = 8_192
LONGEST_PATH = 2_048
"""Longest query and path of an address, in bytes."""
MONITORED = ("/healthz", "/metrics")
"""Routes that a program on this machine may read without a sign-in."""
NEVER_OPENED = ("/_stcore/", "/media/", "/component/", "/auth/", "/sign-in")
"""Routes that no link on another site leads to."""
PORTS = {"http": 80, "https": 443}

Address = tuple[str, str, int]
"""Scheme, host name and port."""


def is_too_long(connection: HTTPConnection) -> bool:
    """Return True if the address is longer than any of Buyerview's."""
    return (
        len(connection.scope.get("query_string", b"")) > LONGEST_QUERY
        or len(connection.scope["path"].encode()) > LONGEST_PATH
    )


def short_queries(receive: Receive) -> Receive:
    """Return a `receive` without long addresses."""

    async def receive_short() -> Message:
        return without_long_query(await receive())

    return receive_short


def without_long_query(message: Message) -> Message:
    """Return a message of a page without its address if the address is too long. Sessions store the address."""
    content = message.get("bytes")
    if message["type"] != "websocket.receive" or content is None or len(content) <= LONGEST_QUERY:
        return message
    asked = BackMsg()
    try:
        asked.ParseFromString(content)
    except DecodeError:
        return message
    if len(asked.rerun_script.query_string) <= LONGEST_QUERY:
        return message
    asked.rerun_script.query_string = ""
    return {**message, "bytes": asked.SerializeToString()}


def is_for_us(connection: HTTPConnection, settings: SignIn) -> bool:
    """Return True if the Host header has a name and a port under which this dashboard is known."""
    host = connection.headers.get("host", "")
    asked = _address(f"{_scheme(settings)}://{host}")
    if asked is None or "@" in host or "/" in host:
        return False
    if settings.mode is Mode.NONE:
        return asked[1] in LOOPBACK and asked[2] == _port(connection)
    return asked in _known(settings) or is_local_check(connection)


def is_local_check(connection: HTTPConnection) -> bool:
    """Return True if a program on this machine asks for the health or the metrics, past any proxy."""
    client = connection.client.host if connection.client else ""
    asked = _address(f"http://{connection.headers.get('host', '')}")
    passed_on = "x-forwarded-for" in connection.headers or "forwarded" in connection.headers
    local = is_loopback(client) and asked is not None and asked[1] in LOOPBACK and not passed_on
    return local and connection.scope["path"] in MONITORED


def is_from_us(connection: HTTPConnection, settings: SignIn) -> bool:
    """Return True if the request comes from one of our own pages, or opens a page by a link.

    Browsers send the origin with every WebSocket and every request that can change something. For other requests they
    send the header Sec-Fetch-Site. A page on another port of the same machine is another site.
    """
    headers = connection.headers
    origins = headers.getlist("origin")
    if connection.scope["type"] == "websocket" or origins:
        own = _address(f"{_scheme(settings)}://{headers.get('host', '')}")
        return len(origins) == 1 and _address(origins[0]) == own
    if headers.get("sec-fetch-site", "none") in ("none", "same-origin"):
        return True
    opened = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    path: str = connection.scope["path"]
    return opened and connection.scope["method"] == "GET" and not path.startswith(NEVER_OPENED)


def _known(settings: SignIn) -> set[Address | None]:
    scheme = _scheme(settings)
    return {_address(settings.origin), *(_address(f"{scheme}://{host}") for host in settings.hosts)}


def _scheme(settings: SignIn) -> str:
    return urlsplit(settings.origin).scheme or "http"


def _port(connection: HTTPConnection) -> int:
    server = connection.scope.get("server") or ("", PORTS["http"])
    return int(server[1] or PORTS["http"])


def _address(text: str) -> Address | None:
    """Return the scheme, the host name and the port of an origin; None if it is none."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    name = (parts.hostname or "").rstrip(".")
    if parts.scheme not in PORTS or not name:
        return None
    return parts.scheme, f"[{name}]" if ":" in name else name, PORTS[parts.scheme] if port is None else port
