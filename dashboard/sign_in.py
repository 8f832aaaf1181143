"""Settings of the sign-in, read from environment variables: who may reach the dashboard, and how a person is known."""

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, urlsplit

from metrics.errors import SettingRefused

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Host names of this machine, as in an address."""
PERSON_HEADER = "X-Buyerview-Person"
"""Header in which the gate names the person to a page. The gate removes it from every request that comes in."""
SESSION_HEADER = "X-Buyerview-Session"
"""Header in which the gate names the sign-in to a page."""
SHORTEST_SECRET = 32
"""Fewest characters of a secret."""

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Mode(StrEnum):
    """How a person signs in."""

    NONE = "none"
    OIDC = "oidc"
    PROXY = "proxy"


@dataclass(frozen=True)
class Provider:
    """An OpenID provider, and this dashboard's registration there. claim: the claim that names the person."""

    metadata_url: str
    client_id: str
    client_secret: str
    cookie_secret: str
    claim: str
    session_hours: float
    trusts_unverified: bool = False
    """True if an address counts without the claim email_verified. With the claim as false it never counts."""


@dataclass(frozen=True)
class Proxy:
    """A proxy that signs people in. header: the header with the person. addresses: where the proxy connects from."""

    header: str
    secret: str
    addresses: tuple[Network, ...]


@dataclass(frozen=True)
class SignIn:
    """How people sign in. origin: scheme, host and port of the public address; "" without sign-in.

    hosts: further host names that a proxy may use.
    """

    mode: Mode = Mode.NONE
    origin: str = ""
    hosts: tuple[str, ...] = ()
    provider: Provider | None = None
    proxy: Proxy | None = None


def read_settings(environment: Mapping[str, str] = os.environ) -> SignIn:
    """Return the settings. Raises SettingRefused for one that is missing, unusable or insecure."""
    text = environment.get("BUYERVIEW_AUTH", "").strip() or Mode.NONE
    if text not in list(Mode):
        raise SettingRefused("BUYERVIEW_AUTH", f"{text!r} is unknown. Set none, oidc or proxy")
    mode = Mode(text)
    named = environment.get("BUYERVIEW_ALLOWED_HOSTS", "")
    hosts = tuple(host.strip().lower() for host in named.split(",") if host.strip())
    if any("*" in host for host in hosts):
        raise SettingRefused(
            "BUYERVIEW_ALLOWED_HOSTS", "'*' lets every web page in. Set BUYERVIEW_ALLOWED_HOSTS=dashboard.example.com"
        )
    if mode is Mode.NONE:
        if others := [host for host in hosts if host not in LOOPBACK]:
            raise SettingRefused(
                "BUYERVIEW_ALLOWED_HOSTS",
                f"{', '.join(others)} is not this machine, and without a sign-in only this machine may use the "
                "dashboard. Set BUYERVIEW_AUTH=oidc or BUYERVIEW_AUTH=proxy (docs/access.md)",
            )
        return SignIn()
    origin = _origin(environment)
    if mode is Mode.OIDC:
        return SignIn(mode, origin, hosts, provider=_provider(environment))
    return SignIn(mode, origin, hosts, proxy=_proxy(environment))


def check_host(mode: Mode, host: str) -> None:
    """Raise SettingRefused if the server may not listen at this address without a sign-in."""
    if mode is Mode.NONE and not is_loopback(host):
        raise SettingRefused(
            "--host",
            f"{host} can be reached from other machines, and without a sign-in everybody there could read and change "
            "everything. Set BUYERVIEW_AUTH=oidc or BUYERVIEW_AUTH=proxy (docs/access.md), or leave out --host",
        )


def is_loopback(host: str) -> bool:
    """Return True if a host name or address is this machine only."""
    if host.lower() in LOOPBACK:
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _origin(environment: Mapping[str, str]) -> str:
    address = _required(environment, "BUYERVIEW_URL", "the public address, for example https://dashboard.example.com")
    parts = _address("BUYERVIEW_URL", address)
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SettingRefused("BUYERVIEW_URL", f"{address} has a path. Give the dashboard a host name of its own")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _address(name: str, address: str) -> SplitResult:
    """Return the parts of an address. Raises SettingRefused if it is none, or if others can read what it carries."""
    try:
        parts = urlsplit(address)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.username is not None:
        raise SettingRefused(name, f"{address!r} is no address. Write it like https://dashboard.example.com")
    if parts.scheme == "http" and not is_loopback(host):
        raise SettingRefused(name, f"{address} is not encrypted. Use https")
    return parts


def _provider(environment: Mapping[str, str]) -> Provider:
    issuer = _required(environment, "BUYERVIEW_OIDC_ISSUER", "the address of the OpenID provider")
    _address("BUYERVIEW_OIDC_ISSUER", issuer)
    hours = environment.get("BUYERVIEW_SESSION_HOURS", "12")
    try:
        length = float(hours)
        if not 0 < length <= 24 * 30:
            raise ValueError
    except ValueError:
        raise SettingRefused("BUYERVIEW_SESSION_HOURS", f"{hours!r} is no number of hours from 0 to 720") from None
    return Provider(
        metadata_url=issuer.rstrip("/").removesuffix("/.well-known/openid-configuration")
        + "/.well-known/openid-configuration",
        client_id=_required(environment, "BUYERVIEW_OIDC_CLIENT_ID", "the client id that the provider gave"),
        client_secret=_required(environment, "BUYERVIEW_OIDC_CLIENT_SECRET", "the secret that the provider gave"),
        cookie_secret=_secret(environment, "BUYERVIEW_COOKIE_SECRET"),
        claim=environment.get("BUYERVIEW_OIDC_CLAIM", "").strip() or "email",
        session_hours=length,
        trusts_unverified=_yes_or_no(environment, "BUYERVIEW_OIDC_TRUST_EMAIL"),
    )


def _proxy(environment: Mapping[str, str]) -> Proxy:
    name = "BUYERVIEW_PROXY_ADDRESSES"
    texts = _required(environment, name, "the addresses from which the proxy connects, for example 127.0.0.1")
    try:
        addresses = tuple(ipaddress.ip_network(text.strip()) for text in texts.split(",") if text.strip())
    except ValueError as error:
        raise SettingRefused(name, f"{error}. Write addresses like 127.0.0.1 or 10.0.0.0/24") from error
    return Proxy(
        header=(environment.get("BUYERVIEW_PROXY_HEADER", "").strip() or "X-Forwarded-User").lower(),
        secret=_secret(environment, "BUYERVIEW_PROXY_SECRET"),
        addresses=addresses,
    )


def _yes_or_no(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name, "").strip().lower()
    if value not in ("", "yes", "no"):
        raise SettingRefused(name, f"{value!r} is unknown. Set yes or no")
    return value == "yes"


def _required(environment: Mapping[str, str], name: str, what: str) -> str:
    value = environment.get(name, "").strip()
    if not value:
        raise SettingRefused(name, f"is not set. Set it to {what} (docs/access.md)")
    return value


def _secret(environment: Mapping[str, str], name: str) -> str:
    advice = "32 random characters, for example from `openssl rand -hex 32`"
    value = _required(environment, name, advice)
    if len(value) < SHORTEST_SECRET:
        raise SettingRefused(name, f"has fewer than {SHORTEST_SECRET} characters. Set it to {advice}")
    return value
