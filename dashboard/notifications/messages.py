"""The content of a notification, and its formats: plain text, Slack blocks and an adaptive card for Microsoft Teams.

All texts are plain text of the format, so that a customer's name cannot mention a channel, form a link or an emoji.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dashboard.components import formatting
from dashboard.components.sentences import as_text as sentences_as_text
from dashboard.components.sentences import driver_sentence
from metrics.measures.catalog import MEASURES
from metrics.model.measure import Unit

Json = dict[str, Any]
"""A JSON object. Any: JSON."""
SLACK_HEADER, SLACK_FIELD, SLACK_FIELDS, SLACK_TEXT, SLACK_URL = 150, 2_000, 10, 3_000, 3_000
"""Slack's limits: characters of a header, a field, a text and a URL, and fields of a section."""
TEAMS_BYTES = 28_000
"""Teams refuses larger messages."""
TEAMS_TEXTS = (600, 300, 150, 75)
"""Longest text of a card: the first length with which the message stays below TEAMS_BYTES."""
TEAMS_FACTS = 15


@dataclass(frozen=True)
class Notice:
    """A notification: title, facts (name and value), notes, a link (label and URL) and a footer."""

    title: str
    facts: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    link: tuple[str, str] | None = None
    footer: str = ""


def alert_notice(subject: str, body: Mapping[str, Any]) -> Notice:
    """Return the notice of an alert, from its stored body."""
    if "measure" not in body:  # a test message
        return Notice(subject, notes=["This channel receives alerts from Buyerview."])
    unit = Unit(body["unit"])

    def number(value: float | None) -> str:
        return formatting.number(value, unit)

    of = (
        f" ({formatting.number(body['numerator'])} of {formatting.number(body['denominator'])})"
        if body["numerator"] is not None and body["denominator"]
        else ""
    )
    limit = f" {number(body['limit'])}" if body["limit"] is not None else ""
    facts = [
        (body["title"], f"{number(body['value'])}{of}"),
        ("Period", f"{body['from']} to {body['to']}"),
        ("Filters", "; ".join(f"{name} {', '.join(values)}" for name, values in body["where"]) or "all orders"),
        (f"Rule “{body['rule']}”", f"{body['condition']}{limit}"),
    ]
    facts += [("Target", number(body["target"]))] if body["target"] is not None else []
    facts += [("Prior period", number(body["before"]))] if body["before"] is not None else []
    fired = body.get("fired")
    notes = []
    if driver := body.get("driver"):
        then, now = number(driver["before"]), number(driver["after"])
        grain = MEASURES[body["measure"]].grain if body["measure"] in MEASURES else "order"
        words = driver_sentence(driver["dimension"], driver["value"], then, now, is_rise=driver["is_rise"], grain=grain)
        notes.append(sentences_as_text([words]))
    if fired:
        notes += [
            f"The alert fired at {number(fired['value'])}, {fired['from']} to {fired['to']}. "
            "It cleared before that message was sent."
        ]
    footer = f"Data version {body['generation']}. Definition: {body['definition']}"
    return Notice(subject, facts, notes, ("Show these numbers", body["link"]), footer)


def as_text(notice: Notice) -> str:
    """Return a notice as the text of an e-mail."""
    lines = [f"{name}: {value}" for name, value in notice.facts]
    lines += [*notice.notes, *([notice.footer] if notice.footer else [])]
    if notice.link is not None:
        lines += ["", f"{notice.link[0]}: {notice.link[1]}"]
    return "\n".join(lines) + "\n"


def slack(notice: Notice) -> Json:
    """Return a notice as a Slack message with blocks. The fallback text is shown in notifications."""

    def plain(text: str, most: int) -> Json:
        return {"type": "plain_text", "text": _cut(text, most), "emoji": False}

    blocks: list[Json] = [{"type": "header", "text": plain(notice.title, SLACK_HEADER)}]
    facts = [plain(f"{name}: {value}", SLACK_FIELD) for name, value in notice.facts]
    blocks += [
        {"type": "section", "fields": facts[at : at + SLACK_FIELDS]} for at in range(0, len(facts), SLACK_FIELDS)
    ]
    if notice.notes:
        blocks.append({"type": "section", "text": plain("\n".join(notice.notes), SLACK_TEXT)})
    if notice.footer:
        blocks.append({"type": "context", "elements": [plain(notice.footer, SLACK_TEXT)]})
    if notice.link is not None and len(notice.link[1]) <= SLACK_URL:
        button = {"type": "button", "text": plain(notice.link[0], 75), "url": notice.link[1], "action_id": "open"}
        blocks.append({"type": "actions", "elements": [button]})
    summary = ", ".join([notice.title, *(f"{name}: {value}" for name, value in notice.facts[:1])])
    return {"text": _slack_escaped(_cut(summary, SLACK_TEXT)), "blocks": blocks}


def _slack_escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def teams(notice: Notice) -> Json:
    """Return a notice as the message of a Teams workflow (“when a webhook request is received”): an adaptive card."""
    sizes = (_teams(notice, longest) for longest in TEAMS_TEXTS)
    return next((made for made in sizes if len(json.dumps(made).encode()) <= TEAMS_BYTES), _teams(Notice(notice.title)))


def _teams(notice: Notice, longest: int = TEAMS_TEXTS[-1]) -> Json:
    """RichTextBlock shows text as it is; TextBlock and FactSet would read Markdown."""

    def line(*runs: Json, **more: object) -> Json:
        return {"type": "RichTextBlock", "inlines": list(runs), **more}

    def run(text: str, **more: object) -> Json:
        return {"type": "TextRun", "text": _cut(text, longest), **more}

    body = [line(run(notice.title, weight="Bolder", size="Medium"))]
    body += [
        line(run(f"{name}: ", isSubtle=True), run(value, weight="Bolder"), spacing="Small")
        for name, value in notice.facts[:TEAMS_FACTS]
    ]
    body += [line(run(note)) for note in notice.notes[:TEAMS_FACTS]]
    body += [line(run(notice.footer, size="Small", isSubtle=True))] if notice.footer else []
    card: Json = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": body,
    }
    if notice.link is not None:
        card["actions"] = [{"type": "Action.OpenUrl", "title": notice.link[0], "url": notice.link[1]}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _cut(text: str, most: int) -> str:
    """Return a text in one piece of at most `most` characters, never empty."""
    text = text.strip() or formatting.DASH
    return text if len(text) <= most else f"{text[: most - 1]}…"
