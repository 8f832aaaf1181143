"""The gate, route by route: address, origin, sign-in, role. Tests call it by ASGI around an application that greets."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from itsdangerous import TimestampSigner
from streamlit.proto.BackMsg_pb2 import BackMsg

from dashboard.frame import access as lookups
from dashboard.server.identity import PROXY_SECRET_HEADER
from dashboard.sign_in import SignIn, read_settings
from metrics.access import Access, Role
from metrics.store import access
from metrics.store.connection import open_store
from metrics.warehouse import Location
from tests.dashboard.server.greeting_gate import OIDC, PROXY, SECRET, SEEN, Client, cookie, gate
from tests.dashboard.server.routes import IN, KINDS, NO, OUT, PAGE, ROUTES, STREAM, page
from tests.support.own_loop import run
from tests.support.tries import Tries


@pytest.fixture
def people(home: Path, monkeypatch: pytest.MonkeyPatch) -> Location:
    """ada administers, ben looks, cleo works on orders; eve has no access. Each look-up reads the store."""
    monkeypatch.setattr(lookups, "FRESH_SECONDS", 0)
    place = Location(folder=home)
    with open_store(place) as store:
        for name, role in (("ada", Role.ADMINISTRATOR), ("ben", Role.VIEWER), ("cleo", Role.AGENT)):
            access.grant(store, "test", Access(f"{name}@example.com", role), at=datetime(2026, 7, 1))
    return place


COOKIES: dict[str, Callable[[], dict[str, str]]] = {
    "none": dict,
    "forged": lambda: cookie("ada", secret="x" * 32),
    "of another address": lambda: cookie("ada", origin="https://other.example.com"),
    "unverified": lambda: cookie("ada", email_verified=False),
    "without email_verified": lambda: cookie("ada", email_verified=None),
    "without access": lambda: cookie("eve"),
    "viewer": lambda: cookie("ben"),
    "agent": lambda: cookie("cleo"),
    "administrator": lambda: cookie("ada"),
}
COLUMNS = {"none": 0, "forged": 0, "of another address": 0, "unverified": 0, "without email_verified": 0}
"""Column of `routes.KINDS` for each kind of cookie that is not named so there."""


def stale(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the header of an administrator who signed in 13 hours ago."""
    with monkeypatch.context() as patch:
        patch.setattr(TimestampSigner, "get_timestamp", lambda _: int(time.time()) - 13 * 3600)
        return cookie("ada", nonce="13")


@pytest.mark.usefixtures("people")
def test_every_route_with_every_kind_of_cookie(monkeypatch: pytest.MonkeyPatch, tries: Tries) -> None:
    client = Client(gate(read_settings(OIDC)))
    cookies = {kind: make() for kind, make in COOKIES.items()} | {"stale": stale(monkeypatch)}
    for route, statuses in ROUTES.items():
        for kind, header in cookies.items():
            tries.add()
            if route == STREAM:
                refused = client.stream(header)[0] == {"type": "websocket.close", "code": 1008}
                found = NO if refused else IN
            else:
                found = client.status(route, header)
            assert found == statuses[COLUMNS[kind] if kind in COLUMNS else KINDS.index(kind)], (route, kind)


def test_table_of_routes_is_up_to_date() -> None:
    assert page() == PAGE.read_text(encoding="utf-8"), "run: python -m tests.dashboard.server.routes"


@pytest.mark.usefixtures("people")
def test_address_counts_only_if_the_provider_calls_it_verified() -> None:
    """Without the claim, the setting decides. "false" never counts."""
    trusting = Client(gate(read_settings({**OIDC, "BUYERVIEW_OIDC_TRUST_EMAIL": "yes"})))
    careful = Client(gate(read_settings(OIDC)))
    for verified, expected in ((True, (IN, IN)), ("true", (IN, IN)), (None, (OUT, IN)), (False, (OUT, OUT))):
        ben = cookie("ben", email_verified=verified)
        assert (careful.status("/", ben), trusting.status("/", ben)) == expected, verified


@pytest.mark.usefixtures("people")
def test_stale_cookie_and_cookie_after_sign_out_are_refused_until_the_next_sign_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = Client(gate(read_settings(OIDC)))
    ben, again = cookie("ben"), cookie("ben", nonce="of the next sign-in")
    assert client.status("/", ben) == IN
    assert client.status("/auth/logout", ben) == IN
    assert (client.status("/", ben), client.status("/", again)) == (OUT, IN)
    assert client.stream(ben, b"click") == [{"type": "websocket.close", "code": 1008}]
    now = int(time.time())
    for hours, status in ((11, IN), (13, OUT)):
        with monkeypatch.context() as patch:
            patch.setattr(TimestampSigner, "get_timestamp", lambda _, hours=hours: now - hours * 3600)
            older = cookie("ben", nonce=str(hours))
        assert client.status("/", older) == status


@pytest.mark.usefixtures("people")
def test_person_is_named_to_the_page_by_the_gate_alone() -> None:
    client = Client(gate(read_settings(OIDC)))
    assert client.get("/", {**cookie("ben"), "x-buyerview-person": "ada@example.com"})[2] == "ben@example.com"
    assert client.get("/healthz", {"x-buyerview-person": "ada@example.com"})[2] == "nobody"


@pytest.mark.usefixtures("people")
def test_file_is_only_for_the_person_to_whom_its_address_was_sent() -> None:
    guard = gate(read_settings(OIDC))
    client = Client(guard)
    seen: list[int] = []

    async def look() -> Any:
        asked: asyncio.Queue[Any] = asyncio.Queue()
        asked.put_nowait({"type": "websocket.connect"})
        scope = client.scope("/_stcore/stream", {"origin": "https://dash.example.com", **cookie("ben")}, "websocket")

        async def send(message: Any) -> None:
            if message.get("bytes"):
                for person in ("ben", "cleo"):
                    ask = client.scope(SEEN, cookie(person))
                    answers = await client.sent(ask, [{"type": "http.request", "body": b"", "more_body": False}])
                    seen.append(answers[0]["status"])
                asked.put_nowait({"type": "websocket.disconnect", "code": 1000})

        await asyncio.wait_for(guard(scope, asked.get, send), 20)

    run(look)
    assert seen == [IN, 404]
    assert client.status(SEEN, cookie("ben")) == 404  # the page is closed


def test_revocation_counts_at_the_next_message_and_the_click_is_lost(people: Location) -> None:
    client = Client(gate(read_settings(OIDC)))
    answers = client.stream(cookie("ben"), b"click")
    assert [message.get("bytes") for message in answers[1:]] == [b"url: /media/0a1b.xlsx, size: 3", b"click"]
    guard = client.gate

    async def revoke_between() -> Any:
        asked: asyncio.Queue[Any] = asyncio.Queue()
        asked.put_nowait({"type": "websocket.connect"})
        answers: list[Any] = []
        scope = client.scope("/_stcore/stream", {"origin": "https://dash.example.com", **cookie("ben")}, "websocket")

        async def send(message: Any) -> None:
            answers.append(message)
            if len(answers) == 2:
                with open_store(people) as store:
                    access.revoke(store, "test", "ben@example.com")
                asked.put_nowait({"type": "websocket.receive", "bytes": b"click"})
            if len(answers) == 3:
                asked.put_nowait({"type": "websocket.disconnect", "code": 1000})

        await asyncio.wait_for(guard(scope, asked.get, send), 20)
        return answers[2]["bytes"]

    replaced = BackMsg()
    replaced.ParseFromString(run(revoke_between))
    assert replaced.WhichOneof("type") == "rerun_script"
    assert not replaced.rerun_script.widget_states.widgets


ORIGINS = [
    ({"host": "evil.example.com"}, NO),
    ({"host": "dash.example.com:8443"}, NO),
    ({"host": "dash.example.com:443"}, IN),
    ({"host": "dash.example.com@evil.example.com"}, NO),
    ({"host": ""}, NO),
    ({"origin": "https://dash.example.com"}, IN),
    ({"origin": "http://dash.example.com"}, NO),
    ({"origin": "https://dash.example.com:8443"}, NO),
    ({"origin": "null"}, NO),
    ({"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, NO),
    ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, IN),
    ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"}, NO),
]


@pytest.mark.usefixtures("people")
def test_requests_of_other_pages_and_to_other_addresses_are_refused() -> None:
    client = Client(gate(read_settings(OIDC)))
    ben = cookie("ben")
    assert [client.status("/recovery", {**ben, **headers}) for headers, _ in ORIGINS] == [code for _, code in ORIGINS]
    opened = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert client.status("/auth/logout", {**ben, **opened}) == NO
    assert client.stream({**ben, "origin": "https://dash.example.com:9"}) == [{"type": "websocket.close", "code": 1008}]
    assert client.status("/?" + "x" * 8_193, ben) == 414
    assert client.status("/" + "x" * 2_049, ben) == 414


@pytest.mark.usefixtures("people")
def test_long_address_in_a_message_of_a_page_is_left_out() -> None:
    """C11: sessions keep the address, also for some time after the page is closed."""
    asked = BackMsg()
    asked.rerun_script.query_string, asked.rerun_script.page_script_hash = "x" * 8_193, "page"
    signed_in, alone = Client(gate(read_settings(OIDC))), Client(gate(SignIn()), host="localhost:8501")
    for client, headers in ((signed_in, cookie("ben")), (alone, {"origin": "http://localhost:8501"})):
        answers = client.stream(headers, asked.SerializeToString(), b"no message" * 1_000)
        found = BackMsg.FromString(answers[2]["bytes"])
        assert (found.rerun_script.query_string, found.rerun_script.page_script_hash) == ("", "page")
        assert answers[3]["bytes"] == b"no message" * 1_000


def test_without_sign_in_only_pages_of_this_server_and_port_get_answers() -> None:
    client = Client(gate(SignIn()), host="localhost:8501", address="127.0.0.1")
    assert client.status("/") == IN
    assert client.status("/auth/login") == 404
    assert client.status("/", {"origin": "http://localhost:8501"}) == IN
    for headers in (
        {"origin": "http://localhost:9000"},
        {"host": "localhost:9000"},
        {"host": "localhost"},
        {"host": "192.168.1.5:8501"},
        {"sec-fetch-site": "same-site", "sec-fetch-mode": "no-cors"},
    ):
        assert client.status("/media/0a1b.xlsx", headers) == NO, headers
    refused = [{"type": "websocket.close", "code": 1008}]
    assert client.stream({"origin": "http://localhost:9000"}, b"click") == refused
    assert client.stream({"origin": "https://localhost:8501"}, b"click") == refused
    assert client.stream({"origin": "http://localhost:8501"}, b"click")[0]["type"] == "websocket.accept"


def by_proxy(person: str, secret: str = SECRET) -> dict[str, str]:
    return {"x-forwarded-user": person, PROXY_SECRET_HEADER: secret, "x-forwarded-for": "192.0.2.9"}


@pytest.mark.usefixtures("people")
def test_header_of_the_proxy_counts_only_with_the_secret_and_from_its_addresses() -> None:
    guard = gate(read_settings(PROXY))
    client = Client(guard)
    assert client.get("/", by_proxy("Ben@example.com"))[::2] == (IN, "Ben@example.com")
    assert client.status("/", by_proxy("eve@example.com")) == NO
    assert client.status("/", by_proxy("")) == OUT
    assert client.status("/", by_proxy("ben@example.com", "x" * 32)) == NO
    assert client.status("/", {"x-forwarded-user": "ben@example.com"}) == NO
    assert Client(guard, address="10.2.0.7").status("/", by_proxy("ben@example.com")) == NO
    assert client.status("/auth/login", by_proxy("ben@example.com")) == 404
    assert client.stream(by_proxy("ben@example.com"), b"click")[0]["type"] == "websocket.accept"
    assert client.stream(by_proxy("eve@example.com"), b"click") == [{"type": "websocket.close", "code": 1008}]
    local = Client(guard, host="localhost:8501", address="127.0.0.1")
    assert (local.status("/healthz"), local.status("/metrics"), local.status("/")) == (IN, IN, NO)
    assert local.status("/metrics", by_proxy("ben@example.com")) == NO
