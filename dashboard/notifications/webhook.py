"""Send a webhook over HTTP: one POST to a checked address, without redirects, within limits of time and size.

    BUYERVIEW_SIGNING_SECRET_NAME    secret that signs the channel webhook:NAME, whsec_ and 24 bytes or more in Base64

The signature follows Standard Webhooks (headers webhook-id, webhook-timestamp, webhook-signature): HMAC-SHA256 of
"id.timestamp.body". Receivers compute it again, compare in constant time, and refuse old timestamps. Outbound proxies
of the environment are ignored, because a proxy would resolve the name again.
"""

import base64
import binascii
import hashlib
import hmac
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

from dashboard.notifications import recipients
from metrics.errors import SettingRefused

TIMEOUT = 20.0
"""Seconds for a whole exchange, from connecting to the answer's head."""
MOST_BYTES = 1_000_000
"""Largest body to send. Slack accepts far less, Teams 28,000 bytes."""
SHORTEST_SECRET = 24
Setting = Mapping[str, str]


class WebhookRefused(OSError):  # noqa: N818 - all errors of Buyerview are named by the event
    """The server gave no answer that says it accepted the message."""


def post(variable: str, body: bytes, headers: Mapping[str, str], setting: Setting) -> None:
    """Send a body to the URL in an environment variable.

    Raises SettingRefused for a URL or a host that is not allowed, OSError, ValueError or HTTPException for a failure.
    """
    url = _url(variable, setting)
    if len(body) > MOST_BYTES:
        raise WebhookRefused(f"the message has {len(body):,} bytes, and the limit is {MOST_BYTES:,}")
    is_tls, host = url.scheme == "https", url.hostname or ""
    port = url.port or (443 if is_tls else 80)
    address = recipients.resolve(host, port, setting)
    connection = (HTTPSConnection if is_tls else HTTPConnection)(host, port, timeout=TIMEOUT)
    with closing(connection), _deadline(connection):
        connection.sock = socket.create_connection((address, port), TIMEOUT)
        if is_tls:
            context = ssl.create_default_context()
            connection.sock = context.wrap_socket(connection.sock, server_hostname=host, do_handshake_on_connect=False)
            connection.sock.do_handshake()
        connection.request("POST", (url.path or "/") + (f"?{url.query}" if url.query else ""), body, dict(headers))
        _check_status(connection.getresponse().status)


def _url(variable: str, setting: Setting) -> SplitResult:
    text = setting.get(variable, "")
    if any(letter <= " " or letter > "~" for letter in text):
        raise ValueError(variable)
    url = urlsplit(text)
    if url.scheme not in ("http", "https"):
        raise SettingRefused(
            variable, "it must be an http:// or https:// address, set for the dashboard and for ingest runs"
        )
    if url.username is not None:
        raise SettingRefused(variable, "it must not contain a user or a password; use a secret path or a signature")
    return url


@contextmanager
def _deadline(connection: HTTPConnection) -> Iterator[None]:
    """End the exchange after TIMEOUT. A socket's own timeout starts again with each byte."""
    is_over = threading.Event()

    def end() -> None:
        is_over.set()
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(TIMEOUT, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception:
        if not is_over.is_set():
            raise
    finally:
        timer.cancel()
    if is_over.is_set():  # a cut answer can look complete
        raise WebhookRefused(f"the webhook did not answer within {TIMEOUT:g} seconds")


def _check_status(status: int) -> None:
    if 300 <= status < 400:
        raise WebhookRefused("the webhook redirects to another address; set the variable to that address")
    if not 200 <= status < 300:
        known = {one.value: one.phrase for one in HTTPStatus}
        raise WebhookRefused(f"the webhook answered {status} {known.get(status, '')}".rstrip())


def signature(name: str, identity: str, body: bytes, *, at: int, setting: Setting) -> dict[str, str]:
    """Return the headers that sign a message of the channel webhook:NAME; only its identity without a secret.

    at: seconds since 1970. Raises SettingRefused for an unusable secret.
    """
    headers = {"webhook-id": identity, "webhook-timestamp": str(at)}
    variable = f"BUYERVIEW_SIGNING_SECRET_{name}"
    secret = setting.get(variable, "")
    if not secret:
        return headers
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) < SHORTEST_SECRET:
        raise SettingRefused(variable, f"it must be whsec_ and at least {SHORTEST_SECRET} random bytes in Base64")
    made = hmac.new(key, f"{identity}.{at}.".encode() + body, hashlib.sha256).digest()
    return {**headers, "webhook-signature": f"v1,{base64.b64encode(made).decode()}"}
