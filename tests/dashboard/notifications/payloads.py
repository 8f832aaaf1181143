"""Checks of payloads from the vendors' documentation: Slack's Block Kit, adaptive cards in Teams, Standard Webhooks."""

import base64
import hashlib
import hmac
import json
from typing import Any

Json = dict[str, Any]


def check_slack(payload: Json) -> None:
    """Slack answers `invalid_blocks` for these faults. Source: Slack, Block Kit reference."""
    assert set(payload) == {"text", "blocks"}
    assert payload["text"]
    assert 1 <= len(payload["blocks"]) <= 50
    for block in payload["blocks"]:
        _slack_block(block)


def _slack_block(block: Json) -> None:
    kind = block["type"]
    if kind == "header":
        _slack_text(block["text"], 150)
    elif kind == "section":
        assert block.get("text") or block.get("fields")
        if "text" in block:
            _slack_text(block["text"], 3000)
        if "fields" in block:
            assert 1 <= len(block["fields"]) <= 10
            for field in block["fields"]:
                _slack_text(field, 2000)
    elif kind == "context":
        assert 1 <= len(block["elements"]) <= 10
        for element in block["elements"]:
            _slack_text(element, 3000)
    elif kind == "actions":
        assert 1 <= len(block["elements"]) <= 25
        for button in block["elements"]:
            assert set(button) == {"type", "text", "url", "action_id"}
            assert button["type"] == "button"
            assert len(button["url"]) <= 3000
            assert button["url"].startswith(("http://", "https://"))
            assert len(button["action_id"]) <= 255
            _slack_text(button["text"], 75)
    else:
        raise AssertionError(f"unknown block {kind}")


def _slack_text(text: Json, most: int) -> None:
    assert set(text) == {"type", "text", "emoji"}
    assert text["type"] == "plain_text"
    assert text["emoji"] is False
    assert 1 <= len(text["text"]) <= most


def check_teams(payload: Json) -> None:
    """A workflow refuses other envelopes, and Teams messages above 28 KB. Source: Adaptive Cards schema 1.4, Teams."""
    assert set(payload) == {"type", "attachments"}
    assert payload["type"] == "message"
    assert len(json.dumps(payload, ensure_ascii=False).encode()) <= 28_000
    (attachment,) = payload["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert card["type"] == "AdaptiveCard"
    assert card["version"] in ("1.2", "1.3", "1.4", "1.5")
    assert card["body"]
    for element in card["body"]:
        assert element["type"] == "RichTextBlock", "a TextBlock or a FactSet reads Markdown"
        assert set(element) <= {"type", "inlines", "spacing"}
        for run in element["inlines"]:
            assert set(run) <= {"type", "text", "weight", "size", "isSubtle"}
            assert run["type"] == "TextRun"
            assert run["text"]
            assert run.get("weight", "Default") in ("Lighter", "Default", "Bolder")
            assert run.get("size", "Default") in ("Small", "Default", "Medium", "Large", "ExtraLarge")
    for action in card.get("actions", []):
        assert set(action) == {"type", "title", "url"}
        assert action["type"] == "Action.OpenUrl"
        assert action["url"].startswith(("http://", "https://"))


def check_signature(headers: dict[str, str], body: bytes, secret: str) -> None:
    """Verify a message as a receiver does. Source: Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
