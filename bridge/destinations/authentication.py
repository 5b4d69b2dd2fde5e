"""How we prove who we are to a destination. It may not know what is sent.

`headers` is asked for once per try. Secrets leave this module in headers only, never in a repr or a message.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import quote_plus, urlencode

import orjson
from requests import PreparedRequest
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from bridge.destinations.deadline import Deadline
from bridge.destinations.trouble import TokenRefused, TokenUnavailable, Trouble
from bridge.settings.model import AuthSettings, Secret

T = TypeVar("T")

#: A token is renewed that long before its end, or at half of its life where that is later.
RENEW_BEFORE = 60.0
#: Where a token's answer does not say how long it lasts.
UNSAID_LIFETIME = 300.0


class Authentication(Protocol):
    def headers(self, deadline: Deadline) -> Mapping[str, str]:
        """What to add to a request now. Raises Trouble where there is nothing to be had."""
        ...

    def refused(self, headers: Mapping[str, str]) -> None:
        """Told after a 401 to a request with `headers`."""
        ...

    @property
    def header_names(self) -> tuple[str, ...]:
        """The names of what `headers` gives, for a preview."""
        ...


class Fixed:
    """The same header for every request, or none."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    def headers(self, deadline: Deadline) -> Mapping[str, str]:
        return self._headers

    def refused(self, headers: Mapping[str, str]) -> None:
        """Nothing to do: a person has to mend the configuration or the receiver."""

    @property
    def header_names(self) -> tuple[str, ...]:
        return tuple(self._headers)


@dataclass(frozen=True)
class _Token:
    header: str
    renew_at: float
    ends_at: float

    def __repr__(self) -> str:
        return "_Token(…)"


class ClientCredentials:
    """OAuth 2 client credentials (RFC 6749, section 4.4): one token, shared by all threads.

    Near its end exactly one thread renews it while the others go on with the old one.
    """

    def __init__(
        self,
        *,
        token_url: str,
        client_id: str,
        client_secret: Secret,
        scope: str | None,
        transport: BaseAdapter,
        now: Callable[[], float],
    ) -> None:
        self._request = _token_request(token_url, client_id, client_secret, scope)
        self._transport = transport
        self._now = now
        self._renewing = threading.Lock()
        self._token: _Token | None = None

    @property
    def header_names(self) -> tuple[str, ...]:
        return ("Authorization",)

    def headers(self, deadline: Deadline) -> Mapping[str, str]:
        token = self._token
        if token is None or self._now() >= token.ends_at:
            token = self._wait_for_token(deadline)
        elif self._now() >= token.renew_at:
            token = self._renew_unless_somebody_does(token, deadline)
        return {"Authorization": token.header}

    def refused(self, headers: Mapping[str, str]) -> None:
        token = self._token
        if token is not None and headers.get("Authorization") == token.header:  # not a newer one
            self._token = None

    def _wait_for_token(self, deadline: Deadline) -> _Token:
        too_late = TokenUnavailable(f"no access token within {deadline.seconds:g} s")
        if not self._renewing.acquire(timeout=deadline.seconds):
            raise too_late
        try:
            token = self._token
            if token is None or self._now() >= token.ends_at:
                token = self._token = self._fetch(deadline.left())
        except TimeoutError:
            raise too_late from None
        finally:
            self._renewing.release()
        return token

    def _renew_unless_somebody_does(self, old: _Token, deadline: Deadline) -> _Token:
        if not self._renewing.acquire(blocking=False):
            return old
        try:
            if self._token is old:
                self._token = self._fetch(deadline.left() / 2)  # the rest is for the request itself
        except (Trouble, TimeoutError):
            pass  # the old one still serves; when it ends, this is told
        finally:
            self._renewing.release()
        return self._token or old

    def _fetch(self, seconds: float) -> _Token:
        asked_at = self._now()
        try:
            response = self._transport.send(self._request, timeout=seconds)
        except Trouble as trouble:
            kind = TokenRefused if trouble.needs_a_person else TokenUnavailable
            raise kind(f"no access token: {trouble}") from None
        if response.status_code in (400, 401, 403):
            raise TokenRefused(f"no access token: the token server answered {response.status_code}")
        if response.status_code != 200:
            raise TokenUnavailable(f"no access token: the token server answered {response.status_code}")
        return _read_token(response.content, asked_at)


def _token_request(token_url: str, client_id: str, client_secret: Secret, scope: str | None) -> PreparedRequest:
    request = PreparedRequest()
    request.method = "POST"
    request.prepare_url(token_url, None)
    # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret.reveal())}"
    request.headers = CaseInsensitiveDict(
        {
            "Authorization": _basic(pair),
            "Content-Type": "application/x-www-form-urlencoded",
            "Accept": "application/json",
        }
    )
    form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
    request.body = urlencode(form).encode("ascii")
    return request


def _read_token(body: bytes, asked_at: float) -> _Token:
    """Source: https://www.rfc-editor.org/rfc/rfc6749#section-5.1."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    token = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
        raise TokenUnavailable("no access token: the token server's answer holds none")
    said = answer.get("expires_in")
    lifetime = float(said) if isinstance(said, int | float) and said > 0 else UNSAID_LIFETIME
    return _Token(
        header=f"Bearer {token}",
        renew_at=asked_at + lifetime - min(RENEW_BEFORE, lifetime / 2),
        ends_at=asked_at + lifetime,
    )


def authentication(settings: AuthSettings, *, transport: BaseAdapter, now: Callable[[], float]) -> Authentication:
    """What `settings` says, ready to use. Raises ValueError, `<key>: <rule>`, where it is incomplete.

    `transport` fetches OAuth tokens: the destination's own, so that the egress guard stands before them too.
    """
    match settings.type:
        case "none":
            return Fixed({})
        case "bearer":
            return Fixed({"Authorization": f"Bearer {_line(settings.token, 'token')}"})
        case "basic":
            user = _given(settings.user, "user")
            if ":" in user:
                raise ValueError("user: a user name of HTTP Basic cannot hold a colon")  # RFC 7617, section 2
            pair = f"{user}:{_given(settings.password, 'password').reveal()}"
            return Fixed({"Authorization": _basic(pair)})
        case "api-key":
            return Fixed({settings.header: _line(settings.token, "token")})
        case "oauth2-client-credentials":
            return ClientCredentials(
                token_url=_given(settings.token_url, "token_url"),
                client_id=_given(settings.client_id, "client_id"),
                client_secret=_given(settings.client_secret, "client_secret"),
                scope=settings.scope,
                transport=transport,
                now=now,
            )


def _given(value: T | None, key: str) -> T:
    if value is None:
        raise ValueError(f"{key}: is missing")
    return value


def _line(secret: Secret | None, key: str) -> str:
    """A secret that goes into a header as it is."""
    text = _given(secret, key).reveal()
    if not text or not text.isascii() or not text.isprintable():
        raise ValueError(f"{key}: must be printable ASCII, without a line break at its end")
    return text


def _basic(pair: str) -> str:
    return "Basic " + base64.b64encode(pair.encode()).decode("ascii")
