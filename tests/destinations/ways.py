"""Short ways to say what a test of the transport sends, and through what."""

from __future__ import annotations

import socket
from pathlib import Path
from time import monotonic
from typing import Protocol

from requests import PreparedRequest, Response
from requests.structures import CaseInsensitiveDict

from bridge.clock import Clock, SystemClock
from bridge.destinations.connections import Dialer, proxy_of
from bridge.destinations.egress import EgressGuard, Resolver, resolve
from bridge.destinations.tls import tls_for
from bridge.destinations.transport import LeanAdapter


class Closable(Protocol):
    def close(self) -> None: ...


#: Seconds that a busy machine may add to a deadline.
SLACK = 0.3
#: What a fixture closes after each test.
OPENED: list[Closable] = []


def prepared(url: str, body: bytes = b"{}", headers: dict[str, str] | None = None) -> PreparedRequest:
    request = PreparedRequest()
    request.method, request.url, request.body = "POST", url, body
    request.headers = CaseInsensitiveDict(headers or {})
    return request


def silent(connection: socket.socket) -> None:
    """A receiver's misbehaviour: say nothing until the other side hangs up."""
    connection.recv(1)


class Way:
    """A lean adapter, and the seconds that its last request took."""

    def __init__(
        self,
        *,
        allow_local: bool = True,
        allow_private: bool = False,
        resolver: Resolver = resolve,
        ca_bundle: Path | None = None,
        client_cert: Path | None = None,
        proxy: str | None = None,
        clock: Clock | None = None,
        limit: int = 4,
    ) -> None:
        clock = clock or SystemClock()
        dialer = Dialer(
            EgressGuard(allow_local=allow_local, allow_private=allow_private, resolver=resolver),
            tls=tls_for(ca_bundle, client_cert),
            now=clock.monotonic,
            proxy=proxy_of(proxy) if proxy else None,
        )
        self.adapter = LeanAdapter(dialer, limit=limit, clock=clock)
        OPENED.append(self.adapter)
        self.seconds = 0.0

    def post(
        self, url: str, body: bytes = b"{}", *, headers: dict[str, str] | None = None, timeout: float = 5
    ) -> Response:
        began = monotonic()
        try:
            return self.adapter.send(prepared(url, body, headers), timeout=timeout)
        finally:
            self.seconds = monotonic() - began

    def close(self) -> None:
        self.adapter.close()
