"""The ERP and the CRM of the demo: small real servers that verify signatures and remember every webhook-id.

They may not know the bridge: what they check, they check by themselves, as the teams behind an ERP would.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from bridge.clock import Clock, SystemClock
from bridge.demo.failing import DemoFailed

LOOPBACK = "127.0.0.1"
_TOLERANCE_SECONDS = 300
_REOPEN_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What a request is about: the record, and which change of it, where the body tells."""

    name: str
    number: int | None


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a receiver answers, after `delay` seconds."""

    status: int = 204
    delay: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One request with a good signature. `status` is what was answered."""

    webhook_id: str
    subject: Subject
    body: Mapping[str, Any]
    status: int

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300


class Receiver:
    """One server on loopback; `read` says what a body is about. Closed, it refuses connections; its port stays."""

    def __init__(
        self, name: str, read: Callable[[Mapping[str, Any]], Subject], secret: bytes, *, clock: Clock | None = None
    ) -> None:
        self.name = name
        #: Requests whose signature did not verify.
        self.unsigned = 0
        self._read = read
        self._secret = secret
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._heard: list[Heard] = []
        self._reply: Callable[[Subject], Reply] = lambda subject: Reply()
        self._door = _Door(self, 0)
        self._port = self._door.server_address[1]

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}/genesys"

    @property
    def heard(self) -> list[Heard]:
        """Every request so far, in the order in which they came."""
        with self._lock:
            return list(self._heard)

    def accepted(self) -> dict[str, Heard]:
        """What was taken, each once, by webhook-id."""
        taken: dict[str, Heard] = {}
        for one in self.heard:
            if one.accepted:
                taken.setdefault(one.webhook_id, one)
        return taken

    def tries_of(self, subject: str) -> list[Heard]:
        """Every request about `subject`, also those that were not accepted."""
        return [one for one in self.heard if one.subject.name == subject]

    def taken_of(self, subject: str) -> list[Heard]:
        """What was taken about `subject`, each once."""
        return [one for one in self.accepted().values() if one.subject.name == subject]

    def replies(self, reply: Callable[[Subject], Reply]) -> None:
        """Answer like this from now on."""
        self._reply = reply

    def recovers(self) -> None:
        """Accept everything from now on."""
        self._reply = lambda subject: Reply()

    def close(self) -> None:
        """Refuse connections from now on, and cut the open ones."""
        self._door.close()

    def open(self) -> None:
        """Listen again, on the same port. Raises DemoFailed where somebody else has taken it."""
        deadline = self._clock.monotonic() + _REOPEN_SECONDS
        while True:
            try:
                self._door = _Door(self, self._port)
            except OSError as taken:
                if self._clock.monotonic() > deadline:
                    raise DemoFailed(f"another program has taken port {self._port} of the {self.name}") from taken
                time.sleep(0.05)
            else:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def take(self, headers: Message, body: bytes) -> Reply:
        """Verify, remember, and say what to answer."""
        if not self._is_signed(headers, body):
            with self._lock:
                self.unsigned += 1
            return Reply(status=401)
        told = json.loads(body)
        subject = self._read(told)
        reply = self._reply(subject)
        self.remember(Heard(webhook_id=headers["webhook-id"], subject=subject, body=told, status=reply.status))
        return reply

    def remember(self, heard: Heard) -> None:
        with self._lock:
            self._heard.append(heard)

    def _is_signed(self, headers: Message, body: bytes) -> bool:
        """Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
        webhook_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        if not stamp.isascii() or not stamp.isdigit():
            return False
        if abs(self._clock.now().timestamp() - int(stamp)) > _TOLERANCE_SECONDS:
            return False
        mac = hmac.digest(self._secret, f"{webhook_id}.{stamp}.".encode() + body, "sha256")
        expected = b"v1," + base64.b64encode(mac)
        given = headers.get("webhook-signature", "").encode().split(b" ")
        return any(hmac.compare_digest(expected, one) for one in given)


class _Door(ThreadingHTTPServer):
    """The listening socket and the connections that came through it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, receiver: Receiver, port: int) -> None:
        self.receiver = receiver
        self._connections: set[socket.socket] = set()
        super().__init__((LOOPBACK, port), _Conversation)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), name=receiver.name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A cut connection is part of the story."""


class _Conversation(BaseHTTPRequestHandler):
    """One kept-alive connection."""

    protocol_version = "HTTP/1.1"
    server: _Door

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        reply = self.server.receiver.take(self.headers, body)
        if reply.delay:
            time.sleep(reply.delay)
        self.send_response(reply.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """The demo tells what happens."""
