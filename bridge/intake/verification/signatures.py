"""Signatures over the exact raw body: constant time, fail closed. It may not know a source or the settings.

Every comparison is made on the encoded text: what does not look exactly like our own encoding of the digest (missing
padding, spare bits, white space, another alphabet) cannot match.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bridge.intake.verification.headers import Headers, Unverified, malformed, only_value

_UNIX_SECONDS = re.compile(rb"[0-9]{1,12}")


def to_base64(digest: bytes) -> bytes:
    """Standard base64 with padding (RFC 4648, section 4)."""
    return binascii.b2a_base64(digest, newline=False)


def to_hex(digest: bytes) -> bytes:
    """Lower-case hexadecimal digits."""
    return binascii.hexlify(digest)


@dataclass(frozen=True, kw_only=True)
class BodySignature:
    """`<prefix><encoded HMAC>` in one header, over the body or over `<timestamp><joiner><body>`.

    Source: https://developer.genesys.cloud/commdigital/digital/openmessaging/validate.html (hub-sha256)
    """

    header: str
    prefix: bytes
    #: `sha1`, `sha256` or `sha512`.
    algorithm: str
    encode: Callable[[bytes], bytes]
    secrets: tuple[bytes, ...] = field(repr=False)
    timestamp_header: str | None = None
    joiner: bytes = b"."
    tolerance: timedelta = timedelta(seconds=300)

    def __call__(self, headers: Headers, body: bytes, now: datetime) -> None:
        """Raise Unverified unless one of the secrets signed exactly these bytes."""
        given = only_value(headers, self.header, what="signature")
        if not given.startswith(self.prefix):
            raise malformed(self.header, what="signature")
        given = given[len(self.prefix) :]
        if self.encode is to_hex:
            given = given.lower()
        signed = body
        if self.timestamp_header is not None:
            stamp = fresh_timestamp(headers, self.timestamp_header, now, self.tolerance)
            signed = stamp + self.joiner + body
        expected = (self.encode(hmac.digest(secret, signed, self.algorithm)) for secret in self.secrets)
        # A list, not a generator: all secrets are compared, so time does not tell which of them is in use.
        if not any([hmac.compare_digest(one, given) for one in expected]):  # noqa: C419
            raise _mismatch()


@dataclass(frozen=True, kw_only=True)
class StandardWebhooks:
    """`webhook-id`, `webhook-timestamp` and a list of `v1,<base64>` signatures over `<id>.<timestamp>.<body>`.

    Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    #: The decoded keys, not the `whsec_…` texts.
    secrets: tuple[bytes, ...] = field(repr=False)
    tolerance: timedelta = timedelta(seconds=300)

    def __call__(self, headers: Headers, body: bytes, now: datetime) -> None:
        """Raise Unverified unless one of the signatures is one of the secrets', made within the tolerance."""
        message_id = only_value(headers, "webhook-id", what="signature")
        given = only_value(headers, "webhook-signature", what="signature").split(b" ")
        stamp = fresh_timestamp(headers, "webhook-timestamp", now, self.tolerance)
        signed = b".".join((message_id, stamp, body))
        expected = [b"v1," + to_base64(hmac.digest(secret, signed, "sha256")) for secret in self.secrets]
        if not any([hmac.compare_digest(ours, theirs) for ours in expected for theirs in given]):  # noqa: C419
            raise _mismatch()


def fresh_timestamp(headers: Headers, name: str, now: datetime, tolerance: timedelta) -> bytes:
    """The Unix time in header `name` as it was sent, within `tolerance` of `now` on both sides.

    Raises Unverified with cause `timestamp-missing`, `-repeated`, `-malformed` or `-outside`.
    """
    stamp = only_value(headers, name, what="timestamp")
    if not _UNIX_SECONDS.fullmatch(stamp):
        raise malformed(name, what="timestamp")
    if abs(now.timestamp() - int(stamp)) > tolerance.total_seconds():
        raise Unverified(
            f"The time in {name} is more than {tolerance.total_seconds():g} seconds from ours; "
            "check both clocks, and sign anew on every try.",
            cause="timestamp-outside",
        )
    return stamp


def decode_webhook_secret(text: str) -> bytes | None:
    """The key behind `whsec_<base64>`, or None where the text is not of that form or holds no byte."""
    prefix, marker, encoded = text.partition("whsec_")
    if prefix or not marker:
        return None
    try:
        return base64.b64decode(encoded, validate=True) or None
    except ValueError:
        return None


def _mismatch() -> Unverified:
    return Unverified(
        "The signature does not match the body; check the secret, and that nothing on the way changes the body.",
        cause="signature-mismatch",
    )
