"""Which addresses are special, as an explicit table: pure facts. It may not resolve a name or read a setting.

`ipaddress.is_global` is not used: it calls NAT64, multicast and (on some versions) other special ranges global.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

IPAddress = IPv4Address | IPv6Address


class Reach(Enum):
    """What it takes to be allowed to connect to a special address."""

    LOCAL = "allow_local"
    PRIVATE = "allow_private"
    NEVER = "never"


@dataclass(frozen=True)
class Special:
    """A network that is not the public internet, and what it is for."""

    network: IPv4Network | IPv6Network
    reach: Reach
    what: str


def _table(*rows: tuple[str, Reach, str]) -> tuple[Special, ...]:
    return tuple(Special(ip_network(network), reach, what) for network, reach, what in rows)


_METADATA = "cloud metadata"
_DOCUMENTATION = "documentation"

#: The first row that holds an address is the one that counts: metadata stands before the ranges around it.
#: Source: https://www.iana.org/assignments/iana-ipv4-special-registry, and the metadata services' own manuals:
#: Alibaba Cloud 100.100.100.200, Oracle Cloud 192.0.0.192, the Azure platform 168.63.129.16.
_IPV4 = _table(
    ("169.254.0.0/16", Reach.NEVER, "link-local or cloud metadata"),
    ("100.100.100.200/32", Reach.NEVER, _METADATA),
    ("168.63.129.16/32", Reach.NEVER, _METADATA),
    ("127.0.0.0/8", Reach.LOCAL, "loopback"),
    ("10.0.0.0/8", Reach.PRIVATE, "private"),
    ("172.16.0.0/12", Reach.PRIVATE, "private"),
    ("192.168.0.0/16", Reach.PRIVATE, "private"),
    ("100.64.0.0/10", Reach.PRIVATE, "carrier-grade NAT"),
    ("0.0.0.0/8", Reach.NEVER, "unspecified"),
    ("192.0.0.0/24", Reach.NEVER, "protocol assignment"),
    ("192.0.2.0/24", Reach.NEVER, _DOCUMENTATION),
    ("192.88.99.0/24", Reach.NEVER, "6to4 relay"),
    ("198.18.0.0/15", Reach.NEVER, "benchmarking"),
    ("198.51.100.0/24", Reach.NEVER, _DOCUMENTATION),
    ("203.0.113.0/24", Reach.NEVER, _DOCUMENTATION),
    ("224.0.0.0/4", Reach.NEVER, "multicast"),
    ("255.255.255.255/32", Reach.NEVER, "broadcast"),
    ("240.0.0.0/4", Reach.NEVER, "reserved"),
)

#: Tunnels and translations that hide an IPv4 address are refused whole where they are deprecated, or where the
#: place of the hidden address cannot be told (64:ff9b:1::/48, RFC 8215); `_hidden` reads the other two.
#: Source: https://www.iana.org/assignments/iana-ipv6-special-registry, and the metadata services' own manuals:
#: AWS fd00:ec2::/32, Google Cloud fd20:ce::254, Oracle Cloud fd00:c1::a9fe:a9fe, Scaleway fd00:42::42.
_IPV6 = _table(
    ("fd00:ec2::/32", Reach.NEVER, _METADATA),
    ("fd20:ce::/64", Reach.NEVER, _METADATA),
    ("fd00:c1::a9fe:a9fe/128", Reach.NEVER, _METADATA),
    ("fd00:42::42/128", Reach.NEVER, _METADATA),
    ("::1/128", Reach.LOCAL, "loopback"),
    ("fc00::/7", Reach.PRIVATE, "private"),
    ("::/128", Reach.NEVER, "unspecified"),
    ("::/96", Reach.NEVER, "deprecated IPv4-compatible"),
    ("::ffff:0:0:0/96", Reach.NEVER, "translated IPv4"),
    ("64:ff9b:1::/48", Reach.NEVER, "local NAT64"),
    ("100::/32", Reach.NEVER, "discard"),
    ("2001::/32", Reach.NEVER, "Teredo tunnel"),
    ("2001:2::/48", Reach.NEVER, "benchmarking"),
    ("2001:db8::/32", Reach.NEVER, _DOCUMENTATION),
    ("2001::/23", Reach.NEVER, "protocol assignment"),
    ("2002::/16", Reach.NEVER, "deprecated 6to4 tunnel"),
    ("3fff::/20", Reach.NEVER, _DOCUMENTATION),
    ("fe80::/10", Reach.NEVER, "link-local"),
    ("fec0::/10", Reach.NEVER, "deprecated site-local"),
    ("ff00::/8", Reach.NEVER, "multicast"),
)
#: Everything that was ever handed out to be reached from anywhere lies in 2000::/3.
#: Source: https://www.iana.org/assignments/ipv6-address-space
_GLOBAL_UNICAST = IPv6Network("2000::/3")
_UNASSIGNED = Special(IPv6Network("::/0"), Reach.NEVER, "reserved")
_NAT64 = IPv6Network("64:ff9b::/96")
_SCOPED = Special(IPv6Network("::/0"), Reach.NEVER, "with a zone, so on one interface of this machine")


def special(address: IPAddress) -> Special | None:
    """The network that makes `address` special, or None where it is an ordinary public address."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return _SCOPED
        hidden = _hidden(address)
        if hidden is None:
            return _first(_IPV6, address) or (None if address in _GLOBAL_UNICAST else _UNASSIGNED)
        address = hidden
    return _first(_IPV4, address)


def unmapped(address: IPAddress) -> IPAddress:
    """`address`, with an IPv4-mapped one (::ffff:a.b.c.d) as the IPv4 address that it is."""
    return (address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address


def _hidden(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a connection to `address` would end at (RFC 4291, 2.5.5.2; RFC 6052, 2.1)."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped


def _first(table: tuple[Special, ...], address: IPAddress) -> Special | None:
    return next((row for row in table if address in row.network), None)
