"""Allowed recipients of notifications. Without settings, only the sender's own domain is allowed.

    BUYERVIEW_MAIL_DOMAINS    further domains that may receive e-mail: example.org, example.net
    BUYERVIEW_NOTIFY_HOSTS    hosts that may receive webhooks: hooks.slack.com, *.example.org, 10.0.0.0/8

A host whose address is private or local is refused, unless the address or its network is listed too. The check is done
on the resolved address, and the connection goes to exactly that address, so a name server cannot change it in between.
"""

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from email.headerregistry import Address

from metrics.errors import SettingRefused

DOMAINS, HOSTS, SENDER = "BUYERVIEW_MAIL_DOMAINS", "BUYERVIEW_NOTIFY_HOSTS", "BUYERVIEW_MAIL_FROM"
Setting = Mapping[str, str]
IP = ipaddress.IPv4Address | ipaddress.IPv6Address
TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
"""IPv6 addresses that a gateway translates to the IPv4 address in their last 32 bits."""


def check_mail(addresses: Sequence[Address], setting: Setting) -> None:
    """Raise SettingRefused unless every address belongs to an allowed domain."""
    allowed = {_sender_domain(setting), *_listed(setting, DOMAINS)} - {""}
    for address in addresses:
        if _bare(address.domain) not in allowed:
            raise SettingRefused(
                DOMAINS, f"{address.addr_spec} is outside the allowed domains. Add its domain to allow it"
            )
    if not addresses:
        raise SettingRefused(DOMAINS, "a message has no valid recipient")


def check_host(host: str, setting: Setting) -> None:
    """Raise SettingRefused unless a webhook host is allowed by name, or is a listed address."""
    name, own = _bare(host), _sender_domain(setting)
    names = _listed(setting, HOSTS)
    wild = [entry.removeprefix("*") for entry in names if entry.startswith("*.")]
    if name in names or any(name.endswith(entry) for entry in [*wild, *([f".{own}"] if own else [])]) or name == own:
        return
    address = _as_ip(host)
    if address is None or not _is_listed(address, setting):
        raise SettingRefused(HOSTS, f"the host {host} is not allowed. Add it to allow webhooks to it")


def resolve(host: str, port: int, setting: Setting) -> str:
    """Return the address to connect to. Raises SettingRefused for a host that is not allowed, OSError if unknown.

    Every address of the name must be allowed, because any of them could be used next time.
    """
    check_host(host, setting)
    found = [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    for one in found:
        address = ipaddress.ip_address(one)
        if not _is_public(address) and not _is_listed(address, setting):
            raise SettingRefused(
                HOSTS, f"the host {host} has a private or local address. Add the address, or its network, to allow it"
            )
    return found[0]


def _is_public(address: IP) -> bool:
    inner = _inner_address(address)
    return inner.is_global and not inner.is_multicast


def _inner_address(address: IP) -> IP:
    """Return the IPv4 address that an IPv6 address wraps, or the address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_listed(address: IP, setting: Setting) -> bool:
    networks = [_as_network(entry) for entry in _listed(setting, HOSTS)]
    return any(network is not None and _inner_address(address) in network for network in networks)


def _as_network(entry: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return None


def _as_ip(host: str) -> IP | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _listed(setting: Setting, name: str) -> list[str]:
    return [_bare(entry) for entry in setting.get(name, "").split(",") if entry.strip()]


def _sender_domain(setting: Setting) -> str:
    return _bare(setting.get(SENDER, "").rpartition("@")[2])


def _bare(name: str) -> str:
    return name.strip().rstrip(".").lower()
