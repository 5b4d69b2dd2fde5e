"""The egress guard: which addresses a destination may be reached at. It may not connect.

A name is resolved once per connection, every address of the answer is checked, and exactly those addresses are handed
back to connect to: a name that changes its answer between check and connect gains nothing.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from ipaddress import IPv4Address, ip_address

from bridge.destinations.deadline import Deadline
from bridge.destinations.networks import IPAddress, Reach, Special, special, unmapped
from bridge.destinations.trouble import ConnectTimedOut, EgressRefused, NameNotFound

#: From host and port to addresses as text, best first; raises OSError or ValueError where there are none.
Resolver = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> list[str]:
    """What the operating system says; blocks for as long as that takes."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def literal(host: str) -> IPAddress | None:
    """The address that `host` is where it is one and no name, in any notation (`0x7f.1`, `2130706433`, `::1`)."""
    try:
        return ip_address(host)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(host.rstrip(".")))  # what the C library takes for an address too
    except (OSError, ValueError):
        return None


class EgressGuard:
    """Turns a host into addresses that may be connected to, or refuses."""

    def __init__(self, *, allow_local: bool, allow_private: bool, resolver: Resolver = resolve) -> None:
        self._allowed = {Reach.LOCAL: allow_local, Reach.PRIVATE: allow_private, Reach.NEVER: False}
        self._lookups = _Lookups(resolver)

    def addresses(self, host: str, port: int, deadline: Deadline) -> list[IPAddress]:
        """The checked addresses of `host`, best first, at least one.

        Raises EgressRefused where any one of them is forbidden, NameNotFound, ConnectTimedOut.
        """
        known = literal(host)
        addresses = [known] if known else self._lookups.addresses(host, port, deadline)
        for address in addresses:
            self._check(host, address)
        return [unmapped(address) for address in addresses]

    def check_literal(self, host: str) -> None:
        """Check what can be checked of a host whose name somebody else (a proxy) resolves.

        Raises EgressRefused.
        """
        known = literal(host)
        if known is None and host.rstrip(".").rpartition(".")[2] == "localhost":  # RFC 6761, section 6.3
            known = IPv4Address("127.0.0.1")
        if known is not None:
            self._check(host, known)

    def _check(self, host: str, address: IPAddress) -> None:
        found = special(address)
        if found is not None and not self._allowed[found.reach]:
            raise EgressRefused(_refusal(host, found))


def _refusal(host: str, found: Special) -> str:
    refusal = f"{host} leads to a forbidden address ({found.what}, {found.network})"
    match found.reach:
        case Reach.NEVER:
            return f"{refusal}; nothing is ever sent there: correct the url or the name's DNS records"
        case Reach.LOCAL:
            return f"{refusal}: set allow_local = true if this destination really is on this machine"
        case Reach.PRIVATE:
            return f"{refusal}: set allow_private = true if this destination really is in your own network"


class _Lookups:
    """Resolves on a thread of its own, so that a name server that hangs cannot outlast a deadline.

    One look-up of a name at a time: tries that come meanwhile wait for the same answer, so a name server that is
    down holds one thread per name, not one per try.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], Future[list[IPAddress]]] = {}

    def addresses(self, host: str, port: int, deadline: Deadline) -> list[IPAddress]:
        try:
            found = self._join(host, port).result(deadline.left())
        except TimeoutError:
            raise ConnectTimedOut(f"{host} was not resolved within {deadline.seconds:g} s") from None
        except (OSError, ValueError):
            raise NameNotFound(f"the name {host} cannot be resolved") from None
        if not found:
            raise NameNotFound(f"the name {host} has no address")
        return found

    def _join(self, host: str, port: int) -> Future[list[IPAddress]]:
        with self._lock:
            running = self._running.get((host, port))
            if running is None:
                running = self._running[host, port] = Future()
                threading.Thread(target=self._look_up, args=(host, port, running), daemon=True).start()
            return running

    def _look_up(self, host: str, port: int, answer: Future[list[IPAddress]]) -> None:
        try:
            texts = dict.fromkeys(self._resolver(host, port))
            settle = partial(answer.set_result, [ip_address(text) for text in texts])
        except (OSError, ValueError) as error:
            settle = partial(answer.set_exception, error)
        finally:
            with self._lock:  # before it is settled: whoever comes after that asks anew
                del self._running[host, port]
        settle()
