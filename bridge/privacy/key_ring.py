"""The secrets of BRIDGE_SECRET_KEY as what keys are wrapped with. It may not store anything.

The first secret wraps, all of them unwrap: that is how one is replaced by another without a gap.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from bridge.errors import Conflict, TemporarilyUnavailable

NONCE_BYTES: Final = 12
KEY_BYTES: Final = 32
_CONTEXT: Final = b"genesys-bridge data keys 1"
_RETRY_AFTER_SECONDS: Final = 30


class SecretMissing(TemporarilyUnavailable):
    """A key is wrapped by a secret that this process does not have: another one, or this after a restart, may."""


class Altered(Conflict):
    """What is kept is not what was sealed: it was edited, or moved from another row."""


CANNOT_OPEN: Final = (SecretMissing, Altered)


class KeyRing:
    """Wraps and unwraps data keys (AES-256-GCM; a key is bound to its id). Safe for threads."""

    def __init__(self, secrets: Sequence[bytes]) -> None:
        """`secrets`: the one that wraps first, then those from before."""
        self._ciphers = {fingerprint(secret): AESGCM(_derived(secret)) for secret in secrets}
        #: Which secret wraps.
        self.first = fingerprint(secrets[0])

    @property
    def fingerprints(self) -> frozenset[str]:
        """Of every secret that unwraps."""
        return frozenset(self._ciphers)

    def wrap(self, key_id: str, key: bytes) -> bytes:
        """`key` as it may be stored, under the first secret."""
        return sealed(self._ciphers[self.first], key, key_id.encode())

    def unwrap(self, key_id: str, wrapped: bytes, wrapped_by: str) -> bytes:
        """The key. Raises SecretMissing; Altered where `wrapped` is not what was wrapped under this id."""
        cipher = self._ciphers.get(wrapped_by)
        if cipher is None:
            raise SecretMissing(
                "BRIDGE_SECRET_KEY lacks the secret that this is encrypted with: put the old one behind the new one.",
                retry_after=_RETRY_AFTER_SECONDS,
                cause="secret-missing",
            )
        return opened(cipher, wrapped, key_id.encode())


def sealed(cipher: AESGCM, plain: bytes, place: bytes) -> bytes:
    """A fresh nonce, then the ciphertext, bound to `place`."""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plain, place)


def opened(cipher: AESGCM, sealed_bytes: bytes, place: bytes) -> bytes:
    """The inverse of `sealed`. Raises Altered."""
    try:
        return cipher.decrypt(sealed_bytes[:NONCE_BYTES], sealed_bytes[NONCE_BYTES:], place)
    except (InvalidTag, ValueError) as exc:  # ValueError: shorter than a nonce
        raise Altered(
            "What is kept here was altered in the database, and cannot be read any more; see the backups."
        ) from exc


def fingerprint(secret: bytes) -> str:
    """Tells one secret from another, 16 hex digits."""
    return hashlib.blake2b(secret, person=b"bridge-key-name", digest_size=8).hexdigest()


def _derived(secret: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=_CONTEXT).derive(secret)
