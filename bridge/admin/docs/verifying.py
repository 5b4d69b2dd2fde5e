"""The lines by which a receiver verifies what it gets, for its own code; a test runs them. Nothing here calls them."""

from __future__ import annotations

from typing import Final

RECEIVER_SAMPLE: Final = '''\
import base64, hashlib, hmac, time

def verify(headers, body, secrets):
    """Raise unless `body` (the raw bytes) was signed with one of `secrets` (whsec_…) in the last five minutes."""
    stamp = headers["webhook-timestamp"]
    if abs(time.time() - int(stamp)) > 300:
        raise ValueError("too old, or a clock is wrong")
    signed = f"{headers['webhook-id']}.{stamp}.".encode() + body
    sent = [one.partition(",")[2] for one in headers["webhook-signature"].split() if one.startswith("v1,")]
    for secret in secrets:                       # two while you rotate them
        key = base64.b64decode(secret.removeprefix("whsec_"))
        good = base64.b64encode(hmac.digest(key, signed, hashlib.sha256))
        if any(hmac.compare_digest(good, one.encode()) for one in sent):
            return
    raise ValueError("not from the bridge")
'''
