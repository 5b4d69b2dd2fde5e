"""The access token: fetched by client credentials, kept, renewed in time by one thread. It may not call the API.

Source: https://developer.genesys.cloud/authorization/platform-auth/use-client-credentials, RFC 6749 section 4.4
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

import requests
from requests.auth import HTTPBasicAuth

from bridge.clock import Clock
from bridge.genesys.decipher import decipher
from bridge.genesys.errors import GenesysError, Unavailable
from bridge.genesys.exchange import Exchanger
from bridge.genesys.wire import Tally
from bridge.settings.model import Secret

RENEW_SECONDS_EARLY = 60.0
TOKEN_SECONDS = 10.0
#: After a renewal that failed while the old token still serves.
PAUSE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class _Token:
    text: str = field(repr=False)
    #: On the monotonic clock.
    renew_at: float
    ends_at: float


class Tokens:
    """One client's token, shared by all threads. Nothing is fetched before the first call."""

    def __init__(
        self,
        *,
        url: str,
        client_id: str,
        client_secret: Secret,
        scopes: Iterable[str] = (),
        exchanger: Exchanger,
        clock: Clock,
    ) -> None:
        """`url` is the token endpoint; without `scopes` none are asked for."""
        self._url = url
        self._client = (client_id, client_secret)
        self._scope = " ".join(sorted(scopes))
        self._exchanger = exchanger
        self._clock = clock
        self._fetching = threading.Lock()
        self._token: _Token | None = None

    def current(self) -> str:
        """A token that is still good. Within its last minute exactly one thread renews it, the others use the old one.

        Raises AuthenticationFailed, Unavailable, RateLimited where none can be had.
        """
        token = self._token
        now = self._clock.monotonic()
        if token is None or now >= token.ends_at:
            return self._replaced(token)
        if now >= token.renew_at and self._fetching.acquire(blocking=False):
            try:
                if self._token is token:  # else another thread has just been here
                    self._renew_early(token)
            finally:
                self._fetching.release()
        return (self._token or token).text

    def instead_of(self, refused: str) -> str:
        """A token other than `refused`, which the API did not accept: fetched once, however many threads ask."""
        token = self._token
        return self._replaced(token) if token is None or token.text == refused else token.text

    def _replaced(self, seen: _Token | None) -> str:
        with self._fetching:
            if self._token is None or self._token is seen:
                self._token = self._fetch()
            return self._token.text

    def _renew_early(self, old: _Token) -> None:
        try:
            self._token = self._fetch()
        except GenesysError:
            # The old one serves until its end; whoever comes after that hears the error.
            again_at = self._clock.monotonic() + PAUSE_SECONDS
            self._token = _Token(text=old.text, renew_at=again_at, ends_at=old.ends_at)

    def _fetch(self) -> _Token:
        client_id, client_secret = self._client
        form = {"grant_type": "client_credentials", **({"scope": self._scope} if self._scope else {})}
        auth = HTTPBasicAuth(client_id, client_secret.reveal())
        request = requests.Request("POST", self._url, data=form, auth=auth, headers={"Accept": "application/json"})
        answer = self._exchanger.exchange(request, seconds=TOKEN_SECONDS, tally=Tally(operation="oauth.token"))
        fields = decipher(answer, self._clock.now()).fields
        text, lifetime = fields.get("access_token"), fields.get("expires_in")
        if not isinstance(text, str) or not isinstance(lifetime, int | float):
            # Without the answer: its excerpt could hold the token.
            raise Unavailable("the token endpoint gave no access_token with expires_in")
        now = self._clock.monotonic()
        early = min(RENEW_SECONDS_EARLY, lifetime / 2)
        return _Token(text=text, renew_at=now + lifetime - early, ends_at=now + lifetime)
