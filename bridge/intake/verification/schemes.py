"""From a source's `verify` settings to its check. It may not pass where a secret is missing: it refuses to be built."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime

from bridge.errors import ConfigurationError
from bridge.intake.verification.credentials import HeaderCredential, basic_digest, digest
from bridge.intake.verification.headers import Headers
from bridge.intake.verification.signatures import (
    BodySignature,
    StandardWebhooks,
    decode_webhook_secret,
    to_base64,
    to_hex,
)
from bridge.settings.model import VerifySettings

#: Takes headers, the exact raw body, and the time (aware); returns nothing, or raises Unverified.
Verifier = Callable[[Headers, bytes, datetime], None]

#: An underscore is a legal character of a field name (RFC 9110, section 5.6.2), but WSGI maps it and the hyphen to one
#: key: servers drop such fields, so a source could never prove itself by one.
_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]+")
_ENCODINGS = {"base64": to_base64, "hex": to_hex}


def build_verifier(settings: VerifySettings) -> Verifier:
    """The check that `settings` ask for. Raises ConfigurationError where they could not refuse anybody."""
    match settings.scheme:
        case "hub-sha256":
            return _body_signature(settings, "X-Hub-Signature-256", "sha256=", "sha256", "base64")
        case "hub-sha1":
            return _body_signature(settings, "X-Hub-Signature", "sha1=", "sha1", "hex")
        case "hmac":
            return _body_signature(settings, _header(settings), settings.prefix, settings.algorithm, "hex")
        case "standard-webhooks":
            return StandardWebhooks(secrets=_webhook_secrets(settings), tolerance=settings.tolerance)
        case "api-key":
            digests = tuple(digest(secret) for secret in _secrets(settings))
            return HeaderCredential(header=_header(settings), scheme=None, digests=digests)
        case "bearer":
            digests = tuple(digest(secret) for secret in _secrets(settings))
            return HeaderCredential(header="Authorization", scheme=b"bearer", digests=digests)
        case "basic":
            return HeaderCredential(header="Authorization", scheme=b"basic", digests=_basic(settings))
        case "none":
            return _accept_anybody


def _accept_anybody(_headers: Headers, _body: bytes, _now: datetime) -> None:
    """Scheme `none`; whoever builds the source asks for `allow_unverified` first."""


def _body_signature(settings: VerifySettings, header: str, prefix: str, algorithm: str, encoding: str) -> BodySignature:
    timestamp_header = settings.timestamp_header if settings.scheme == "hmac" else None
    if timestamp_header is not None:
        _check_field_name(timestamp_header, "verify.timestamp_header")
    return BodySignature(
        header=header,
        prefix=prefix.encode(),
        algorithm=algorithm,
        encode=_ENCODINGS[settings.encoding or encoding],
        secrets=tuple(secret.encode() for secret in _secrets(settings)),
        timestamp_header=timestamp_header,
        joiner=settings.joiner.encode(),
        tolerance=settings.tolerance,
    )


def _secrets(settings: VerifySettings) -> tuple[str, ...]:
    secrets = tuple(secret.reveal() for secret in settings.secrets)
    if not secrets or not all(secrets):
        raise ConfigurationError(
            [f"verify.secrets: {settings.scheme} needs at least one secret, and none may be empty"]
        )
    return secrets


def _webhook_secrets(settings: VerifySettings) -> tuple[bytes, ...]:
    keys = tuple(decode_webhook_secret(secret) for secret in _secrets(settings))
    if not all(keys):
        raise ConfigurationError(
            ["verify.secrets: standard-webhooks needs whsec_ followed by standard base64 of at least one byte"]
        )
    return tuple(key for key in keys if key)


def _basic(settings: VerifySettings) -> tuple[bytes, ...]:
    given = (*((settings.password,) if settings.password is not None else ()), *settings.secrets)
    passwords = [password.reveal() for password in given]
    if not passwords or not all(passwords):
        raise ConfigurationError(["verify.password: basic needs a password, and it may not be empty"])
    if not settings.user or ":" in settings.user:
        raise ConfigurationError(["verify.user: basic needs a user without a colon (RFC 7617)"])
    return tuple(basic_digest(settings.user, password) for password in passwords)


def _header(settings: VerifySettings) -> str:
    if settings.header is None:
        raise ConfigurationError([f"verify.header: {settings.scheme} needs the name of a header"])
    _check_field_name(settings.header, "verify.header")
    return settings.header


def _check_field_name(name: str, key: str) -> None:
    if not _FIELD_NAME.fullmatch(name):
        raise ConfigurationError(
            [f"{key}: must be an HTTP field name without an underscore; web servers drop those with one"]
        )
