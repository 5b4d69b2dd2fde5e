"""Whose address a request comes from. It believes `X-Forwarded-For` only from proxies that are trusted by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from bridge.settings.model import Network

Address = IPv4Address | IPv6Address


def peer_address(environ: Mapping[str, Any], trusted_proxies: Sequence[Network]) -> Address | None:
    """The address nearest to us that is not a trusted proxy; None where one on the way there is unreadable.

    `X-Forwarded-For` is read from its right end, where each trusted proxy wrote whom it saw.
    """
    peer = _parse(environ.get("REMOTE_ADDR") or "")
    hops = (environ.get("HTTP_X_FORWARDED_FOR") or "").split(",") if trusted_proxies else []
    while peer is not None and hops and is_in(peer, trusted_proxies):
        hop = hops.pop().strip()
        peer = _parse(hop) if hop else peer
    return peer


def is_in(address: Address | None, networks: Sequence[Network]) -> bool:
    """True where `address` is known and in one of `networks`."""
    return address is not None and any(
        address.version == network.version and address in network for network in networks
    )


def _parse(text: str) -> Address | None:
    """An address with or without port or brackets; IPv4 mapped into IPv6 is the IPv4 address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
