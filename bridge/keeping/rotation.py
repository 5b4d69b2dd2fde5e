"""Wraps every key anew under the first secret, so that those from before may go. It may not change a secret.

A batch is a transaction with its entry in the audit: whatever stops it, it goes on where it was. Nobody waits for it:
recording and erasing go on meanwhile, and every secret that is known goes on opening.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.clock import Clock, new_id
from bridge.database import Database
from bridge.privacy.data_keys import KeyOnFile
from bridge.privacy.key_ring import CANNOT_OPEN, KeyRing
from bridge.privacy.wrappings import (
    NewWrapping,
    count_wrapped_by,
    keys_wrapped_by,
    missing_secrets,
    secrets_in_use,
    wrap_anew,
)

BATCH: Final = 500


@dataclass(frozen=True, kw_only=True)
class RotationReport:
    """What a run has done, and what is left."""

    #: Keys that are under the first secret now and were not before.
    rewrapped: int
    #: Keys that could not be unwrapped: they were altered in the database.
    altered: int
    #: Keys, altered ones among them, that are still under another secret; those that nobody has a secret for.
    left: int
    unreadable: int

    @property
    def is_complete(self) -> bool:
        """Nothing needs any secret but the first."""
        return self.left == 0


class Rotation:
    """One run after another, whoever orders them."""

    def __init__(
        self, *, database: Database, clock: Clock, notes: AuditNotes, ring: KeyRing, batch: int = BATCH
    ) -> None:
        self._database = database
        self._clock = clock
        self._notes = notes
        self._ring = ring
        self._batch = batch

    def waiting(self) -> int:
        """Keys that a run would wrap anew."""
        with self._database.read() as session:
            return count_wrapped_by(session, self._ring.fingerprints - {self._ring.first})

    def run(self, *, actor: str, progress: Callable[[int], None] = lambda _: None) -> RotationReport:
        """Wrap anew what is under an older secret; `progress` is told after each batch how many there were so far."""
        rewrapped = altered = 0
        upto = new_id()  # or a process that still wraps with the old secret could keep this going for ever
        for secret in sorted(self._ring.fingerprints - {self._ring.first}):
            after = ""
            while page := self._page(secret, after, upto):
                after = page[-1].id
                wrappings = self._wrapped_anew(page)
                altered += len(page) - len(wrappings)
                rewrapped += self._store(wrappings, secret, actor)
                progress(rewrapped + altered)
        with self._database.read() as session:
            left = count_wrapped_by(session, set(secrets_in_use(session)) - {self._ring.first})
            unreadable = count_wrapped_by(session, missing_secrets(session, self._ring.fingerprints))
        return RotationReport(rewrapped=rewrapped, altered=altered, left=left, unreadable=unreadable)

    def _page(self, secret: str, after: str, upto: str) -> Sequence[KeyOnFile]:
        with self._database.read() as session:
            return keys_wrapped_by(session, secret, after=after, upto=upto, most=self._batch)

    def _wrapped_anew(self, page: Sequence[KeyOnFile]) -> list[NewWrapping]:
        """Without those that were altered: one of them must not hold up the others."""
        wrappings = []
        for one in page:
            try:
                key = self._ring.unwrap(one.id, one.wrapped, one.wrapped_by)
            except CANNOT_OPEN:
                continue
            wrapped = self._ring.wrap(one.id, key)
            wrappings.append(
                NewWrapping(key_id=one.id, before=one.wrapped, wrapped=wrapped, wrapped_by=self._ring.first)
            )
        return wrappings

    def _store(self, wrappings: Sequence[NewWrapping], secret: str, actor: str) -> int:
        with self._database.write() as session:
            moved = wrap_anew(session, wrappings)
            if moved:
                details = {"keys": moved, "from": secret, "to": self._ring.first}
                entry = AuditEntry(actor=actor, action="keys.rotated", subject="keys:data", details=details, plain=True)
                self._notes.write(session, [entry], self._clock.now())
        return moved
