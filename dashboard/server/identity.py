"""The person of a request: from the signed cookie of the sign-in, or from the header of a trusted proxy."""

import hashlib
import hmac
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import HTTPConnection
from streamlit.auth_util import get_cookie_with_chunks
from streamlit.web.server.starlette.starlette_app_utils import decode_signed_value
from streamlit.web.server.starlette.starlette_server_config import USER_COOKIE_NAME

from dashboard.sign_in import Provider, Proxy, SignIn

PROXY_SECRET_HEADER = "x-buyerview-proxy-secret"
"""Header in which the proxy proves itself."""


@dataclass(frozen=True)
class Identity:
    """A signed-in person. session: hash of the sign-in's cookie; "" behind a proxy, which keeps its own sessions."""

    person: str
    session: str = ""


def identify(connection: HTTPConnection, settings: SignIn) -> Identity | None:
    """Return the person of a request; None if nobody has signed in, or if the sign-in is too old."""
    if settings.provider is not None:
        return _from_cookie(connection.cookies, settings.origin, settings.provider)
    if settings.proxy is not None:
        return _from_header(connection, settings.proxy)
    return None


def session_of(cookies: dict[str, str]) -> str:
    """Return the hash of the cookie of a sign-in, valid or not; "" if there is none."""
    value = cookies.get(USER_COOKIE_NAME, "")
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest() if value else ""


def comes_from_proxy(connection: HTTPConnection, proxy: Proxy) -> bool:
    """Return True if the request comes from an address of the proxy and has the shared secret, once."""
    try:
        address = ipaddress.ip_address(connection.client.host if connection.client else "")
    except ValueError:
        return False
    given = connection.headers.getlist(PROXY_SECRET_HEADER)
    known = len(given) == 1 and hmac.compare_digest(given[0].encode("latin-1"), proxy.secret.encode())
    return known and any(address in network for network in proxy.addresses)


def _from_cookie(cookies: dict[str, str], origin: str, provider: Provider) -> Identity | None:
    """Read Streamlit's cookie: signed, not older than a session may be, and made for this address."""

    def signed(name: str) -> bytes | None:
        value = cookies.get(name, "").encode("latin-1", "replace")
        return decode_signed_value(provider.cookie_secret, name, value, max_age_days=provider.session_hours / 24)

    content = get_cookie_with_chunks(signed, USER_COOKIE_NAME)
    try:
        claims = json.loads(content or b"{}")
    except ValueError:
        return None
    person = claims.get(provider.claim)
    if not claims.get("is_logged_in") or claims.get("origin") != origin or not isinstance(person, str):
        return None
    if provider.claim == "email" and not _is_verified(claims, provider):
        return None
    return Identity(person, session_of(cookies))


def _is_verified(claims: Mapping[str, object], provider: Provider) -> bool:
    """Return True if the provider has verified the address, or is trusted without a word about it.

    At some providers everybody may enter any address. Some send the claim as text.
    """
    verified = claims.get("email_verified")
    if verified is None:
        return provider.trusts_unverified
    return verified is True or str(verified).lower() == "true"


def _from_header(connection: HTTPConnection, proxy: Proxy) -> Identity | None:
    if not comes_from_proxy(connection, proxy):
        return None
    given = connection.headers.getlist(proxy.header)
    try:
        person = given[0].encode("latin-1").decode() if len(given) == 1 else ""
    except UnicodeDecodeError:
        return None
    return Identity(person) if person.strip() else None
