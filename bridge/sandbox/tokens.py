"""Access tokens: issued, expired, revoked. It may not know HTTP."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock

MOST_TOKENS = 10_000


@dataclass(frozen=True, kw_only=True)
class Token:
    text: str = field(repr=False)
    scopes: frozenset[str]
    expires_at: datetime


class Tokens:
    """Every token that is still good for something."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = Lock()
        self._live: dict[str, Token] = {}
        self._issued = 0

    def issue(self, scopes: Collection[str], expires_in: float) -> Token:
        """A fresh token; unlike ids it never follows from the seed."""
        now = self._clock()
        made = Token(
            text=secrets.token_urlsafe(32),
            scopes=frozenset(scopes),
            expires_at=now + timedelta(seconds=expires_in),
        )
        with self._lock:
            self._issued += 1
            self._live = {text: token for text, token in self._live.items() if token.expires_at > now}
            if len(self._live) >= MOST_TOKENS:
                del self._live[next(iter(self._live))]
            self._live[made.text] = made
        return made

    def find(self, text: str) -> Token | None:
        """The token, None where it was never issued, is revoked or over."""
        with self._lock:
            token = self._live.get(text)
        return token if token is not None and token.expires_at > self._clock() else None

    def revoke(self, text: str) -> None:
        """End one token."""
        with self._lock:
            self._live.pop(text, None)

    def clear(self) -> None:
        """End all of them."""
        with self._lock:
            self._live.clear()
            self._issued = 0

    def as_state(self) -> dict[str, object]:
        now = self._clock()
        with self._lock:
            live = sum(token.expires_at > now for token in self._live.values())
            return {"issued": self._issued, "live": live}
