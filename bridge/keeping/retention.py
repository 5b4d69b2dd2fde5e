"""Forgets what is old enough, a little at a time, under the lease of the chore. It may not decide how old that is.

A run is a generator of short transactions; whoever drives it may pause after each, or never come back: what was done is
remembered with the lease, and the next worker goes on from there. Each transaction ends with the lease's fence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Final

from sqlalchemy.orm import Session

from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.chore_lease import ChoreLease, give_back, keep
from bridge.clock import Clock
from bridge.database import Database
from bridge.keeping import ledger
from bridge.keeping.old_audit import OldAudit
from bridge.keeping.rules import Until, in_batches, is_beyond, until
from bridge.keeping.space import shrink
from bridge.privacy.holds import Hold, LegalHolds, holding_event
from bridge.privacy.key_ring import CANNOT_OPEN
from bridge.privacy.vault import Vault
from bridge.settings.model import RetentionSettings

CHORE: Final = "retention"
EVERY: Final = timedelta(minutes=10)
#: Events looked at with one statement.
PAGE: Final = 500
#: Events that have to stay and are looked at in one run; the next goes on from there.
MOST_KEPT: Final = 20_000
#: What one transaction removes: rows, and pages of their bodies.
BATCH: Final = 500
PAGE_BYTES: Final = 4096
#: What an event that was erased still says of anybody.
NOTHING: Final = b"{}"


@dataclass
class Stand:
    """How far the run is, as it is kept with the lease."""

    #: The last event that was looked at; "" before the first.
    after: str = ""
    #: Rows that are gone, by what they were; `held`: events that only a legal hold keeps.
    counts: Counter[str] = field(default_factory=Counter)

    @staticmethod
    def of(lease: ChoreLease) -> Stand:
        kept = lease.progress or {}
        return Stand(after=kept.get("after", ""), counts=Counter(kept.get("counts", {})))

    def as_kept(self) -> dict[str, object]:
        return {"after": self.after, "counts": dict(self.counts)}


class Retention:
    """The rules and what they are carried out with; one per worker."""

    def __init__(
        self,
        *,
        database: Database,
        clock: Clock,
        notes: AuditNotes,
        vault: Vault,
        settings: RetentionSettings,
        holds: LegalHolds,
        audit: OldAudit,
        rng: Random,
    ) -> None:
        self._database = database
        self._clock = clock
        self._notes = notes
        self._vault = vault
        self._settings = settings
        self._holds = holds
        self._audit = audit
        self._rng = rng

    def run(self, lease: ChoreLease) -> Iterator[None]:
        """One run, a transaction a step. Raises LeaseLost as soon as another worker has taken it over."""
        stand, old = Stand.of(lease), until(self._settings, self._clock.now())
        yield from self._forget_events(lease, stand, old)
        yield from self._forget_rejections(lease, stand, old)
        yield from self._remove_audit(lease, stand, old)
        yield from self._give_space_back(lease, stand)
        self._end(lease, stand)

    def _forget_events(self, lease: ChoreLease, stand: Stand, old: Until) -> Iterator[None]:
        kept = 0
        while kept < MOST_KEPT:
            with self._database.read() as session:
                known = self._holds.in_force(session)
            with self._database.read() as session:
                page = ledger.oldest_events(session, after=stand.after, most=PAGE)
                due = self._due(session, page, old)
                held = self._held(session, list(due), known)
            going = [event_id for event_id in due if event_id not in held]
            for batch in in_batches(going, due.__getitem__, BATCH):
                with self._database.write() as session:
                    stand.counts += self._forget(session, batch, old, known)
                    stand.after = batch[-1]
                    self._keep(session, lease, stand)
                yield
            kept += len(page) - len(going)
            is_end = len(page) < PAGE or is_beyond(page[-1].received_at, old.events, self._clock.now())
            stand.after = "" if is_end else page[-1].id
            stand.counts["held"] += len(held)
            with self._database.write() as session:
                self._keep(session, lease, stand)
            yield
            if is_end:
                return

    def _due(self, session: Session, page: Sequence[ledger.Old], old: Until) -> dict[str, int]:
        """Those of the events that may go but for a hold, each with what it weighs."""
        owed = ledger.owed_of(session, [event.id for event in page], old)
        purged_by = ledger.purged_by(session, [event.id for event in page])
        due = {}
        for event in page:
            mine = owed.get(event.id)
            if mine is None:
                stays = event.received_at > (old.dead if event.state == "unreadable" else old.delivered)
            else:
                stays = mine.stays
            if not stays and event.id not in purged_by:
                due[event.id] = 1 + (mine.rows if mine else 0) + event.bytes // PAGE_BYTES
        return due

    def _held(self, session: Session, event_ids: Sequence[str], holds: Sequence[Hold]) -> set[str]:
        """Those of the events that one of `holds` covers."""
        if not holds or not event_ids:
            return set()
        return {event.id for event in ledger.contents(session, event_ids) if self._is_held(event, holds)}

    def _is_held(self, event: ledger.Old, holds: Sequence[Hold]) -> bool:
        try:
            body = self._vault.body(event.id, event)
        except CANNOT_OPEN:
            return True
        happened = [at for at in (event.occurred_at, event.received_at) if at is not None]
        return bool(
            holding_event(holds, subject=event.subject, body=NOTHING if body is None else body, happened=happened)
        )

    def _forget(self, session: Session, event_ids: Sequence[str], old: Until, known: Sequence[Hold]) -> Counter[str]:
        """`known`: the holds that the events were compared with already."""
        placed_since = [hold for hold in self._holds.in_force(session) if hold not in known]
        held = self._held(session, event_ids, placed_since)
        locked = ledger.lock_events(session, [one for one in event_ids if one not in held])
        # Once more, now that nothing can be owed for them any more: somebody may have replayed one since.
        owed = ledger.owed_of(session, locked, old)
        removed = ledger.forget_events(session, [one for one in locked if one not in owed or not owed[one].stays])
        removed["held"] = len(held)
        return removed

    def _forget_rejections(self, lease: ChoreLease, stand: Stand, old: Until) -> Iterator[None]:
        after, is_end = "", False
        while not is_end:
            with self._database.read() as session:
                page = ledger.oldest_rejections(session, after=after, most=PAGE)
            going = [one for one in page if one.at <= old.rejections]
            for batch in in_batches(going, lambda one: 1 + one.bytes // PAGE_BYTES, BATCH):
                with self._database.write() as session:
                    stand.counts["rejections"] += self._forget_free_rejections(session, [one.id for one in batch])
                    self._keep(session, lease, stand)
                yield
            is_end = len(page) < PAGE or is_beyond(page[-1].at, old.rejections, self._clock.now())
            after = page[-1].id if page else ""

    def _forget_free_rejections(self, session: Session, ids: Sequence[str]) -> int:
        """Forget those that no hold covers; how many. One without a body tells of nobody."""
        holds = self._holds.in_force(session)
        rejections = ledger.rejected_bodies(session, ids) if holds else ()
        held = {one.id for one in rejections if self._is_rejection_held(one, holds)}
        return ledger.forget_rejections(session, [one for one in ids if one not in held])

    def _is_rejection_held(self, rejection: ledger.Old, holds: Sequence[Hold]) -> bool:
        """What it was about nobody could tell when it was refused; in doubt it is held."""
        try:
            body = self._vault.rejected_body(rejection.id, rejection)
        except CANNOT_OPEN:
            return True
        return bool(holding_event(holds, subject="", body=body, happened=[rejection.at]))

    def _remove_audit(self, lease: ChoreLease, stand: Stand, old: Until) -> Iterator[None]:
        def is_free(session: Session) -> bool:
            return not self._holds.in_force(session)  # what is masked does not tell whom it is about

        def keep_removed(session: Session, entries: int) -> None:
            stand.counts["auditEntries"] += entries
            self._keep(session, lease, stand)

        yield from self._audit.remove(old.audit, is_free, keep_removed)

    def _give_space_back(self, lease: ChoreLease, stand: Stand) -> Iterator[None]:
        more = True
        while more:
            with self._database.write() as session:
                more = shrink(session)
                self._keep(session, lease, stand)
            yield

    def _keep(self, session: Session, lease: ChoreLease, stand: Stand) -> None:
        keep(session, lease, progress=stand.as_kept(), now=self._clock.now())

    def _end(self, lease: ChoreLease, stand: Stand) -> None:
        """Note what the run removed, if anything, and leave the chore to whoever is first when it is due again."""
        counts = {what: count for what, count in stand.counts.items() if count}
        with self._database.write() as session:
            now = self._clock.now()
            if counts.keys() - {"held"}:
                details = {**counts, "rules": vars(self._settings)}
                entry = AuditEntry("worker", "retention.run", "retention:run", details=details, plain=True)
                self._notes.write(session, [entry], now)
            pause = EVERY * (0.75 + self._rng.random() / 2)
            give_back(session, lease, progress=Stand(after=stand.after).as_kept(), now=now, due_at=now + pause)
