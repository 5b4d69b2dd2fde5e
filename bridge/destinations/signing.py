"""Standard Webhooks signatures of what we send. It may not verify, and not know where it goes.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

from bridge.settings.model import Secret

_PREFIX = "whsec_"


def signing_key(secret: Secret) -> bytes:
    """The key in `whsec_<base64>`. Raises ValueError, without the value, where it is not that."""
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:  # binascii.Error is one
        key = b""
    if not text.startswith(_PREFIX) or not key:
        raise ValueError("a signing secret is whsec_ followed by base64")
    return key


def signatures(keys: Sequence[bytes], webhook_id: str, timestamp: int, body: bytes) -> str:
    """The `webhook-signature` header: one `v1,<base64>` per key, so that a secret is rotated without a gap.

    `timestamp` is in seconds since 1970 UTC, as the `webhook-timestamp` header has it.
    """
    content = f"{webhook_id}.{timestamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode("ascii") for key in keys)
