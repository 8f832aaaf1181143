"""Responses of the gate to requests that it does not pass on: a page for people, a line of text for everything else."""

from html import escape
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, PlainTextResponse, Response

SIGN_IN = "/sign-in"
SIGN_OUT = "/auth/logout"
PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} · Buyerview</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<style>
body {{ font: 16px/1.5 Inter, system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: light-dark(#f4f6fa, #0e1524); color: light-dark(#172033, #e6eaf3) }}
main {{ max-width: 26rem; margin: 1rem; padding: 2rem; border-radius: .6rem; background: light-dark(#fff, #151d2e) }}
h1 {{ font-size: 1.4rem; margin: 0 0 .5rem }}
a {{ display: inline-block; margin-top: .5rem; padding: .5rem 1rem; border-radius: .5rem; text-decoration: none;
  background: #2450d6; color: #fff }}
</style></head><body><main><h1>{title}</h1><p>{text}</p>{link}</main></body></html>
"""


def refuse(
    connection: HTTPConnection, status: int, title: str, text: str, *, link: tuple[str, str] = ("", "")
) -> Response:
    """Return the refusal. link: label and address of the link below the text."""
    headers = {"cache-control": "no-store"}
    if not wants_page(connection):
        return PlainTextResponse(f"{title}. {text}", status, headers)
    label, address = link
    anchor = f'<a href="{escape(address)}">{escape(label)}</a>' if label else ""
    return HTMLResponse(PAGE.format(title=escape(title), text=escape(text), link=anchor), status, headers)


def not_signed_in(connection: HTTPConnection, *, can_sign_in: bool) -> Response:
    """Return the page that offers the sign-in and leads back to the requested address afterwards."""
    if not can_sign_in:
        return refuse(connection, 401, "Not signed in", "The proxy did not name a person. Sign in there first.")
    asked = connection.url.path + (f"?{connection.url.query}" if connection.url.query else "")
    back = f"?next={quote(asked, safe='')}" if wants_page(connection) and asked != "/" else ""
    text = "Service levels as the buyer sees them."
    return refuse(connection, 401, "Sign in to Buyerview", text, link=("Sign in", SIGN_IN + back))


def no_access(connection: HTTPConnection, person: str, *, can_sign_out: bool) -> Response:
    """Return the page for a signed-in person without access."""
    text = f"You are signed in as {person}. Ask an administrator to give you access."
    link = ("Sign out", SIGN_OUT) if can_sign_out else ("", "")
    return refuse(connection, 403, "No access", text, link=link)


def wants_page(connection: HTTPConnection) -> bool:
    """Return True if a browser asks for a page, not for a file of a page."""
    return connection.scope.get("method") == "GET" and "text/html" in connection.headers.get("accept", "")
