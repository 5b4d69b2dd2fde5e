"""Ed25519 signatures over canonical JSON: what the bridge says it did, provable to others. It stores nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALGORITHM = "Ed25519"
_CONTEXT = b"genesys-bridge audit signature 1"


class AuditSigner:
    """Signs with a key that is derived from BRIDGE_SECRET_KEY (HKDF, RFC 5869), so that every worker signs alike."""

    def __init__(self, secret: bytes) -> None:
        seed = HKDF(algorithm=SHA256(), length=32, salt=None, info=_CONTEXT).derive(secret)
        self._key = Ed25519PrivateKey.from_private_bytes(seed)

    @property
    def public_key(self) -> str:
        """The raw 32 bytes of the public key, base64: what somebody else verifies with."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    def sign(self, statement: Mapping[str, object]) -> dict[str, str]:
        """`{algorithm, publicKey, value}` over `statement`, which must not hold the signature itself."""
        value = base64.b64encode(self._key.sign(signed_bytes(statement))).decode()
        return {"algorithm": ALGORITHM, "publicKey": self.public_key, "value": value}


def public_keys_of(secrets: Iterable[bytes]) -> frozenset[str]:
    """What each of `secrets` would have signed with: whose audit is ours."""
    return frozenset(AuditSigner(secret).public_key for secret in secrets)


def signed_bytes(statement: Mapping[str, object]) -> bytes:
    """The bytes that are signed: JSON with sorted keys, no blanks, UTF-8."""
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def is_signed_by(public_key: str, statement: Mapping[str, object], value: str) -> bool:
    """Whether `value` (base64) is the signature of `statement` under `public_key` (base64). Never raises."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key, validate=True))
        key.verify(base64.b64decode(value, validate=True), signed_bytes(statement))
    except (ValueError, InvalidSignature):
        return False
    return True
