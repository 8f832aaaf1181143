"""Messages go only to allowed domains and hosts, and never to a private address that is not listed."""

import base64
import socket
import threading
import time
from collections.abc import Iterator
from email.headerregistry import Address
from typing import Any

import pytest

from dashboard.notifications import delivery, recipients, webhook
from dashboard.notifications.messages import Notice, alert_notice, slack, teams
from metrics.errors import SettingRefused
from tests.dashboard.notifications.payloads import check_signature, check_slack, check_teams
from tests.dashboard.notifications.test_delivery import BODY, hook  # noqa: F401 - a fixture

LOCAL = {"BUYERVIEW_NOTIFY_HOSTS": "127.0.0.1", "BUYERVIEW_MAIL_FROM": "b@example.com"}
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()


@pytest.mark.parametrize(
    ("to", "is_allowed"),
    [
        ("a@example.com", True),
        ("A@EXAMPLE.COM", True),
        ("a@partner.example", True),
        ("a@sub.example.com", False),
        ("a@example.com.evil.example", False),
        ("a@evil.example", False),
        ("a@example.com, b@evil.example", False),
        ('"a@example.com" <a@evil.example>', False),
        ("a@example.com@evil.example", False),
        ("a", False),
    ],
)
def test_mail_goes_only_to_allowed_domains(to: str, is_allowed: bool) -> None:
    setting = {"BUYERVIEW_MAIL_FROM": "b@example.com", "BUYERVIEW_MAIL_DOMAINS": "partner.example"}
    assert (delivery.refused_channels([f"mailto:{to}"], setting) == []) == is_allowed
    message = delivery.mail(to, "s", "t", identity="1", setting=setting)
    sent = {**setting, "BUYERVIEW_SMTP": "smtp://127.0.0.1:1"}
    if not is_allowed:
        with pytest.raises(SettingRefused, match="BUYERVIEW_MAIL_DOMAINS"):
            delivery.send_mail(message, sent)
    else:
        with pytest.raises(ConnectionRefusedError):
            delivery.send_mail(message, sent)


def test_without_a_sender_no_address_is_allowed() -> None:
    with pytest.raises(SettingRefused):
        recipients.check_mail([Address("a", username="a", domain="")], {})
    with pytest.raises(SettingRefused):
        recipients.check_mail([], {"BUYERVIEW_MAIL_FROM": "b@example.com"})


ANSWERS = {
    "public.example": ["93.184.216.34"],
    "hooks.example.com": ["93.184.216.34"],
    "sub.listed.example": ["93.184.216.34"],
    "inside.example": ["10.1.2.3"],
    "mixed.example": ["93.184.216.34", "127.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "translated.example": ["64:ff9b::a00:1"],
    "six.example": ["fd00::1"],
    "zero.example": ["0.0.0.0"],
    "cgnat.example": ["100.64.0.1"],
    "10.1.2.3": ["10.1.2.3"],
    "2130706433": ["127.0.0.1"],
}


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(host: str, port: int, **_: object) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ANSWERS[host]]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.mark.parametrize(
    ("host", "listed", "is_allowed"),
    [
        ("public.example", "", False),
        ("public.example", "public.example", True),
        ("public.example", "PUBLIC.example.", True),
        ("public.example", "*.public.example, ublic.example", False),
        ("hooks.example.com", "", True),  # in the sender's domain
        ("sub.listed.example", "*.listed.example", True),
        ("inside.example", "inside.example", False),
        ("inside.example", "inside.example, 10.0.0.0/8", True),
        ("10.1.2.3", "10.0.0.0/8", True),
        ("10.1.2.3", "192.168.0.0/16", False),
        *((f"{name}.example", f"{name}.example", False)
          for name in ("mixed", "metadata", "mapped", "translated", "six", "zero", "cgnat")),
        ("mapped.example", "mapped.example, 10.0.0.1", True),
        ("2130706433", "2130706433", False),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("names")
def test_webhook_hosts_are_denied_by_default_and_private_addresses_unless_listed(
    host: str, listed: str, is_allowed: bool
) -> None:
    setting = {"BUYERVIEW_MAIL_FROM": "b@example.com", "BUYERVIEW_NOTIFY_HOSTS": listed}
    if is_allowed:
        assert recipients.resolve(host, 443, setting) == ANSWERS[host][0]
    else:
        with pytest.raises(SettingRefused, match="BUYERVIEW_NOTIFY_HOSTS"):
            recipients.resolve(host, 443, setting)


@pytest.mark.usefixtures("names")
def test_connection_goes_to_the_checked_address_and_the_name_is_resolved_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        asked.append((address, timeout))
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    setting = {"BUYERVIEW_NOTIFY_HOSTS": "public.example", "X": "https://public.example/s"}
    with pytest.raises(ConnectionRefusedError):
        webhook.post("X", b"{}", {}, setting)
    assert asked == [(("93.184.216.34", 443), webhook.TIMEOUT)]


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "gopher://127.0.0.1", "ftp://127.0.0.1/x", "http://u:p@127.0.0.1/"]
)
def test_other_schemes_and_passwords_in_a_url_are_refused(url: str) -> None:
    with pytest.raises(SettingRefused):
        webhook.post("X", b"{}", {}, {"X": url, **LOCAL})


@pytest.fixture
def slow_server() -> Iterator[str]:
    """A server that sends its answer a byte at a time, for ever."""
    listener = socket.create_server(("127.0.0.1", 0))
    is_over = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not is_over.wait(0.02):
                    connection.sendall(b"a")
            except OSError:
                return

    thread = threading.Thread(target=serve)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    is_over.set()
    thread.join()
    listener.close()


def test_slow_or_large_exchange_ends(slow_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "TIMEOUT", 0.3)
    began = time.monotonic()
    with pytest.raises(webhook.WebhookRefused, match="did not answer within"):
        webhook.post("X", b"{}", {}, {"X": slow_server, **LOCAL})
    assert time.monotonic() - began < 3
    with pytest.raises(webhook.WebhookRefused, match="limit"):
        webhook.post("X", b" " * (webhook.MOST_BYTES + 1), {}, {"X": slow_server, **LOCAL})


def test_webhook_is_signed_so_that_a_receiver_can_verify_it() -> None:
    headers = webhook.signature("OPS", "id", b"{}", at=1_700_000_000, setting={"BUYERVIEW_SIGNING_SECRET_OPS": SECRET})
    check_signature(headers, b"{}", SECRET)
    with pytest.raises(AssertionError):
        check_signature(headers, b"{ }", SECRET)
    assert "webhook-signature" not in webhook.signature("OPS", "id", b"{}", at=1, setting={})
    for secret in ("short", "whsec_" + base64.b64encode(b"short").decode(), "whsec_ä"):
        with pytest.raises(SettingRefused, match="BUYERVIEW_SIGNING_SECRET_OPS"):
            webhook.signature("OPS", "id", b"{}", at=1, setting={"BUYERVIEW_SIGNING_SECRET_OPS": secret})


def test_all_channels_receive_payloads_that_their_vendors_accept(hook: tuple[list[Any], str]) -> None:  # noqa: F811
    setting = {f"BUYERVIEW_{kind}_OPS": hook[1] for kind in ("WEBHOOK", "SLACK", "TEAMS")}
    setting |= {**LOCAL, "BUYERVIEW_SIGNING_SECRET_OPS": SECRET}
    for kind in ("webhook", "slack", "teams"):
        message = {"channel": f"{kind}:OPS", "subject": "Alert: <!channel> late", "body": BODY, "message_id": "1"}
        delivery.send(message, setting)
        delivery.send_test(f"{kind}:OPS", setting)
    (headers, plain), _, (slack_headers, blocks), (_, slack_test), (_, card), (_, teams_test) = hook[0]
    assert plain["event"] == "fired"
    assert headers["webhook-signature"].startswith("v1,")
    assert "webhook-signature" not in slack_headers
    for payload in (blocks, slack_test):
        check_slack(payload)
    for payload in (card, teams_test):
        check_teams(payload)
    assert "&lt;!channel&gt;" in blocks["text"]
    messages = str(blocks), str(card)
    for part in ("60.0% (6 of 10)", "segment A", "95.0%", "Data version 7", "https://service.example.org/behind?v=7"):
        assert all(part in one for one in messages), part


def test_payloads_of_very_long_texts_stay_within_the_limits() -> None:
    long = "a <!here> *b* :boom: [c](http://evil) " * 200
    for notice in (
        Notice(long, [(long, long)] * 30, [long] * 30, ("Open", "https://example.org/"), long),
        Notice(" ", [("", "")], [""], ("Open", f"https://example.org/?{long}"), ""),
        alert_notice(long, {**BODY, "rule": long, "title": long, "where": [["customer", [long]]], "definition": long}),
    ):
        check_slack(slack(notice))
        check_teams(teams(notice))
