"""Proves to a source of our own that we may post to it, with its own scheme and secret. It may not send anything."""

from __future__ import annotations

import base64
import hmac
from datetime import datetime

from bridge.clock import new_id
from bridge.errors import ConfigurationError
from bridge.settings.model import SourceSettings, VerifySettings


def signed_headers(source: SourceSettings, body: bytes, now: datetime) -> dict[str, str]:
    """The header fields with which `source` accepts exactly this `body` at `now` (aware).

    Raises ConfigurationError where the settings hold no secret to sign with.
    """
    verify = source.verify
    match verify.scheme:
        case "none":
            return {}
        case "hub-sha256":
            return {"X-Hub-Signature-256": "sha256=" + _mac(source, body, "sha256", verify.encoding or "base64")}
        case "hub-sha1":
            return {"X-Hub-Signature": "sha1=" + _mac(source, body, "sha1", verify.encoding or "hex")}
        case "hmac":
            return _hmac(source, body, now)
        case "standard-webhooks":
            return _standard_webhooks(source, body, now)
        case "api-key":
            return {verify.header or "": _secret(source)}
        case "bearer":
            return {"Authorization": f"Bearer {_secret(source)}"}
        case "basic":
            pair = f"{verify.user}:{_password(source)}".encode()
            return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _hmac(source: SourceSettings, body: bytes, now: datetime) -> dict[str, str]:
    verify, headers = source.verify, {}
    if verify.timestamp_header is not None:
        stamp = str(int(now.timestamp()))
        headers[verify.timestamp_header] = stamp
        body = stamp.encode() + verify.joiner.encode() + body
    headers[verify.header or ""] = verify.prefix + _mac(source, body, verify.algorithm, verify.encoding or "hex")
    return headers


def _standard_webhooks(source: SourceSettings, body: bytes, now: datetime) -> dict[str, str]:
    message_id, stamp = new_id(), str(int(now.timestamp()))
    key = base64.b64decode(_secret(source).removeprefix("whsec_"))
    digest = hmac.digest(key, f"{message_id}.{stamp}.".encode() + body, "sha256")
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": message_id, "webhook-timestamp": stamp, "webhook-signature": signature}


def _mac(source: SourceSettings, body: bytes, algorithm: str, encoding: str) -> str:
    digest = hmac.digest(_secret(source).encode(), body, algorithm)
    return base64.b64encode(digest).decode() if encoding == "base64" else digest.hex()


def _password(source: SourceSettings) -> str:
    return source.verify.password.reveal() if source.verify.password is not None else _secret(source)


def _secret(source: SourceSettings) -> str:
    verify: VerifySettings = source.verify
    if not verify.secrets:
        raise ConfigurationError([f"sources.{source.name}.verify.secrets: there is none to sign with; set one"])
    return verify.secrets[0].reveal()
