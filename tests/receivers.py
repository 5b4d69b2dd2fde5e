"""A programmable receiver: a real HTTP server on loopback. It may not import the bridge.

with Receiver() as erp:                              # answers 204 to everything
    post(erp.url + "/genesys", body)
    [request] = erp.wait_for(1)
    assert request.headers["webhook-id"] == "…"

erp.answers(500, Answer(429, {"Retry-After": "7"}))  # a queue: the next two answers, then the default again
erp.answer = lambda request: 404 if request.json()["id"] == "bad" else 204     # or a function, for ever
erp.answers(hang_up)                                 # a misbehaviour: it is handed the raw socket
erp.stop(); erp.start()                              # an outage; the port, and so `erp.url`, stays the same
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from io import BufferedReader
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as it came in. `headers` ignores the case of names; `connection` counts from 1."""

    method: str
    path: str
    headers: http.client.HTTPMessage
    body: bytes
    connection: int
    #: `time.monotonic()` when the request was complete.
    at: float

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """What to answer; `Content-Length` is added. `delay` seconds pass before anything is sent."""

    status: int = 204
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes = b""
    delay: float = 0.0


#: A misbehaviour is handed the connection after the request was read; the connection is closed after it.
Misbehaviour = Callable[[socket.socket], None]
Scripted = int | Answer | Misbehaviour


def hang_up(connection: socket.socket) -> None:
    """Close in an orderly way (FIN) without an answer."""


def reset(connection: socket.socket) -> None:
    """Close with RST, without an answer."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Receiver:
    """A server on 127.0.0.1 with a free port: keep-alive, one thread per connection, everything recorded."""

    def __init__(
        self, answer: Callable[[Received], Scripted] | None = None, *, tls: ssl.SSLContext | None = None
    ) -> None:
        #: Asked when no answer is queued; called by several threads at once. None: 204.
        self.answer = answer
        #: Every request so far, in the order of arrival.
        self.requests: list[Received] = []
        #: Connections accepted so far.
        self.connections = 0
        self.port = 0
        self._tls = tls
        self._queue: deque[Scripted] = deque()
        self._changed = threading.Condition()
        self._listener: socket.socket | None = None
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """`http(s)://127.0.0.1:<port>`, without a slash at the end."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def open_connections(self) -> int:
        """Connections that neither side has closed."""
        with self._changed:
            return len(self._open)

    def answers(self, *answers: Scripted) -> None:
        """Queue answers: a status, an `Answer` or a misbehaviour, one for each request to come."""
        with self._changed:
            self._queue.extend(answers)

    def wait_for(self, count: int, timeout: float = 5.0) -> list[Received]:
        """The requests, as soon as there are at least `count`; fails the test after `timeout` seconds."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.requests) >= count, timeout)
            assert arrived, f"{len(self.requests)} of {count} requests arrived within {timeout} s"
            return list(self.requests)

    def wait_until_idle(self, timeout: float = 5.0) -> None:
        """Wait until every connection is closed; fails the test after `timeout` seconds."""
        with self._changed:
            closed = self._changed.wait_for(lambda: not self._open, timeout)
            assert closed, f"{len(self._open)} connections still open after {timeout} s"

    def start(self) -> None:
        """Listen; again on the same port after a `stop`."""
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        self._spawn(self._accept, self._listener)

    def stop(self) -> None:
        """Refuse new connections and drop the open ones."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the accepting thread; close alone would not
        listener.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(5)
        self._threads.clear()

    def drop_connections(self) -> None:
        """Close every open connection, as a server does whose keep-alive time is over."""
        with self._changed:
            open_now = list(self._open)
        for connection in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Receiver:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                if self._listener is not listener:  # stopped between accept and here
                    connection.close()
                    return
                self.connections += 1
                number = self.connections
                self._open.add(connection)
            self._spawn(self._serve, connection, number)

    def _serve(self, plain: socket.socket, number: int) -> None:
        connection = plain
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_side=True)
                with self._changed:
                    self._open.discard(plain)  # wrapping moves the file descriptor
                    self._open.add(connection)
            with connection.makefile("rb") as stream:
                while self._exchange(connection, stream, number):
                    pass
        except (OSError, ValueError, http.client.HTTPException):
            pass  # the other side is gone or speaks no HTTP: nothing to answer
        finally:
            connection.close()
            with self._changed:
                self._open.discard(connection)
                self._changed.notify_all()

    def _exchange(self, connection: socket.socket, stream: BufferedReader, number: int) -> bool:
        """Serve one request; True where the connection may carry another."""
        line = stream.readline(65537)
        if not line:
            return False
        method, path, _ = line.decode("latin-1").split(" ", 2)
        headers = http.client.parse_headers(stream)
        if headers.get("Expect", "").lower() == "100-continue":
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = _read_body(stream, headers)
        request = Received(method, path, headers, body, number, time.monotonic())
        with self._changed:
            self.requests.append(request)
            scripted = self._queue.popleft() if self._queue else None
            self._changed.notify_all()
        if scripted is None:
            scripted = self.answer(request) if self.answer else 204
        if not isinstance(scripted, int | Answer):
            scripted(connection)
            return False
        answer = Answer(scripted) if isinstance(scripted, int) else scripted
        if answer.delay:
            time.sleep(answer.delay)
        connection.sendall(_encoded(answer))
        asked_to_close = headers.get("Connection", "").lower() == "close"
        return not asked_to_close and answer.headers.get("Connection", "").lower() != "close"


def _read_body(stream: BufferedReader, headers: http.client.HTTPMessage) -> bytes:
    if headers.get("Transfer-Encoding", "").lower() != "chunked":
        return stream.read(int(headers.get("Content-Length", "0")))
    chunks = []
    while size := int(stream.readline().split(b";")[0], 16):
        chunks.append(stream.read(size))
        stream.readline()
    while stream.readline() not in (b"\r\n", b""):
        pass
    return b"".join(chunks)


def _encoded(answer: Answer) -> bytes:
    phrase = HTTPStatus(answer.status).phrase if answer.status in set(HTTPStatus) else "Unknown"
    lines = [
        f"HTTP/1.1 {answer.status} {phrase}",
        *(f"{name}: {text}" for name, text in answer.headers.items()),
    ]
    if answer.status != 204 and "Content-Length" not in answer.headers:
        lines.append(f"Content-Length: {len(answer.body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body
