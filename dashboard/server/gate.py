"""The gate before everything: address, origin, sign-in and access of every request and of every click.

A request that the gate does not pass on never reaches Streamlit. `origins.py` checks where it comes from, `identity.py`
reads the person, `refusals.py` has the pages that people see.
"""

import asyncio
import re
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from dashboard.frame.access import look_up
from dashboard.server import monitoring, origins, refusals, sign_in_flow
from dashboard.server.identity import Identity, comes_from_proxy, identify, session_of
from dashboard.sign_in import PERSON_HEADER, SESSION_HEADER, Mode, SignIn
from metrics.access import Access, Action
from metrics.errors import BuyerviewError
from metrics.store import access
from metrics.store.connection import open_store
from metrics.warehouse import locate

PUBLIC = ("/healthz", "/_stcore/health", "/favicon.png")
"""Routes that need no sign-in: they show nothing of the data."""
PUBLIC_FOLDERS = ("/static/", "/assets/")
SIGN_IN_ROUTES = (refusals.SIGN_IN, "/auth/login", refusals.SIGN_OUT, "/oauth2callback")
CLOSED = "/_stcore/metrics"
"""Route of Streamlit that no page of Buyerview uses."""
UPLOADS = "/_stcore/upload_file/"
MEDIA = "/media/"
MEDIA_ADDRESS = re.compile(rb"/media/([0-9a-zA-Z._-]+)")
OWN_HEADERS = (PERSON_HEADER.lower().encode(), SESSION_HEADER.lower().encode())
REFUSED_STREAM = 1008
"""Code that closes a refused WebSocket: a policy does not allow it."""


class Gate:
    """Middleware that passes on only requests of persons with access, and names the person to the pages."""

    def __init__(self, app: ASGIApp, settings: SignIn) -> None:
        self.app = app
        self.settings = settings
        self.open_pages: dict[int, tuple[str, set[str]]] = {}
        """Person and media files of each open WebSocket: a file is for the person to whom its address was sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the request or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() not in OWN_HEADERS]}
        connection = HTTPConnection(scope)
        refused = self._refuse_origin(connection)
        if refused is None:
            if self.settings.mode is Mode.NONE or self._is_public(connection):
                await self._pass_public(connection, scope, origins.short_queries(receive), send)
                return
            known = identify(connection, self.settings)
            refused = await self._refuse_person(connection, known)
            if refused is None and known is not None:
                await self._pass_on(known, scope, receive, send)
                return
        assert refused is not None
        await _respond(refused, scope, receive, send)

    def _is_public(self, connection: HTTPConnection) -> bool:
        path: str = connection.scope["path"]
        if connection.scope["type"] == "websocket":
            return False
        if self.settings.mode is Mode.OIDC and path in SIGN_IN_ROUTES:
            return True
        if path in PUBLIC or path.startswith(PUBLIC_FOLDERS) or origins.is_local_check(connection):
            return True
        return path == "/metrics" and monitoring.has_token(connection)

    def _refuse_origin(self, connection: HTTPConnection) -> Response | None:
        """Return the refusal of a request to another address, from another site, or to a closed route."""
        path: str = connection.scope["path"]
        if origins.is_too_long(connection):
            return refusals.refuse(connection, 414, "Address too long", "Open the page without its filters.")
        if not origins.is_for_us(connection, self.settings):
            text = "The dashboard is not known under this address. See BUYERVIEW_URL and BUYERVIEW_ALLOWED_HOSTS."
            return refusals.refuse(connection, 403, "Unknown address", text)
        if not origins.is_from_us(connection, self.settings):
            return refusals.refuse(connection, 403, "Refused", "Another web page sent this request.")
        if path.startswith(CLOSED) or (path in SIGN_IN_ROUTES and self.settings.mode is not Mode.OIDC):
            return refusals.refuse(connection, 404, "Not found", "There is no such page.")
        proxy = self.settings.proxy
        if proxy is not None and not comes_from_proxy(connection, proxy) and not origins.is_local_check(connection):
            return refusals.refuse(connection, 403, "Refused", "Only the proxy may connect here.")
        return None

    async def _refuse_person(self, connection: HTTPConnection, known: Identity | None) -> Response | None:
        """Return the refusal of a request without a sign-in, without access, or for a file of another person."""
        oidc = self.settings.mode is Mode.OIDC
        if known is None:
            return refusals.not_signed_in(connection, can_sign_in=oidc)
        try:
            found, ended = await asyncio.to_thread(_find, known)
        except BuyerviewError:
            return refusals.refuse(connection, 503, "Not available", "The store with the access cannot be read.")
        if ended:
            return refusals.not_signed_in(connection, can_sign_in=oidc)
        if found is None:
            return refusals.no_access(connection, known.person, can_sign_out=oidc)
        path: str = connection.scope["path"]
        if path.startswith(MEDIA) and not (found.may(Action.EXPORT) and self._was_sent(known.person, path)):
            return refusals.refuse(connection, 404, "Not found", "There is no such file. Export it again.")
        if path.startswith(UPLOADS) and not found.may(Action.APPLY):
            return refusals.refuse(connection, 403, "Refused", "Only administrators may bring data.")
        if path in origins.MONITORED and not found.may(Action.GRANT_ACCESS):
            return refusals.refuse(connection, 403, "Refused", "Only administrators may read this.")
        return None

    def _was_sent(self, person: str, path: str) -> bool:
        name = path.removeprefix(MEDIA)
        return any(owner == person and name in files for owner, files in self.open_pages.values())

    async def _pass_public(self, connection: HTTPConnection, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that needs no sign-in, and lead the sign-in and the sign-out."""
        if self.settings.mode is Mode.OIDC:
            path: str = scope["path"]
            if path == refusals.SIGN_IN:
                await _respond(sign_in_flow.begin(connection), scope, receive, send)
                return
            if path == refusals.SIGN_OUT and (session := session_of(connection.cookies)):
                await asyncio.to_thread(_end, session)
            if path == "/oauth2callback":
                send = sign_in_flow.returning(connection, send)
        await self.app(scope, receive, send)

    async def _pass_on(self, known: Identity, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, and name the person to the page. Check the access again at every click."""
        values = (quote(known.person, safe="@").encode(), known.session.encode())
        scope = {**scope, "headers": [*scope["headers"], *zip(OWN_HEADERS, values, strict=True)]}
        if scope["type"] == "http":
            await self.app(scope, receive, send)
            return
        files: set[str] = set()
        self.open_pages[id(files)] = (known.person, files)

        async def receive_checked() -> Message:
            message = origins.without_long_query(await receive())
            if message["type"] == "websocket.receive" and not await self._may_go_on(known, scope):
                return {**message, "bytes": _whole_page(), "text": None}
            return message

        async def send_noted(message: Message) -> None:
            if content := message.get("bytes"):
                files.update(found.decode() for found in MEDIA_ADDRESS.findall(content))
            await send(message)

        try:
            await self.app(scope, receive_checked, send_noted)
        finally:
            del self.open_pages[id(files)]

    async def _may_go_on(self, known: Identity, scope: Scope) -> bool:
        """Return True if the person of an open page still has access. A sign-in that has become too old ends here."""
        if identify(HTTPConnection(scope), self.settings) is None and known.session:
            await asyncio.to_thread(_end, known.session)
            return False
        try:
            return await asyncio.to_thread(look_up, known.person, known.session) is not None
        except BuyerviewError:  # the page shows the error
            return True


def _find(known: Identity) -> tuple[Access | None, bool]:
    """Return the access of a person, and whether the sign-in has ended."""
    found = look_up(known.person, known.session)
    ended = found is None and bool(known.session) and look_up(known.person, "") is not None
    return found, ended


def _end(session: str) -> None:
    with open_store(locate()) as store:
        access.end_session(store, session, at=datetime.now(UTC).replace(tzinfo=None))


def _whole_page() -> bytes:
    """Return the message that draws the whole page again without any click: it shows that the access has ended."""
    message = BackMsg()
    message.rerun_script.query_string = ""
    content: bytes = message.SerializeToString()
    return content


async def _respond(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Send a refusal. A WebSocket is closed before it is accepted, which a browser sees as status 403."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": REFUSED_STREAM})
    else:
        await response(scope, receive, send)
