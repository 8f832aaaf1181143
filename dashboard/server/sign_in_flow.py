"""The way to the provider and back: Streamlit's sign-in, and the address that was asked for before it."""

from urllib.parse import quote, unquote, urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import Message, Send
from streamlit.user_info import generate_login_redirect_url

from dashboard.server.origins import NEVER_OPENED

NEXT_COOKIE = "buyerview_next"
"""Cookie with the address to open after the sign-in."""
NEXT_SECONDS = 900
LONGEST_NEXT = 3_000
"""Longest address that fits into a cookie."""
KEPT = "/?&=%+:,;@~!$'()*[]"
"""Characters of an address that stay as they are."""


def begin(connection: HTTPConnection) -> Response:
    """Redirect to Streamlit's sign-in, and remember the address to return to."""
    response = RedirectResponse(generate_login_redirect_url("default"), 303, {"cache-control": "no-store"})
    wanted = connection.query_params.get("next", "")
    if is_own_page(wanted):
        value = quote(wanted, safe="")
        response.set_cookie(NEXT_COOKIE, value, max_age=NEXT_SECONDS, httponly=True, samesite="lax")
    else:
        response.delete_cookie(NEXT_COOKIE)
    return response


def returning(connection: HTTPConnection, send: Send) -> Send:
    """Return a `send` that redirects to the remembered address instead of the first page."""
    wanted = unquote(connection.cookies.get(NEXT_COOKIE, ""))
    if not is_own_page(wanted):
        return send
    location = quote(wanted, safe=KEPT).encode("ascii")

    async def send_back(message: Message) -> None:
        if message["type"] == "http.response.start" and (b"location", b"/") in message["headers"]:
            others = [pair for pair in message["headers"] if pair[0] != b"location"]
            forget = f"{NEXT_COOKIE}=; Path=/; Max-Age=0".encode()
            message = {**message, "headers": [*others, (b"location", location), (b"set-cookie", forget)]}
        await send(message)

    return send_back


def is_own_page(address: str) -> bool:
    """Return True if the address is a path of a page here: no other host, and no route of the sign-in."""
    if not address.startswith("/") or address.startswith("//") or len(quote(address, safe="")) > LONGEST_NEXT:
        return False
    if not address.isprintable() or "\\" in address or " " in address:
        return False
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and not parts.path.startswith((*NEVER_OPENED, "/oauth2callback"))
