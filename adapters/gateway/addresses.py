"""May the gateway connect to this address? Decided by the address itself, however it is written or was resolved.

An address inside another (mapped, NAT64, 6to4) is judged as the one that is inside.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from core.model.errors import ConfigError


class Verdict(Enum):
    """PUBLIC: anyone's. PRIVATE: of this machine or its neighbours, for what is configured so. NEVER: nobody's."""

    PUBLIC = "public"
    PRIVATE = "private"
    NEVER = "never"


class AddressRefused(OSError):
    """A connection that is not to be made."""


_NEVER = tuple(
    ip_network(each)
    for each in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local, and where clouds tell machines their credentials
        "100.100.100.200/32",  # the same at Alibaba
        "168.63.129.16/32",  # the same at Azure
        "192.0.0.192/32",  # the same at Oracle
        "192.0.0.0/24",
        "192.88.99.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fe80::/10",
        "fec0::/10",
        "fd00:ec2::/32",  # the same at Amazon
        "fd20:ce::/32",  # the same at Google
        "ff00::/8",
        "100::/64",
        "2001::/32",  # Teredo
        "2001:db8::/32",
        "5f00::/16",
    )
)
_PRIVATE = tuple(
    ip_network(each)
    for each in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "::1/128",
        "fc00::/7",
    )
)
_NAT64 = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))
_SIX_TO_FOUR = ip_network("2002::/16")
_COMPATIBLE = ip_network("::/96")
_ISATAP = 0x5EFE


def judge(address: str) -> Verdict:
    """Of what a resolver answered, or of the host in an address. What is no address at all is refused."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return Verdict.NEVER
    return _judge(found)


def _judge(found: IPv4Address | IPv6Address) -> Verdict:
    if isinstance(found, IPv6Address) and int(found) > 1 and (inside := _inside(found)) is not None:
        return _judge(inside)
    if any(found in each for each in _NEVER if each.version == found.version):
        return Verdict.NEVER
    if any(found in each for each in _PRIVATE if each.version == found.version):
        return Verdict.PRIVATE
    return Verdict.PUBLIC if found.is_global else Verdict.NEVER


def _inside(found: IPv6Address) -> IPv4Address | None:
    low = IPv4Address(int(found) & 0xFFFFFFFF)
    if found.ipv4_mapped is not None or found in _COMPATIBLE or any(found in each for each in _NAT64):
        return low
    if found in _SIX_TO_FOUR:
        return IPv4Address((int(found) >> 80) & 0xFFFFFFFF)
    if (int(found) >> 32) & 0xFFFF == _ISATAP and (int(found) >> 48) & 0xFCFF == 0:
        return low
    return None


def is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def reach_of(name: str, host: str, private_hosts: tuple[str, ...]) -> frozenset[Verdict]:
    """What an upstream at this host may resolve to. Who wrote a private address meant it. ConfigError: never."""
    if is_literal(host):
        verdict = judge(host)
        if verdict is Verdict.NEVER:
            raise ConfigError(f"{name}: {host} is an address that is never called.")
        return frozenset({verdict})
    if host.lower() == "localhost" or host.lower() in private_hosts:
        return frozenset({Verdict.PUBLIC, Verdict.PRIVATE})
    return frozenset({Verdict.PUBLIC})
