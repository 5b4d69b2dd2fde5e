"""TCP and TLS connections to checked addresses, all under one deadline. It may not speak HTTP but to a proxy.

Connecting is translated to `Trouble` here; what goes wrong on a connection that stands is left to `transport`, which
knows how far the request had got.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from requests import RequestException

from bridge.destinations.deadline import Deadline
from bridge.destinations.egress import EgressGuard
from bridge.destinations.networks import IPAddress
from bridge.destinations.trouble import ConnectFailed, ConnectTimedOut, ProxyFailed, TlsFailed
from bridge.destinations.wire import Target, read_answer


class Connection:
    """One open connection. Its operations raise TimeoutError at the deadline and OSError otherwise."""

    __slots__ = ("_socket", "opened_at", "used_at")

    def __init__(self, opened: socket.socket, now: float) -> None:
        self._socket = opened
        #: On the monotonic clock.
        self.opened_at = self.used_at = now

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of `data`."""
        rest = memoryview(data)
        while rest:
            self._socket.settimeout(deadline.left())
            rest = rest[self._socket.send(rest) :]

    def receive(self, limit: int, deadline: Deadline) -> bytes:
        """What comes next, at most `limit` bytes; b"" at the end."""
        self._socket.settimeout(deadline.left())
        return self._socket.recv(limit)

    def is_quiet(self) -> bool:
        """True while nothing has arrived: on an idle connection anything is its end, or does not belong to us."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy. `authorization` is the Proxy-Authorization header's line, or empty."""

    host: str
    port: int
    authorization: str

    def __repr__(self) -> str:
        return f"Proxy({self.host}:{self.port})"


def proxy_of(url: str) -> Proxy:
    """The proxy at `url`: `http://[user:password@]host:port`. Raises ValueError where it is not that."""
    try:
        parts = urlsplit(url)
        port = parts.port or 3128
    except ValueError:  # its message would show what stands where the port should
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError("a proxy's url is http://host:port")
    authorization = ""
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        authorization = f"Proxy-Authorization: Basic {base64.b64encode(pair).decode()}\r\n"
    return Proxy(parts.hostname, port, authorization)


class Dialer:
    """Opens connections: resolve, check, connect, tunnel through the proxy where there is one, TLS.

    A proxy resolves the target's name itself, so of the target only a literal address is checked then; the proxy's
    own address, which the configuration names, may be local or private, but nothing worse.
    """

    def __init__(
        self,
        guard: EgressGuard,
        *,
        tls: Callable[[], ssl.SSLContext],
        now: Callable[[], float],
        proxy: Proxy | None = None,
        proxy_guard: EgressGuard | None = None,
    ) -> None:
        self._guard = guard
        self._tls = tls
        self._now = now
        self._proxy = proxy
        self._proxy_guard = proxy_guard or EgressGuard(allow_local=True, allow_private=True)

    def open(self, target: Target, deadline: Deadline) -> Connection:
        """A fresh connection that a request to `target` can be sent on. Raises Trouble that was not `sent`."""
        opened = self._dial(target, deadline)
        try:
            if target.scheme == "https":
                if self._proxy is not None:
                    _tunnel(Connection(opened, 0.0), self._proxy, target, deadline)
                opened = _secured(opened, self._tls(), target.host, deadline)
        except BaseException:
            opened.close()
            raise
        return Connection(opened, self._now())

    def request_line(self, target: Target) -> tuple[str, str]:
        """The request-target and additional header lines of a request to `target`."""
        if self._proxy is None or target.scheme == "https":
            return target.path, ""
        return f"http://{target.authority}{target.path}", self._proxy.authorization

    def _dial(self, target: Target, deadline: Deadline) -> socket.socket:
        if self._proxy is None:
            addresses = self._guard.addresses(target.host, target.port, deadline)
            return _connect(addresses, target.host, target.port, deadline)
        self._guard.check_literal(target.host)
        addresses = self._proxy_guard.addresses(self._proxy.host, self._proxy.port, deadline)
        return _connect(addresses, self._proxy.host, self._proxy.port, deadline)


def _connect(addresses: list[IPAddress], host: str, port: int, deadline: Deadline) -> socket.socket:
    """The first of `addresses` that answers; each gets an equal share of what is left, so that one which is
    unreachable does not use up the time of the next."""
    last: OSError = TimeoutError()
    for waiting, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        opened = socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET)
        try:
            opened.settimeout(deadline.left() / waiting)
            opened.connect((str(address), port))
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            opened.close()
            last = error
        else:
            return opened
    if isinstance(last, TimeoutError):
        raise ConnectTimedOut(f"no connection to {host} within {deadline.seconds:g} s")
    raise ConnectFailed(f"no connection to {host}: {(last.strerror or 'failed').lower()}")


def _secured(opened: socket.socket, context: ssl.SSLContext, host: str, deadline: Deadline) -> ssl.SSLSocket:
    try:
        opened.settimeout(deadline.left())
        return context.wrap_socket(opened, server_hostname=host.rstrip("."))
    except TimeoutError:
        raise ConnectTimedOut(f"no TLS connection to {host} within {deadline.seconds:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise TlsFailed(f"the certificate of {host} is not accepted: {error.verify_message}") from None
    except (OSError, ValueError) as error:  # ValueError: a host that cannot be a server name
        raise TlsFailed(f"no TLS with {host}: {tls_reason(error)}") from None


def tls_reason(error: Exception) -> str:
    """OpenSSL's stable reason as words (`wrong version number`); it holds nothing that a peer has sent."""
    reason = error.reason if isinstance(error, ssl.SSLError) else None
    return (reason or "the connection was closed").lower().replace("_", " ")


def _tunnel(connection: Connection, proxy: Proxy, target: Target, deadline: Deadline) -> None:
    """Ask the proxy for a tunnel (RFC 9110, section 9.3.6)."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    ask = f"CONNECT {host}:{target.port} HTTP/1.1\r\nHost: {host}:{target.port}\r\n{proxy.authorization}\r\n"
    try:
        connection.send(ask.encode("latin-1"), deadline)
        answer = read_answer(lambda limit: connection.receive(limit, deadline), "CONNECT")
    except TimeoutError:
        raise ConnectTimedOut(f"no answer of the proxy {proxy.host} within {deadline.seconds:g} s") from None
    except (OSError, RequestException):
        raise ProxyFailed(f"the proxy {proxy.host} closed the connection or does not speak HTTP") from None
    if not 200 <= answer.status < 300:
        raise ProxyFailed(f"the proxy {proxy.host} answered {answer.status} to CONNECT")
