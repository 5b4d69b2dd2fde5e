"""The oldest of the audit on its way out: checked, written to the archive, then removed.

It may not remove an entry that is not in a file on a disk, nor one of a chain that does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.orm import Session

from bridge import signals
from bridge.audit.anchor import Batch, batches_sealed_until, remove_batches
from bridge.audit.archive import FOLDER, ArchiveFile, write_archive
from bridge.audit.export import exported
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.audit.signing import AuditSigner
from bridge.audit.verify import holds_until
from bridge.clock import Clock
from bridge.database import Database
from bridge.keeping.rules import in_batches

#: Entries in one file of the archive, and removed in one transaction.
FILE_ENTRIES: Final = 20_000
BATCH_ENTRIES: Final = 1000
_HEADS: Final = 1000

log = structlog.get_logger()


class OldAudit:
    """What there is to archive, and the folder for it."""

    def __init__(
        self, *, database: Database, clock: Clock, notes: AuditNotes, signer: AuditSigner, beside: Path
    ) -> None:
        """`beside`: the folder that the archive's lies in. It is made only for a local database: a worker that shares
        one with others may stand on a disk that goes with it, so that somebody has to say where it lasts."""
        self._database = database
        self._clock = clock
        self._notes = notes
        self._signer = signer
        self._folder = beside / FOLDER

    def remove(
        self, until: datetime, is_free: Callable[[Session], bool], keep: Callable[[Session, int], None]
    ) -> Iterator[None]:
        """Archive and remove what was sealed at `until` (aware) or before, a transaction a step.

        `is_free` is asked in each transaction whether entries may go. `keep` ends each, and is told how many entries it
        removes. Where the chain does not hold or the archive cannot be written, everything stays and somebody is told.
        """
        while batches := self._next_file(until, is_free):
            file = self._written(batches) if self._is_whole(batches) else None
            if file is None:
                return
            yield
            for removing in in_batches(batches, _entries, BATCH_ENTRIES):
                with self._database.write() as session:
                    if not is_free(session):  # any more
                        return
                    now = self._clock.now()
                    if removing[0] is batches[0]:
                        self._notes.write(session, [_note(batches, file)], now)
                    keep(session, remove_batches(session, removing, self._signer, now=now))
                yield

    def _next_file(self, until: datetime, is_free: Callable[[Session], bool]) -> list[Batch]:
        with self._database.read() as session:
            if not is_free(session):
                return []
            old = batches_sealed_until(session, until, most=_HEADS)
        return next(in_batches(old, _entries, FILE_ENTRIES), [])

    def _is_whole(self, batches: Sequence[Batch]) -> bool:
        """Removing entries that somebody has tampered with would remove the traces."""
        with self._database.read() as session:
            found = holds_until(session, batches[-1].last)
        if found.problem is None and found.sealed == batches[-1].last:
            return True
        self._tell("audit-broken", "The audit chain does not hold, and nothing of it is archived: bridge audit verify.")
        return False

    def _written(self, batches: Sequence[Batch]) -> ArchiveFile | None:
        first, last = batches[0].first, batches[-1].last
        try:
            if self._database.is_sqlite:
                self._folder.mkdir(mode=0o700, exist_ok=True)
            with self._database.read() as session:
                lines = exported(session, self._signer.public_key, upto=last)
                return write_archive(self._folder, first=first, last=last, lines=lines)
        except OSError as error:
            log.warning("retention.archive_failed", error=type(error).__name__)
            self._tell(
                "audit-archive",
                f"Audit entries older than audit_days are kept, because the folder {FOLDER} beside bridge.toml cannot "
                "be written: make it, on a disk that lasts, for whoever the worker runs as.",
            )
            return None

    def _tell(self, cause: str, message: str) -> None:
        signals.needs_attention.send(OldAudit, cause=cause, destination=None, subject=None, message=message)


def _entries(batch: Batch) -> int:
    return batch.last - batch.first + 1


def _note(batches: Sequence[Batch], file: ArchiveFile) -> AuditEntry:
    details = {"file": file.name, "sha256": file.sha256, "from": batches[0].first, "to": batches[-1].last}
    return AuditEntry(actor="worker", action="retention.archived", subject="audit:chain", details=details, plain=True)
