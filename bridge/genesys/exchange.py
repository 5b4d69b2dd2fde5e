"""One HTTP exchange: a request in, an answer read whole. It may not judge the answer.

The request goes straight through a `requests` adapter: no redirects, no cookies, no proxy and no .netrc of the
environment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import orjson
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3.exceptions import NewConnectionError

from bridge.clock import Clock
from bridge.genesys.errors import Unavailable
from bridge.genesys.wire import EXCERPT_CHARACTERS, Answer, Tally

CONNECT_SECONDS = 5.0
#: No answer of the contract comes near this; whatever does is not read to its end.
MOST_ANSWER_BYTES = 8 * 1024 * 1024

_CHUNK_BYTES = 64 * 1024


def pooled_adapter() -> HTTPAdapter:
    """Keeps connections open for as many threads as a worker has."""
    return HTTPAdapter(pool_connections=4, pool_maxsize=32, max_retries=0)


#: Told of every request that was sent, or tried to be: its operation, the answer's status (None: there was no whole
#: answer), and seconds. Called by the thread that sends; may not raise or wait.
Observer = Callable[[str, int | None, float], None]


class Exchanger:
    """Sends over one adapter. Thread-safe as the adapter is."""

    def __init__(self, *, adapter: BaseAdapter, clock: Clock, observer: Observer | None = None) -> None:
        self._adapter = adapter
        self._clock = clock
        self._observer = observer

    def exchange(self, request: requests.Request, *, seconds: float, tally: Tally) -> Answer:
        """The answer to `request`, whatever its status.

        A connection that was refused, so that nothing can have been sent, is tried once more. Raises Unavailable where
        there is no whole answer within `seconds`; its `sent` is False where the request cannot have arrived.
        """
        prepared = request.prepare()
        try:
            return self._observed(prepared, seconds, tally.operation)
        except requests.ConnectionError as error:
            if not _was_refused(error):
                raise _unavailable(error) from error
        except requests.RequestException as error:
            raise _unavailable(error) from error
        tally.repeated()
        try:
            return self._observed(prepared, seconds, tally.operation)
        except requests.RequestException as error:
            raise _unavailable(error) from error

    def _observed(self, prepared: requests.PreparedRequest, seconds: float, operation: str) -> Answer:
        if self._observer is None:
            return self._once(prepared, seconds)
        begun = self._clock.monotonic()
        status = None
        try:
            answer = self._once(prepared, seconds)
            status = answer.status
        finally:
            self._observer(operation, status, self._clock.monotonic() - begun)
        return answer

    def _once(self, prepared: requests.PreparedRequest, seconds: float) -> Answer:
        deadline = self._clock.monotonic() + seconds
        timeout = (min(CONNECT_SECONDS, seconds), seconds)
        response = self._adapter.send(prepared, stream=True, timeout=timeout, verify=True)
        try:
            body = self._read(response, deadline)
        finally:
            response.close()
        return _answer(response.status_code, response.headers, body)

    def _read(self, response: requests.Response, deadline: float) -> bytes:
        """The whole body. The timeout of `requests` begins anew with every byte, so the deadline is checked here."""
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_content(_CHUNK_BYTES):
            size += len(chunk)
            if size > MOST_ANSWER_BYTES:
                raise requests.exceptions.ContentDecodingError("larger than any answer of the contract")
            if self._clock.monotonic() > deadline:
                raise requests.ReadTimeout("the answer came too slowly")
            chunks.append(chunk)
        return b"".join(chunks)


def _answer(status: int, headers: CaseInsensitiveDict[str], body: bytes) -> Answer:
    lowered = {name.lower(): value for name, value in headers.items()}
    content = _json(body)
    context_id = content.get("contextId") if isinstance(content, dict) else None
    return Answer(
        status=status,
        headers=lowered,
        body=content,
        excerpt=body[:EXCERPT_CHARACTERS].decode("utf-8", errors="replace"),
        correlation_id=lowered.get("inin-correlation-id"),
        context_id=context_id if isinstance(context_id, str) else None,
    )


def _json(body: bytes) -> object:
    try:
        content: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return content


def _was_refused(error: requests.ConnectionError) -> bool:
    """Whether the connect itself failed at once. A connect that timed out is as unsent, but not quick to repeat."""
    if isinstance(error, requests.ConnectTimeout) or not error.args:
        return False
    return isinstance(getattr(error.args[0], "reason", None), NewConnectionError)


def _unavailable(error: requests.RequestException) -> Unavailable:
    """Named by its kind only: the text of `requests` holds the URL, and so the subject."""
    match error:
        case requests.ConnectTimeout():
            said, sent = "no connection within its time", False
        case requests.exceptions.SSLError():
            said, sent = "no TLS connection: check the certificate and the clock", False
        case requests.Timeout():
            said, sent = "no answer within its time", True
        case requests.ConnectionError() if _was_refused(error):
            said, sent = "the connection is refused or the name is not known", False
        case _:
            said, sent = "the connection was lost before a whole answer", True
    return Unavailable(f"{said} ({type(error).__name__})", sent=sent)


def bearer(token: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {token}"}
