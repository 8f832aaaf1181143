"""Send notifications by e-mail (SMTP) and webhook (HTTP). Does not use Streamlit, because ingest runs send them too.

A message stays in the outbox until the server has accepted it. A run that stops between sending and marking sends it
twice, with the same identity (Message-ID, Idempotency-Key). Secrets are only in the environment:

    BUYERVIEW_SMTP            smtp://[user@]host[:port], smtp+starttls://..., smtps://...
    BUYERVIEW_SMTP_PASSWORD   password, if the server requires one
    BUYERVIEW_MAIL_FROM       the sender's address
    BUYERVIEW_WEBHOOK_NAME    URL of the channel webhook:NAME
    BUYERVIEW_URL             URL of the dashboard, for links
"""

import hashlib
import json
import os
import smtplib
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import unquote, urlsplit

from dashboard.components import formatting
from metrics.alerts import storage
from metrics.errors import SettingRefused, driver_text
from metrics.model.measure import Unit
from metrics.store.connection import open_store
from metrics.warehouse import Location

TIMEOUT = 20.0
MOST_ANSWER = 1_000_000
"""Bytes of a webhook's answer to read."""
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
Setting = Mapping[str, str]
Message = Mapping[str, Any]
"""A message of the outbox or its body. Any: JSON."""
FAILURES = (OSError, ValueError, HTTPException, smtplib.SMTPException, SettingRefused)
"""Exceptions raised while sending: no connection, a refusal, or an invalid address."""


def send_pending(place: Location, *, now: datetime, setting: Setting = os.environ) -> tuple[int, int]:
    """Send the pending messages; return how many were sent and how many failed.

    A failed message keeps the reason and is sent again later.
    """
    with open_store(place, write=False) as store:
        due = storage.due_messages(store, now)
    sent = 0
    for message in due:
        try:
            send(message, setting)
        except FAILURES as error:
            with open_store(place) as store:
                storage.mark_failed(store, message, failure_reason(error), at=now)
        else:
            sent += 1
            with open_store(place) as store:
                storage.mark_sent(store, message["message_id"], at=now)
    return sent, len(due) - sent


def failure_reason(error: Exception) -> str:
    """Return a failure in words, without text of the server or the address, which may contain a secret."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the webhook answered {error.code} {error.reason}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "the mail server refuses the user or the password (BUYERVIEW_SMTP, BUYERVIEW_SMTP_PASSWORD)"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the mail server refuses the recipient"
    if isinstance(error, (ValueError, HTTPException)):
        return f"an address in the settings is invalid, or no such server answers there ({type(error).__name__})"
    return driver_text(error)


def send(message: Message, setting: Setting = os.environ) -> None:
    """Send one message of the outbox. Raises one of FAILURES."""
    kind, _, to = message["channel"].partition(":")
    if kind == "mailto":
        send_mail(
            mail(to, message["subject"], as_text(message["body"]), identity=message["message_id"], setting=setting),
            setting,
        )
    else:
        _post(to, message, setting)


def send_test(channel: str, setting: Setting = os.environ) -> None:
    """Send a test message to a channel. Raises SettingRefused with the reason of a failure."""
    kind, _, to = channel.partition(":")
    subject, identity = "Test message from Buyerview", f"test {datetime.now(UTC)}"
    try:
        if kind == "mailto":
            text = "This address receives alerts from Buyerview.\n"
            send_mail(mail(to, subject, text, identity=identity, setting=setting), setting)
        elif kind == "webhook":
            _post(to, {"subject": subject, "body": {"event": "test"}, "message_id": identity}, setting)
        else:
            raise SettingRefused(channel, "a channel must begin with mailto: or webhook:")
    except SettingRefused:
        raise
    except FAILURES as error:
        raise SettingRefused(channel, failure_reason(error)) from None


def _post(name: str, message: Message, setting: Setting) -> None:
    variable = f"BUYERVIEW_WEBHOOK_{name}"
    url = setting.get(variable, "")
    if urlsplit(url).scheme not in ("http", "https"):
        raise SettingRefused(
            variable, "it must be an http:// or https:// address, set for the dashboard and for ingest runs"
        )
    body = json.dumps({"subject": message["subject"], **message["body"]}, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Buyerview",
        "Idempotency-Key": _digest(message["message_id"]),
    }
    opener = urllib.request.build_opener(_NoRedirect)
    with closing(opener.open(urllib.request.Request(url, body, headers), timeout=TIMEOUT)) as response:
        response.read(MOST_ANSWER)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: it would drop the body, and could lead to an address inside the network."""

    # Any: urllib passes its own objects
    def redirect_request(self, *_: Any) -> None:
        raise OSError("the webhook redirects to another address; set the variable to that address")


def mail(to: str, subject: str, text: str, *, identity: str, setting: Setting = os.environ) -> EmailMessage:
    """Return a plain-text message, to which the caller may add parts. Raises SettingRefused without a sender."""
    sender = setting.get("BUYERVIEW_MAIL_FROM", "")
    if "@" not in sender:
        raise SettingRefused("BUYERVIEW_MAIL_FROM", "it must be the e-mail address of the sender")
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, to, " ".join(subject.split())
    made["Message-ID"] = f"<{_digest(identity)}@{sender.rpartition('@')[2]}>"
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text)
    return made


def send_mail(message: EmailMessage, setting: Setting = os.environ) -> None:
    """Send a message through the mail server. Raises one of FAILURES."""
    url = urlsplit(setting.get("BUYERVIEW_SMTP", ""))
    if url.scheme not in PORTS or not url.hostname:
        raise SettingRefused(
            "BUYERVIEW_SMTP", f"it must name a mail server: {' or '.join(f'{kind}://host' for kind in PORTS)}"
        )
    opening = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with opening(url.hostname, url.port or PORTS[url.scheme], timeout=TIMEOUT) as server:
        if url.scheme == "smtp+starttls":
            server.starttls()
        if url.username:
            server.login(unquote(url.username), setting.get("BUYERVIEW_SMTP_PASSWORD", ""))
        server.send_message(message)


def as_text(body: Message) -> str:
    """Return the text of an alert e-mail."""
    unit = Unit(body["unit"])

    def number(value: float | None) -> str:
        return formatting.number(value, unit)

    of = (
        f" ({formatting.number(body['numerator'])} of {formatting.number(body['denominator'])})"
        if body["numerator"] is not None and body["denominator"]
        else ""
    )
    where = "; ".join(f"{name} {', '.join(values)}" for name, values in body["where"]) or "all orders"
    lines = [
        f"{body['title']}: {number(body['value'])}{of}",
        f"{body['from']} to {body['to']}, {where}",
        f"Rule “{body['rule']}”: {body['condition']}"
        + (f" {number(body['limit'])}" if body["limit"] is not None else ""),
        f"Target {number(body['target'])}" if body["target"] is not None else "",
        f"Prior period: {number(body['before'])}" if body["before"] is not None else "",
        _fired(body.get("fired"), number),
        f"Data version {body['generation']}. Definition: {body['definition']}",
        "",
        f"Show these numbers: {body['link']}",
    ]
    return "\n".join(line for at, line in enumerate(lines) if line or at == len(lines) - 2) + "\n"


def _fired(fired: Message | None, number: Callable[[float | None], str]) -> str:
    """Return the line about an alert that cleared before its message was sent."""
    if not fired:
        return ""
    period = f"{fired['from']} to {fired['to']}"
    return f"The alert fired at {number(fired['value'])}, {period}. It cleared before that message was sent."


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:32]
