"""Remove passwords from texts for people."""

import json
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_plus

if TYPE_CHECKING:
    from sqlalchemy import URL

HIDDEN = "***"
_SECRET_NAME = re.compile(
    r"pass(word|wd|phrase)$|^pass$|^pwd$|secret|token|api_?key|^BUYERVIEW_(WEBHOOK|SLACK|TEAMS)_", re.I
)
"""Names of environment variables and URL parameters whose values are secrets."""
_IN_URL = re.compile(r"(://[^\s:/@]*):\S*@")
_ASSIGNED = re.compile(
    r"""(?i)\b((?:ssl)?pass(?:word|wd|phrase)?|pwd|secret|token)(\s*=\s*)('[^']*'|"[^"]*"|[^\s&;,'")]+)"""
)


def redacted(text: str) -> str:
    """Return a text for people, without the passwords that it or the environment contains.

    Every error and every log line passes through here, because drivers quote URLs and their own reading of them.
    """
    text = _IN_URL.sub(rf"\1:{HIDDEN}@", text)
    text = _ASSIGNED.sub(rf"\1\2{HIDDEN}", text)
    for secret in sorted(_secrets(), key=len, reverse=True):
        if secret in text:
            # Short secrets, and parts of a secret, are hidden as whole words only.
            edge = "" if len(secret) >= 8 else r"(?<!\w){}(?!\w)"
            text = re.sub(edge.format(re.escape(secret)) or re.escape(secret), HIDDEN, text)
    return text


def url_text(url: "URL") -> str:
    """Return the address of a server without its password, and without options, which may contain one."""
    return redacted(url.set(query={}).render_as_string(hide_password=True))


def _secrets() -> set[str]:
    """Return the secrets in the environment: passwords of URLs, and variables whose name says so."""
    found: set[str] = set()
    for name, value in os.environ.items():
        if "://" in value:
            found.update(_secrets_of_url(value))
        if _SECRET_NAME.search(name) and name != "PWD":
            found.add(value)
            found.update(value.partition("://")[2].split("/")[1:] if "://" in value else ())
    return {secret for secret in found if len(secret) > 3}


def _secrets_of_url(address: str) -> Iterator[str]:
    """Yield the password of a URL, its parts where a driver may cut it, and every way to write it."""
    rest = address.partition("://")[2]
    before, _, query = rest.partition("?")
    # A password with an unescaped question mark leaves the @ behind it.
    login = (before if "@" in before else rest if ":" in rest.partition("@")[0] else "").rpartition("@")[0]
    user, _, password = login.partition(":")
    passwords = [password]
    for part in query.split("&"):
        name, _, value = part.partition("=")
        if _SECRET_NAME.search(name):
            passwords.append(value)
    # A password equal to the user or to the database is no secret, and messages need those names.
    known = {user, *re.split(r"[@:/?#&=]", before.rpartition("@")[2])}
    for secret in filter(None, passwords):
        written = {secret, unquote_plus(secret)}
        for one in list(written):
            written |= {*re.split(r"[@:/?#&=\s]", one), quote(one, safe=""), repr(one)[1:-1], json.dumps(one)[1:-1]}
        yield from written - known
