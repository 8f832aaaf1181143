"""Notifications go out once over a real SMTP server and a real HTTP server, and wait in the outbox while those are
down.
"""

import json
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from dashboard.notifications import alert_round, delivery
from metrics import warehouse
from metrics.access import Access, Role, Scope
from metrics.alerts import storage
from metrics.alerts.rules import ABOVE, Rule
from metrics.errors import SettingRefused
from metrics.model.question import Question
from metrics.queries import answer as query
from metrics.store import access
from metrics.store.connection import open_store
from metrics.warehouse import Location, reading

AT = datetime(2026, 3, 23, 12)
ALLOWED = {"BUYERVIEW_MAIL_DOMAINS": "example.org", "BUYERVIEW_NOTIFY_HOSTS": "127.0.0.1, ::1"}
BODY: dict[str, Any] = {
    "event": "fired",
    "rule": "Late <b>again</b>",
    "measure": "on_time",
    "title": "Orders received on time",
    "unit": "share",
    "definition": "On time.",
    "where": [["segment", ["A"]]],
    "from": "2026-03-16",
    "to": "2026-03-22",
    "value": 0.6,
    "numerator": 6,
    "denominator": 10,
    "condition": "below",
    "limit": 0.9,
    "before": None,
    "target": 0.95,
    "generation": 7,
    "link": "https://service.example.org/behind?v=7",
}


class Mailbox:
    """Return the messages that a mail server received."""

    def __init__(self) -> None:
        self.mails: list[Any] = []

    # the library's names
    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: ARG002, N802
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content)))
        return "250 taken"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield box, f"smtp://127.0.0.1:{controller.port}"
    controller.stop()


@pytest.fixture
def hook() -> Iterator[tuple[list[Any], str]]:
    taken: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = {"/down": 503, "/moved": 302}.get(self.path, 204)
            if status == 204:
                taken.append((dict(self.headers), body))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", "/elsewhere")
            self.end_headers()

        def do_GET(self) -> None:
            taken.append("a redirect was followed")
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield taken, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def place_with(tmp_path: Path, *channels: str, due_at: datetime = AT) -> Location:
    place = Location(folder=tmp_path)
    with open_store(place) as store:
        for channel in channels:
            storage.write_message(
                store, f"rule 1 generation 7 fired {channel}", channel, "Alert: Late\nagain", BODY, due_at=due_at
            )
    return place


def test_email_and_webhook_receive_each_message_once(
    tmp_path: Path, mailbox: tuple[Mailbox, str], hook: tuple[list[Any], str]
) -> None:
    place = place_with(tmp_path, "mailto:ops@example.org", "webhook:OPS")
    setting = ALLOWED | {
        "BUYERVIEW_SMTP": mailbox[1],
        "BUYERVIEW_MAIL_FROM": "buyerview@example.com",
        "BUYERVIEW_WEBHOOK_OPS": hook[1],
    }
    assert delivery.send_pending(place, now=AT, setting=setting) == (2, 0)
    assert delivery.send_pending(place, now=AT + timedelta(days=1), setting=setting) == (0, 0)

    ((to, mail),) = mailbox[0].mails
    assert to == ["ops@example.org"]
    assert mail["Subject"] == "Alert: Late again"
    assert mail["Message-ID"].endswith("@example.com>")
    text = mail.get_payload(decode=True).decode()
    assert "Orders received on time: 60.0% (6 of 10)" in text
    assert "segment A" in text
    assert "Target: 95.0%" in text
    assert "https://service.example.org/behind?v=7" in text

    ((headers, body),) = hook[0]
    assert (body["value"], body["numerator"], body["denominator"], body["subject"]) == (
        0.6,
        6,
        10,
        "Alert: Late\nagain",
    )
    assert len(headers["Idempotency-Key"]) == 32


def test_failed_message_is_stored_with_the_reason_and_sent_later(tmp_path: Path, hook: tuple[list[Any], str]) -> None:
    place = place_with(tmp_path, "webhook:OPS", "mailto:ops@example.org")
    down = ALLOWED | {
        "BUYERVIEW_WEBHOOK_OPS": f"{hook[1]}/down",
        "BUYERVIEW_MAIL_FROM": "b@example.com",
        "BUYERVIEW_SMTP": "smtp://127.0.0.1:9",
    }
    assert delivery.send_pending(place, now=AT, setting=down) == (0, 2)
    with open_store(place) as store:
        errors = {message["channel"]: message["error"] for message in storage.messages(store)}
    assert errors["webhook:OPS"] == "the webhook answered 503 Service Unavailable"
    assert "refused" in errors["mailto:ops@example.org"]
    assert delivery.send_pending(place, now=AT + timedelta(seconds=30), setting=down) == (0, 0)
    up = down | {"BUYERVIEW_WEBHOOK_OPS": hook[1]}
    assert delivery.send_pending(place, now=AT + timedelta(minutes=2), setting=up) == (1, 1)
    assert len(hook[0]) == 1


def test_message_is_not_sent_before_it_is_due(tmp_path: Path, hook: tuple[list[Any], str]) -> None:
    place = place_with(tmp_path, "webhook:OPS", due_at=AT + timedelta(hours=8))
    setting = ALLOWED | {"BUYERVIEW_WEBHOOK_OPS": hook[1]}
    assert delivery.send_pending(place, now=AT, setting=setting) == (0, 0)
    assert delivery.send_pending(place, now=AT + timedelta(hours=8), setting=setting) == (1, 0)


def test_error_names_the_missing_setting_and_hides_secrets(tmp_path: Path) -> None:
    place = place_with(tmp_path, "webhook:OPS", "mailto:ops@example.org")
    delivery.send_pending(place, now=AT, setting={"BUYERVIEW_WEBHOOK_OPS": "s3cret"})
    with open_store(place) as store:
        errors = "\n".join(one["error"] for one in storage.messages(store))
    assert "BUYERVIEW_WEBHOOK_OPS" in errors
    assert "BUYERVIEW_MAIL_FROM" in errors
    assert "s3cret" not in errors


def test_wrong_password_error_does_not_contain_the_password(tmp_path: Path) -> None:
    def refuse(*_: object) -> AuthResult:
        return AuthResult(success=False, handled=False)

    controller = Controller(
        Mailbox(), hostname="127.0.0.1", port=free_port(), authenticator=refuse, auth_require_tls=False
    )
    controller.start()
    try:
        place = place_with(tmp_path, "mailto:ops@example.org")
        setting = ALLOWED | {
            "BUYERVIEW_SMTP": f"smtp://ada@127.0.0.1:{controller.port}",
            "BUYERVIEW_SMTP_PASSWORD": "s3cret",
            "BUYERVIEW_MAIL_FROM": "b@example.com",
        }
        assert delivery.send_pending(place, now=AT, setting=setting) == (0, 1)
    finally:
        controller.stop()
    with open_store(place) as store:
        (message,) = storage.messages(store)
    assert "refuses the user or the password" in message["error"]
    assert "s3cret" not in message["error"]


def test_invalid_addresses_are_reported_without_repeating_them(tmp_path: Path) -> None:
    place = place_with(tmp_path, "webhook:OPS", "webhook:TWO", "mailto:ops@example.org")
    setting = ALLOWED | {
        "BUYERVIEW_WEBHOOK_OPS": "http://127.0.0.1/s3cret hook",
        "BUYERVIEW_WEBHOOK_TWO": "http://[::1/s3cret",
        "BUYERVIEW_SMTP": "smtp://localhost:99999x",
        "BUYERVIEW_MAIL_FROM": "b@example.com",
    }
    assert delivery.send_pending(place, now=AT, setting=setting) == (0, 3)
    with open_store(place) as store:
        assert all("is invalid" in one["error"] and "s3cret" not in one["error"] for one in storage.messages(store))


def test_webhook_redirect_is_not_followed_and_counts_as_failed(tmp_path: Path, hook: tuple[list[Any], str]) -> None:
    place = place_with(tmp_path, "webhook:OPS")
    setting = ALLOWED | {"BUYERVIEW_WEBHOOK_OPS": f"{hook[1]}/moved"}
    assert delivery.send_pending(place, now=AT, setting=setting) == (0, 1)
    assert hook[0] == [], "the address behind the redirect is not asked, because it may be inside the network"
    with open_store(place) as store:
        assert "redirects to another address" in storage.messages(store)[0]["error"]


def test_channel_can_be_tested_with_a_test_message(mailbox: tuple[Mailbox, str], hook: tuple[list[Any], str]) -> None:
    setting = ALLOWED | {"BUYERVIEW_SMTP": mailbox[1], "BUYERVIEW_MAIL_FROM": "b@example.com"}
    setting["BUYERVIEW_WEBHOOK_OPS"] = hook[1]
    delivery.send_test("mailto:ops@example.org", setting)
    delivery.send_test("webhook:OPS", setting)
    assert mailbox[0].mails[0][0] == ["ops@example.org"]
    assert hook[0][0][1] == {"subject": "Test message from Buyerview", "event": "test"}
    for channel, expected in (
        ("webhook:OPS", "503"),
        ("webhook:NONE", "BUYERVIEW_WEBHOOK_NONE"),
        ("pigeon:x", "must begin with"),
    ):
        with pytest.raises(SettingRefused, match=expected):
            delivery.send_test(channel, setting | {"BUYERVIEW_WEBHOOK_OPS": f"{hook[1]}/down"})


def test_email_requires_a_sender_and_a_server() -> None:
    with pytest.raises(SettingRefused, match="BUYERVIEW_MAIL_FROM"):
        delivery.mail("a@example.org", "s", "t", identity="1", setting={})
    made = delivery.mail("a@example.org", "s", "t", identity="1", setting={"BUYERVIEW_MAIL_FROM": "b@example.com"})
    with pytest.raises(SettingRefused, match="BUYERVIEW_SMTP"):
        delivery.send_mail(made, {})


def test_a_rule_reads_the_rows_of_its_owner(sample: Location, tmp_path: Path) -> None:
    assert sample.folder is not None
    place = Location(folder=Path(shutil.copytree(sample.folder, tmp_path / "home")))
    north: Scope = (("region", ("North",)),)
    rule = Rule("Orders", "orders", ABOVE, limit=0.0, period="13 weeks", min_n=1)
    with open_store(place) as store:
        access.grant(store, "test", Access("root@x.org", Role.ADMINISTRATOR), at=AT)
        access.grant(store, "test", Access("ada@x.org", Role.ANALYST, north), at=AT)
        mine, every, left = (
            storage.save(store, who, replace(rule, name=who), at=AT)
            for who in ("Ada@x.org", "root@x.org", "left@x.org")
        )
    assert alert_round.run_alerts(place).endswith("1 not checked, because the owner has no access")
    with open_store(place, write=False) as store:
        read = storage.last_readings(store)
    assert left not in read
    with reading(place) as connection:
        days = {"start": read[mine]["starts_on"], "end": read[mine]["ends_on"]}
        for number, where in ((mine, north), (every, ())):
            (expected,) = query.answer(connection, Question(("orders",), where=where, **days))
            assert Decimal(read[number]["number"]) == expected.value


def test_alert_check_sends_messages_once_and_nothing_on_the_second_check(
    sample: Location, tmp_path: Path, hook: tuple[list[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sample.folder is not None
    place = Location(folder=Path(shutil.copytree(sample.folder, tmp_path / "home")))
    monkeypatch.setenv("BUYERVIEW_WEBHOOK_OPS", hook[1])
    monkeypatch.setenv("BUYERVIEW_NOTIFY_HOSTS", "127.0.0.1")
    assert alert_round.run_alerts(place) == ""
    with open_store(place) as store:
        storage.save(
            store,
            "Ada",
            Rule("Any", "cycle_days", ABOVE, limit=0.0, period="13 weeks", min_n=1, channels=("webhook:OPS",)),
            at=AT,
        )
    assert alert_round.run_alerts(place) == "1 alert rule changed, 1 message sent"
    assert alert_round.run_alerts(place) == ""
    ((_, body),) = hook[0]
    with reading(place) as connection:
        (answer,) = query.answer(
            connection,
            Question(("cycle_days",), start=date.fromisoformat(body["from"]), end=date.fromisoformat(body["to"])),
        )
    assert (body["value"], body["numerator"], body["denominator"]) == (
        float(answer.value),
        answer.numerator,
        answer.denominator,
    )
    warehouse.close(place)
