"""A gate around an application that greets, and a client that calls it by ASGI."""

import asyncio
import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from streamlit.web.server.starlette import starlette_app_utils as cookies

from dashboard.server.gate import Gate
from dashboard.sign_in import SignIn
from tests.support.own_loop import run

SECRET = "0123456789abcdef" * 2
OIDC = {
    "BUYERVIEW_AUTH": "oidc",
    "BUYERVIEW_URL": "https://dash.example.com",
    "BUYERVIEW_OIDC_ISSUER": "https://login.example.com",
    "BUYERVIEW_OIDC_CLIENT_ID": "buyerview",
    "BUYERVIEW_OIDC_CLIENT_SECRET": "s",
    "BUYERVIEW_COOKIE_SECRET": SECRET,
}
PROXY = {
    "BUYERVIEW_AUTH": "proxy",
    "BUYERVIEW_URL": "https://dash.example.com",
    "BUYERVIEW_PROXY_SECRET": SECRET,
    "BUYERVIEW_PROXY_ADDRESSES": "10.1.0.0/24, 127.0.0.1",
}
SEEN = "/media/0a1b.xlsx"


async def _greet(request: Request) -> Response:
    if request.url.path == "/oauth2callback":
        return Response(status_code=302, headers={"location": "/"})
    return PlainTextResponse(request.headers.get("x-buyerview-person", "nobody"))


async def _talk(stream: WebSocket) -> None:
    """Name a media file, and repeat each message."""
    await stream.accept()
    await stream.send_bytes(f"url: {SEEN}, size: 3".encode())
    async for message in stream.iter_bytes():
        await stream.send_bytes(message)


def gate(settings: SignIn) -> Gate:
    routes = [WebSocketRoute("/_stcore/stream", _talk), Route("/{path:path}", _greet, methods=["GET", "PUT"])]
    return Gate(Starlette(routes=routes), settings)


class Client:
    """Sends requests to a gate."""

    def __init__(self, gate: Gate, host: str = "dash.example.com", address: str = "10.1.0.7") -> None:
        self.gate, self.host, self.address = gate, host, address

    def scope(self, path: str, headers: dict[str, str], kind: str = "http") -> dict[str, Any]:
        path, _, query = path.partition("?")
        pairs = {"host": self.host, **headers}
        return {
            "type": kind,
            "method": "GET",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs.items()],
            "client": (self.address, 50_000),
            "server": ("127.0.0.1", 8501),
            "scheme": "http",
            "root_path": "",
        }

    async def sent(self, scope: dict[str, Any], asked: list[Any]) -> list[Any]:
        answers: list[Any] = []

        async def receive() -> Any:
            return asked.pop(0) if asked else await asyncio.Event().wait()

        async def send(message: Any) -> None:
            answers.append(message)

        await asyncio.wait_for(self.gate(scope, receive, send), 20)
        return answers

    def get(self, path: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], str]:
        """Return status, headers and text of a response."""
        scope = self.scope(path, headers or {})
        begins, *parts = run(lambda: self.sent(scope, [{"type": "http.request", "body": b"", "more_body": False}]))
        found = {name.decode(): value.decode() for name, value in begins["headers"]}
        return begins["status"], found, b"".join(part.get("body", b"") for part in parts).decode()

    def status(self, path: str, headers: dict[str, str] | None = None) -> int:
        return self.get(path, headers)[0]

    def stream(self, headers: dict[str, str], *messages: bytes) -> list[Any]:
        """Return what a WebSocket gets that sends these messages."""
        asked = [{"type": "websocket.connect"}, *({"type": "websocket.receive", "bytes": text} for text in messages)]
        scope = self.scope("/_stcore/stream", {"origin": f"https://{self.host}", **headers}, "websocket")
        return run(lambda: self.sent(scope, [*asked, {"type": "websocket.disconnect", "code": 1000}]))


def cookie(person: str, *, secret: str = SECRET, **claims: object) -> dict[str, str]:
    """Return the header of a signed-in person."""
    content = {"email": f"{person}@example.com", "email_verified": True, "is_logged_in": True}
    content |= {"origin": "https://dash.example.com", **claims}
    signed = cookies.create_signed_value(secret, "_streamlit_user", json.dumps(content)).decode()
    return {"cookie": f"_streamlit_user={signed}"}
