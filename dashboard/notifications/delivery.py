"""Send notifications by e-mail (SMTP), webhook, Slack and Microsoft Teams. No Streamlit, because ingest runs send too.

A message stays in the outbox until the server has accepted it. A run that stops between sending and marking sends it
twice, with the same identity (Message-ID, Idempotency-Key). Secrets are only in the environment:

    BUYERVIEW_SMTP            smtp://[user@]host[:port], smtp+starttls://..., smtps://...
    BUYERVIEW_SMTP_PASSWORD   password, if the server requires one
    BUYERVIEW_MAIL_FROM       the sender's address
    BUYERVIEW_WEBHOOK_NAME    URL of the channel webhook:NAME
    BUYERVIEW_SLACK_NAME      URL of an incoming webhook of Slack, for the channel slack:NAME
    BUYERVIEW_TEAMS_NAME      URL of a workflow of Microsoft Teams, for the channel teams:NAME
    BUYERVIEW_URL             URL of the dashboard, for links

`recipients.py` has the settings of allowed recipients, `webhook.py` that of signatures.
"""

import hashlib
import json
import os
import smtplib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import unquote, urlsplit

from dashboard.notifications import recipients, webhook
from dashboard.notifications.messages import Notice, alert_notice, as_text, slack, teams
from metrics.alerts import storage
from metrics.alerts.rules import KINDS, WEBHOOKS
from metrics.errors import SettingRefused, driver_text
from metrics.store.connection import open_store
from metrics.warehouse import Location

TIMEOUT = 20.0
MOST_BYTES = 20_000_000
"""Largest e-mail to send."""
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
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "the mail server refuses the user or the password (BUYERVIEW_SMTP, BUYERVIEW_SMTP_PASSWORD)"
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "the mail server refuses the recipient"
    if isinstance(error, (ValueError, HTTPException)):
        return f"an address in the settings is invalid, or no such server answers there ({type(error).__name__})"
    return driver_text(error)


def send(message: Message, setting: Setting = os.environ) -> None:
    """Send one message of the outbox. Raises one of FAILURES."""
    subject, identity = message["subject"], message["message_id"]
    send_notice(
        message["channel"], alert_notice(subject, message["body"]), message["body"], identity=identity, setting=setting
    )


def send_notice(channel: str, notice: Notice, body: Message, *, identity: str, setting: Setting = os.environ) -> None:
    """Send a notice to a channel in the channel's format. Raises one of FAILURES.

    body: what a plain webhook receives as JSON, beside the subject.
    """
    kind, _, to = channel.partition(":")
    if kind == "mailto":
        send_mail(mail(to, notice.title, as_text(notice), identity=identity, setting=setting), setting)
        return
    if kind not in WEBHOOKS:
        raise SettingRefused(channel, f"a channel must begin with {', '.join(f'{one}:' for one in KINDS)}")
    formats: dict[str, Callable[[], Message]] = {
        "webhook": lambda: {"subject": notice.title, **body},
        "slack": lambda: slack(notice),
        "teams": lambda: teams(notice),
    }
    content = json.dumps(formats[kind](), ensure_ascii=False, default=str).encode()
    key = _digest(identity)
    headers = {"Content-Type": "application/json", "User-Agent": "Buyerview", "Idempotency-Key": key}
    if kind == "webhook":
        headers |= webhook.signature(to, key, content, at=int(datetime.now(UTC).timestamp()), setting=setting)
    webhook.post(f"BUYERVIEW_{kind.upper()}_{to}", content, headers, setting)


def send_test(channel: str, setting: Setting = os.environ) -> None:
    """Send a test message to a channel. Raises SettingRefused with the reason of a failure."""
    notice = alert_notice("Test message from Buyerview", {})
    try:
        send_notice(channel, notice, {"event": "test"}, identity=f"test {datetime.now(UTC)}", setting=setting)
    except SettingRefused:
        raise
    except FAILURES as error:
        raise SettingRefused(channel, failure_reason(error)) from None


def refused_channels(channels: Sequence[str], setting: Setting = os.environ) -> list[str]:
    """Return the reasons why messages to these channels would not be sent, as far as the settings decide it."""
    errors = []
    for channel in channels:
        kind, _, to = channel.partition(":")
        try:
            if kind == "mailto":
                if setting.get(recipients.SENDER):  # nothing is sent without a sender
                    recipients.check_mail(_addresses(to), setting)
            elif url := setting.get(f"BUYERVIEW_{kind.upper()}_{to}"):
                recipients.check_host(urlsplit(url).hostname or "", setting)
        except (SettingRefused, ValueError) as error:
            errors.append(str(error) if isinstance(error, SettingRefused) else f"{channel} cannot be used.")
    return errors


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
    recipients.check_mail(message["To"].addresses, setting)
    if len(message.as_bytes()) > MOST_BYTES:
        raise SettingRefused("BUYERVIEW_SMTP", f"a message is larger than {MOST_BYTES / 1e6:.0f} MB")
    opening = smtplib.SMTP_SSL if url.scheme == "smtps" else smtplib.SMTP
    with opening(url.hostname, url.port or PORTS[url.scheme], timeout=TIMEOUT) as server:
        if url.scheme == "smtp+starttls":
            server.starttls()
        if url.username:
            server.login(unquote(url.username), setting.get("BUYERVIEW_SMTP_PASSWORD", ""))
        server.send_message(message)


def _addresses(to: str) -> tuple[Address, ...]:
    """Return the addresses of a recipient list. Raises ValueError if it contains a line break."""
    made = EmailMessage()
    made["To"] = to
    found: tuple[Address, ...] = made["To"].addresses
    return found


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode()).hexdigest()[:32]
