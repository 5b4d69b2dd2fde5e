"""The lean adapter: one prepared request of `requests` out, one bounded answer in. It may not judge the answer.

Everything that leaves for a destination leaves here, through the egress guard and under one total deadline.
No redirect is followed, no answer decompressed, no proxy of the environment used, TLS always verified.
"""

from __future__ import annotations

import contextlib
import io
import ssl
from collections.abc import Mapping
from datetime import timedelta

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

from bridge.clock import Clock
from bridge.destinations.connections import Connection, Dialer, tls_reason
from bridge.destinations.deadline import Deadline
from bridge.destinations.pool import ConnectionPool
from bridge.destinations.trouble import AnswerTimedOut, ConnectionLost, NothingAnswered, TlsLost, Trouble
from bridge.destinations.wire import Target, WireAnswer, read_answer, request_bytes, target_of

#: What sending raises once the other side has closed.
_CLOSED = (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class LeanAdapter(BaseAdapter):
    """`requests`' adapter interface over connections of our own, `limit` of them kept alive. Safe for threads.

    Usable alone (`adapter.send(prepared, timeout=5)`) or mounted on a Session. `verify`, `cert` and `proxies` of
    `send` are not looked at: they belong to the adapter, and cannot be weakened by one call.
    """

    def __init__(self, dialer: Dialer, *, limit: int, clock: Clock) -> None:
        super().__init__()
        self._dialer = dialer
        self._clock = clock
        self._pool = ConnectionPool(limit=limit, now=clock.monotonic)

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """Send `request` and read its answer within `timeout` seconds in all (of a pair: within their sum).

        Raises Trouble (each of its classes is one of requests' own); InvalidURL, InvalidSchema, InvalidHeader.
        """
        if isinstance(timeout, tuple):
            timeout = sum(part or 0.0 for part in timeout)
        if not timeout:
            raise TypeError(
                "timeout is the seconds for everything together: without one a receiver could hold us for ever"
            )
        return self.send_within(request, Deadline(timeout, self._clock))

    def send_within(self, request: PreparedRequest, deadline: Deadline) -> Response:
        """The same within a deadline that something else may have used a part of."""
        began = self._clock.monotonic()
        answer = self._exchange(request, deadline)
        return _response(request, answer, self._clock.monotonic() - began)

    def close(self) -> None:
        """Close the idle connections, and those in use when they come back."""
        self._pool.close()

    def _exchange(self, request: PreparedRequest, deadline: Deadline) -> WireAnswer:
        """One request, one answer: on a kept-alive connection where there is one, else on a fresh one.

        A kept-alive connection can be closed by its peer at the very moment in which the request leaves. Nothing is
        answered then, and whether the request was taken cannot be told, so it is sent once more on a fresh connection.
        RFC 9110, section 9.2.2, allows that only where a repeat is known to be harmless: here it is, because every
        repeat carries the same webhook-id and Idempotency-Key, and because the outbox would repeat it anyway.
        """
        target = target_of(request.url or "")
        uri, extra = self._dialer.request_line(target)
        data = request_bytes(request, target, uri=uri, extra=extra)
        kept = self._pool.take(target)
        if kept is not None:
            try:
                return self._converse(kept, target, data, request, deadline)
            except NothingAnswered:
                pass
        return self._converse(self._dialer.open(target, deadline), target, data, request, deadline)

    def _converse(
        self, connection: Connection, target: Target, data: bytes, request: PreparedRequest, deadline: Deadline
    ) -> WireAnswer:
        reusable = False
        try:
            answer = _send_and_read(connection, data, request.method or "", deadline)
            reusable = answer.reusable
            return answer
        finally:
            if reusable:
                self._pool.give(target, connection)
            else:
                connection.close()


def _send_and_read(connection: Connection, data: bytes, method: str, deadline: Deadline) -> WireAnswer:
    heard = False

    def receive(limit: int) -> bytes:
        nonlocal heard
        received = connection.receive(limit, deadline)
        heard = heard or bool(received)
        return received

    try:
        with contextlib.suppress(*_CLOSED):  # it may have answered before it closed (413, say): reading tells
            connection.send(data, deadline)
        return read_answer(receive, method)
    except Trouble:  # is an OSError too, as all of requests' exceptions are
        raise
    except TimeoutError:
        raise AnswerTimedOut(f"no whole answer within {deadline.seconds:g} s") from None
    except ssl.SSLError as error:
        raise TlsLost(f"TLS failed: {tls_reason(error)}") from None
    except OSError:
        if heard:
            raise ConnectionLost("the connection was reset in the middle of the answer") from None
        raise NothingAnswered("the connection was reset without an answer") from None


def _response(request: PreparedRequest, answer: WireAnswer, seconds: float) -> Response:
    response = Response()
    response.status_code = answer.status
    response.headers = CaseInsensitiveDict(answer.headers)
    response.encoding = get_encoding_from_headers(response.headers)
    response.raw = io.BytesIO(answer.body)
    response.url = request.url or ""
    response.request = request
    response.elapsed = timedelta(seconds=seconds)
    return response
