"""Hosts in network namespaces of their own, linked to the one of the database; nothing leaves this machine.

Every host and the database has its own loopback and a cable (veth pair) between them. Relays carry what the storm
needs across: webhooks to the hosts, deliveries from them, and PostgreSQL behind the cables. The addresses are of those
that are kept for documentation: nobody has them.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeVar

from tests.storms.reasons import NotHere

_CLONE_NEWNET = 0x40000000
_LOOPBACK = "127.0.0.1"
_PIECE = 1 << 16
_ADDRESS_BYTES = 16
_T = TypeVar("_T")


@dataclass(frozen=True)
class Place:
    """A TCP port in a namespace; None: where the storm itself is."""

    namespace: str | None
    host: str
    port: int


def enter(namespace: str) -> None:
    """Move the calling thread into `namespace`; sockets that it makes from now on are there. Raises OSError."""
    file = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(file, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")
    finally:
        os.close(file)


class Relay:
    """Passes connections to one place on to another, until closed."""

    def __init__(self, listen: Place, connect: Place) -> None:
        self._connect = connect
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = _within(listen.namespace, lambda: socket.create_server((listen.host, listen.port)))
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def forget(self) -> None:
        """Know nothing any more of the connections so far, as after a power loss; a RST each, which may get lost."""
        with self._lock:
            forgotten = list(self._open)
        for one in forgotten:
            # connect() to AF_UNSPEC dissolves a connection at once, whoever is reading from it.
            ctypes.CDLL(None).connect(one.fileno(), bytes(_ADDRESS_BYTES), _ADDRESS_BYTES)

    def _accept(self) -> None:
        while True:
            try:
                here, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._join, args=(here,), daemon=True).start()

    def _join(self, here: socket.socket) -> None:
        to = self._connect
        try:
            there = _within(to.namespace, lambda: socket.create_connection((to.host, to.port), timeout=5))
        except OSError:
            here.close()
            return
        for one in (here, there):
            one.settimeout(None)
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(here)
        back = threading.Thread(target=_pour, args=(there, here), daemon=True)
        back.start()
        _pour(here, there)
        back.join()
        with self._lock:
            self._open.discard(here)
        here.close()
        there.close()


class Network:
    """The hosts and their cables; `close` takes all of it away."""

    def __init__(self, prefix: str, hosts: Sequence[str]) -> None:
        self.hosts = list(hosts)
        self._prefix = prefix
        self._relays: list[Relay] = []
        #: By host: its way to the database.
        self._ways: dict[str, Relay] = {}

    def build(self) -> None:
        """Make the namespaces and plug in the cables. Raises NotHere."""
        for name in (*self.hosts, "db"):
            _ip("netns", "add", self.namespace(name))
            _ip("-n", self.namespace(name), "link", "set", "lo", "up")
        for number, host in enumerate(self.hosts):
            self._plug(host, number)

    def namespace(self, host: str) -> str:
        return f"{self._prefix}-{host}"

    def address_of_database(self, host: str) -> str:
        """As that host knows it."""
        return f"192.0.2.{4 * self.hosts.index(host) + 1}"

    def relay(self, listen: Place, connect: Place) -> Relay:
        self._relays.append(Relay(listen, connect))
        return self._relays[-1]

    def serve_database(self, port: int) -> None:
        """Let the PostgreSQL on the storm's own loopback be reached behind every cable."""
        for host in self.hosts:
            here = Place(self.namespace("db"), self.address_of_database(host), port)
            self._ways[host] = self.relay(here, Place(None, _LOOPBACK, port))

    def serve_receiver(self, port: int) -> None:
        """Let the receiver on the storm's own loopback be reached on the loopback of every host."""
        for host in self.hosts:
            self.relay(Place(self.namespace(host), _LOOPBACK, port), Place(None, _LOOPBACK, port))

    def open_door(self, host: str, port: int) -> None:
        """Let the web process on that host's loopback be reached on the storm's own."""
        self.relay(Place(None, _LOOPBACK, port), Place(self.namespace(host), _LOOPBACK, port))

    def cut_off(self, host: str) -> None:
        """Pull its cable: what is sent is lost, and nobody says so."""
        _ip("-n", self.namespace("db"), "link", "set", f"to-{host}", "down")

    def forget(self, host: str) -> None:
        """While it is cut off, the database's side forgets its connections: it will not be told that they are gone."""
        self._ways[host].forget()

    def join(self, host: str) -> None:
        _ip("-n", self.namespace("db"), "link", "set", f"to-{host}", "up")

    def close(self) -> None:
        for relay in self._relays:
            relay.close()
        for name in (*self.hosts, "db"):
            subprocess.run(["ip", "netns", "del", self.namespace(name)], capture_output=True, check=False)

    def _plug(self, host: str, number: int) -> None:
        here, there = self.namespace(host), self.namespace("db")
        _ip("-n", there, "link", "add", f"to-{host}", "type", "veth", "peer", "name", "to-db", "netns", here)
        for namespace, device, last in ((there, f"to-{host}", 1), (here, "to-db", 2)):
            _ip("-n", namespace, "address", "add", f"192.0.2.{4 * number + last}/30", "dev", device)
            _ip("-n", namespace, "link", "set", device, "up")


@contextmanager
def network(hosts: Sequence[str]) -> Iterator[Network]:
    """Raises NotHere where namespaces may not be made."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        raise NotHere("network namespaces take root and the command ip (Debian: iproute2)")
    made = Network(f"storm{os.getpid()}", hosts)
    try:
        made.build()
        yield made
    finally:
        made.close()


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotHere(f"network namespaces cannot be made here: {done.stderr.strip()}")


def _within(namespace: str | None, make: Callable[[], _T]) -> _T:
    """What `make` gives, called in `namespace`, by a thread that ends with it."""
    if namespace is None:
        return make()
    results: list[_T] = []
    errors: list[OSError] = []

    def run() -> None:
        try:
            enter(namespace)
            results.append(make())
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
