"""The gunicorn worker: threads, with a deadline on every request. It may not know the app or the settings.

gunicorn's own threads wait for as long as a client cares to drip, and its accepting loop lingers up to two seconds on
every connection that the client does not close. Here
- a connection holds no thread before its first byte has come,
- header and body have to come within `READ_SECONDS` of it, else the connection is cut,
- an answer that nobody reads is given up after `WRITE_SECONDS`,
- lingering is the thread's business, so that one client cannot keep the others from being accepted,
- who waits to be accepted when the worker is told to stop is still served; who comes later is refused at once.
"""

from __future__ import annotations

import errno
import json
import socket
import time
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ
from typing import Any, cast

from gunicorn import util
from gunicorn.http import RequestParser
from gunicorn.http.errors import (
    ExpectationFailed,
    ForbiddenProxyRequest,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
)
from gunicorn.workers.gthread import TConn, ThreadWorker

READ_SECONDS = 10.0
WRITE_SECONDS = 30.0
_LINGER_SECONDS = 1.0
_NO_CONNECTION = (errno.EAGAIN, errno.ECONNABORTED, errno.EWOULDBLOCK)


class TooSlow(NoMoreData):
    """The deadline of a request has passed; to gunicorn and to the app the client has gone."""


class DeadlineWorker(ThreadWorker):
    """gunicorn's gthread worker with a deadline."""

    read_seconds = READ_SECONDS
    write_seconds = WRITE_SECONDS

    def accept(self, listener: socket.socket) -> None:
        """Take one connection and let the loop wait for its first byte."""
        try:
            client, address = listener.accept()
        except OSError as gone:
            if gone.errno in _NO_CONNECTION:
                return
            raise
        self.nr_conns += 1
        client.setblocking(False)
        connection = _Connection(self.cfg, client, address, listener.getsockname())
        connection.reads.timeout_afterwards = self.write_seconds
        connection.timeout = time.monotonic() + self.read_seconds
        self.pending_conns.append(connection)
        self.poller.register(client, EVENT_READ, partial(self.on_pending_socket_readable, connection))

    def handle(self, conn: TConn) -> Any:
        """Serve one request; True where the connection is to be kept."""
        assert isinstance(conn, _Connection)
        conn.reads.deadline = time.monotonic() + self.read_seconds
        kept = super().handle(conn)
        if not kept:
            conn.linger()
        return kept

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """Answer what never became a request with a problem body that repeats nothing of it."""
        if not isinstance(exc, ParseException):
            super().handle_error(req, client, addr, exc)
            return
        self.log.warning("not an HTTP request: %s", type(exc).__name__)
        try:
            client.sendall(_problem(_status_of(exc)))
        except OSError:
            self.log.debug("the client did not wait for its refusal")

    def set_accept_enabled(self, enabled: bool | None) -> None:
        super().set_accept_enabled(enabled)
        if not self.alive:
            for listener in self.sockets:
                self._accept_all(listener)
                listener.close()

    def _accept_all(self, listener: socket.socket) -> None:
        served = -1
        while served < self.nr_conns:
            served = self.nr_conns
            self.accept(listener)

    def _cap_keepalive(self, deadline: float) -> None:
        """Stopping: connections that have sent nothing yet wait no longer than those between two requests."""
        super()._cap_keepalive(deadline)  # type: ignore[misc]  # not in the stubs
        for connection in self.pending_conns:
            connection.timeout = min(connection.timeout or deadline, deadline)


class _TimedReads:
    """The reading half of a socket, up to a deadline on the monotonic clock."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadline = 0.0
        self.missed_deadline = False
        #: The socket's time limit when nothing is being read, that is for the answer.
        self.timeout_afterwards = WRITE_SECONDS

    def recv(self, size: int) -> bytes:
        left = self.deadline - time.monotonic()
        try:
            if left <= 0:  # somebody who always has one more byte never times out
                raise TimeoutError
            self._connection.settimeout(left)
            return self._connection.recv(size)
        except TimeoutError:
            self.missed_deadline = True
            raise TooSlow from None
        finally:
            self._connection.settimeout(self.timeout_afterwards)


class _Connection(TConn):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.reads = _TimedReads(self.sock)

    def init(self) -> None:
        """Make ready for a request: gunicorn calls this before each, when it has taken the time limits away."""
        self.sock.settimeout(self.reads.timeout_afterwards)
        if not self.initialized:
            self.initialized = True
            self.parser = RequestParser(self.cfg, cast(Any, self.reads), self.client)

    def linger(self) -> None:
        """Close so that the client can still read its answer; at once where it was too slow to deserve one."""
        if self.reads.missed_deadline:
            util.close(self.sock)
        else:
            util.close_graceful(self.sock, timeout=_LINGER_SECONDS)

    def close(self, graceful: bool = False) -> None:
        util.close(self.sock)  # the loop calls this, so never lingers here


def _status_of(refused: ParseException) -> HTTPStatus:
    match refused:
        case LimitRequestLine():
            return HTTPStatus.REQUEST_URI_TOO_LONG
        case LimitRequestHeaders():
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        case ExpectationFailed():
            return HTTPStatus.EXPECTATION_FAILED
        case ForbiddenProxyRequest():
            return HTTPStatus.FORBIDDEN
    return HTTPStatus.BAD_REQUEST


def _problem(status: HTTPStatus) -> bytes:
    body = json.dumps(
        {"type": "about:blank", "title": status.phrase, "status": status, "detail": "this is not a valid HTTP request"}
    ).encode()
    head = (
        f"HTTP/1.1 {status} {status.phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
