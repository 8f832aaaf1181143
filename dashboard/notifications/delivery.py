"""News leaving the house: e-mail over SMTP and webhooks over HTTP. Nothing of Streamlit here: runs and the command line
send too.

A message stays in the outbox until whoever it is for has taken it; a run that dies between sending and marking sends it
twice, never not at all, and both carry the same identity (Message-ID, Idempotency-Key). Secrets stand in the
environment and nowhere else:

    BUYERVIEW_SMTP            smtp://[user@]host[:port], smtp+starttls://..., smtps://...
    BUYERVIEW_SMTP_PASSWORD   its password, where it asks for one
    BUYERVIEW_MAIL_FROM       the sender's address
    BUYERVIEW_WEBHOOK_NAME    the address that messages for webhook:NAME are posted to
    BUYERVIEW_URL             address of the dashboard, for the links
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
from metrics.errors import SettingRefused
from metrics.model.measure import Unit
from metrics.store.connection import open_store
from metrics.warehouse import Location

TIMEOUT = 20.0
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
Setting = Mapping[str, str]
FAILURES = (OSError, ValueError, HTTPException, smtplib.SMTPException, SettingRefused)
"""How sending can fail: no connection, a refusal, or an address that is none (its text is not told: a path may hold a
secret).
"""


def send_pending(place: Location, *, now: datetime, setting: Setting = os.environ) -> tuple[int, int]:
    """Send what is due; how many messages left and how many did not. What did not says why, and is tried again later."""
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
    """A failure in words, without what a server may repeat of a secret."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the webhook answered {error.code} {error.reason}"
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "the mail server refuses the user or the password (BUYERVIEW_SMTP, BUYERVIEW_SMTP_PASSWORD)"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the mail server refuses the recipient"
    if isinstance(error, (ValueError, HTTPException)):
        return f"an address in the settings cannot be used, or what answered there is no such server ({type(error).__name__})"
    return str(error) or type(error).__name__


def send(message: Mapping[str, Any], setting: Setting = os.environ) -> None:
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
    """Send a word to a channel, to see whether it arrives. Raises SettingRefused, with why it did not."""
    kind, _, to = channel.partition(":")
    said = {"subject": "A test from Buyerview", "body": {"event": "test"}, "message_id": f"test {datetime.now(UTC)}"}
    try:
        if kind == "mailto":
            send_mail(
                mail(
                    to,
                    said["subject"],
                    "Alerts for this address arrive here.\n",
                    identity=said["message_id"],
                    setting=setting,
                ),
                setting,
            )
        elif kind == "webhook":
            _post(to, said, setting)
        else:
            raise SettingRefused(channel, "it begins with neither mailto: nor webhook:")
    except SettingRefused:
        raise
    except FAILURES as error:
        raise SettingRefused(channel, failure_reason(error)) from None


def _post(name: str, message: Mapping[str, Any], setting: Setting) -> None:
    variable = f"BUYERVIEW_WEBHOOK_{name}"
    url = setting.get(variable, "")
    if urlsplit(url).scheme not in ("http", "https"):
        raise SettingRefused(
            variable, "it holds no http:// or https:// address; set it for the dashboard and for whoever runs ingest"
        )
    body = json.dumps({"subject": message["subject"], **message["body"]}, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Buyerview",
        "Idempotency-Key": _digest(message["message_id"]),
    }
    with closing(urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=TIMEOUT)) as answered:
        if answered.geturl() != url:  # it was followed without what was to be told
            raise OSError("the webhook's address leads to another: put that one into the setting")
        answered.read()


def mail(to: str, subject: str, text: str, *, identity: str, setting: Setting = os.environ) -> EmailMessage:
    """A plain message; a picture or an HTML part may be added to it. Raises SettingRefused without a sender."""
    sender = setting.get("BUYERVIEW_MAIL_FROM", "")
    if "@" not in sender:
        raise SettingRefused("BUYERVIEW_MAIL_FROM", "it holds no e-mail address to send from")
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = sender, to, " ".join(subject.split())
    made["Message-ID"] = f"<{_digest(identity)}@{sender.rpartition('@')[2]}>"
    made["Date"] = format_datetime(datetime.now(UTC))
    made["Auto-Submitted"] = "auto-generated"
    made.set_content(text)
    return made


def send_mail(message: EmailMessage, setting: Setting = os.environ) -> None:
    """Hand a message to the mail server. Raises one of FAILURES."""
    url = urlsplit(setting.get("BUYERVIEW_SMTP", ""))
    if url.scheme not in PORTS or not url.hostname:
        raise SettingRefused(
            "BUYERVIEW_SMTP", f"it holds no mail server: {', '.join(f'{kind}://host' for kind in PORTS)}"
        )
    opening = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with opening(url.hostname, url.port or PORTS[url.scheme], timeout=TIMEOUT) as server:
        if url.scheme == "smtp+starttls":
            server.starttls()
        if url.username:
            server.login(unquote(url.username), setting.get("BUYERVIEW_SMTP_PASSWORD", ""))
        server.send_message(message)


def as_text(body: Mapping[str, Any]) -> str:
    """What a message says to a person."""
    unit = Unit(body["unit"])

    def number(value: Any) -> str:
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
        f"The period before: {number(body['before'])}" if body["before"] is not None else "",
        _fired(body.get("fired"), number),
        f"Generation {body['generation']}. What it means: {body['definition']}",
        "",
        f"These very numbers: {body['link']}",
    ]
    return "\n".join(line for at, line in enumerate(lines) if line or at == len(lines) - 2) + "\n"


def _fired(fired: Mapping[str, Any] | None, number: Callable[[Any], str]) -> str:
    """The line on an alert that was held back until it was over."""
    if not fired:
        return ""
    return f"It had fired at {number(fired['value'])}, {fired['from']} to {fired['to']}; that message was held back and did not leave."


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:32]
