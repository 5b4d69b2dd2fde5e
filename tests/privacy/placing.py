"""Holds placed and released as an administrator does it."""

from __future__ import annotations

from datetime import datetime

from bridge.admin.holds import HoldWithPurges, place_hold, release
from bridge.database import Database
from bridge.privacy.holds import LegalHolds
from bridge.settings.model import LegalHold
from tests.fakes import VAULT
from tests.outbox.yard import NOTES

NONE_DECLARED = LegalHolds((), VAULT)


def place(
    database: Database,
    now: datetime,
    *,
    subject: str | None = None,
    customer: str | None = None,
    reason: str = "case 7",
) -> HoldWithPurges:
    wanted = LegalHold(subject=subject, customer=customer, reason=reason)
    with database.write() as session:
        return place_hold(session, NONE_DECLARED, wanted, actor="token:eva", now=now, notes=NOTES)


def release_again(database: Database, now: datetime, hold_id: str) -> None:
    with database.write() as session:
        release(session, NONE_DECLARED, hold_id, reason="closed", actor="token:eva", now=now, notes=NOTES)
