"""One call to the Genesys API: token, headers, pace, breaker, one answer or error. It may not know any operation."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import requests

from bridge import __version__
from bridge.clock import Clock
from bridge.genesys.breaker import Breaker
from bridge.genesys.decipher import decipher
from bridge.genesys.errors import AuthenticationFailed, RateLimited
from bridge.genesys.exchange import Exchanger, bearer
from bridge.genesys.oauth import Tokens
from bridge.genesys.pace import Pace, WriteSlots
from bridge.genesys.steps import Command
from bridge.genesys.wire import Answer, Call, Tally

USER_AGENT = f"genesys-bridge/{__version__}"


class Transport:
    """Thread-safe. Repeats a call only where that is quick and safe: once after a 401 (with a new token), once after a
    refused connection. Everything else is the caller's to repeat."""

    def __init__(
        self,
        *,
        api_url: str,
        tokens: Tokens,
        pace: Pace,
        slots: WriteSlots,
        breaker: Breaker,
        exchanger: Exchanger,
        clock: Clock,
    ) -> None:
        self._api_url = api_url
        self._tokens = tokens
        self._pace = pace
        self._slots = slots
        self._breaker = breaker
        self._exchanger = exchanger
        self._clock = clock

    def send(self, call: Call, headers: Mapping[str, str], tally: Tally) -> Answer:
        """The successful answer. Raises what `decipher` says of any other; RateLimited or Unavailable with `deferred`
        where nothing was sent."""
        with self._slots.hold(call):
            token = self._tokens.current()
            try:
                return self._once(call, {**headers, **bearer(token)}, tally)
            except AuthenticationFailed:
                tally.repeated()
            renewed = self._tokens.instead_of(token)
            return self._once(call, {**headers, **bearer(renewed)}, tally)

    def _once(self, call: Call, headers: Mapping[str, str], tally: Tally) -> Answer:
        with self._breaker.guard():
            self._pace.spend()
            answer = self._exchanger.exchange(self._request(call, headers), seconds=call.timeout, tally=tally)
            tally.answer = answer
            self._pace.learn(answer.headers)
            try:
                return decipher(answer, self._clock.now())
            except RateLimited as limited:
                if limited.retry_after is not None:
                    self._pace.hold(limited.retry_after)
                raise

    def _request(self, call: Call, headers: Mapping[str, str]) -> requests.Request:
        sent = {"Accept": "application/json", "User-Agent": USER_AGENT, **call.headers, **headers}
        body = None
        if call.body is not None:
            sent["Content-Type"] = "application/json"
            body = orjson.dumps(call.body)
        return requests.Request(call.method, self._api_url + call.path, params=call.query, headers=sent, data=body)


def headers_of(command: Command, call: Call) -> dict[str, str]:
    """What `call` says of the command that it is made for; the same on every step and try, so that a repeat is
    recognised. A read gets no idempotency key: it must never be answered with what a write was answered."""
    headers = {"X-Correlation-ID": command.correlation_id or command.id}
    if call.writes:
        headers["X-Genesys-Idempotency-Key"] = command.id
    if command.traceparent is not None:
        headers["traceparent"] = command.traceparent
    return headers
