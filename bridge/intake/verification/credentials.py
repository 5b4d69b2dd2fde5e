"""Credentials that a sender shows as they are: API key, bearer token, user and password. It may not see the body."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime

from bridge.intake.verification.headers import Headers, Unverified, only_value
from bridge.intake.verification.signatures import to_base64


@dataclass(frozen=True, kw_only=True)
class HeaderCredential:
    """One header holds one of several known values, after an authentication scheme where `scheme` names one.

    Only the SHA-256 of each value is kept and compared, so that neither content nor length shows in the time.
    """

    header: str
    #: `basic` or `bearer` (RFC 9110, section 11.1: any case, one space); None: the header is the value.
    scheme: bytes | None
    digests: tuple[bytes, ...] = field(repr=False)

    def __call__(self, headers: Headers, _body: bytes, _now: datetime) -> None:
        """Raise Unverified unless the header holds one of the values."""
        given = only_value(headers, self.header, what="credentials")
        if self.scheme is not None:
            scheme, _, given = given.partition(b" ")
            if scheme.lower() != self.scheme:
                raise _wrong(self.header)
        digest = hashlib.sha256(given).digest()
        # A list, not a generator: all values are compared, so time does not tell which of them is in use.
        if not any([hmac.compare_digest(digest, known) for known in self.digests]):  # noqa: C419
            raise _wrong(self.header)


def digest(value: str) -> bytes:
    """What is kept of a key or token."""
    return hashlib.sha256(value.encode()).digest()


def basic_digest(user: str, password: str) -> bytes:
    """What is kept of a user and password (RFC 7617, UTF-8)."""
    return hashlib.sha256(to_base64(f"{user}:{password}".encode())).digest()


def _wrong(header: str) -> Unverified:
    return Unverified(
        f"What {header} holds is not a credential of this source; check the value that was agreed.",
        cause="credentials-wrong",
    )
