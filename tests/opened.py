"""Rows with their bodies opened, for tests that look at what was recorded."""

from __future__ import annotations

from collections.abc import Iterable

import orjson
from sqlalchemy.orm import Session

from bridge.privacy.vault import BODY_COLUMN, PAYLOAD_COLUMN, REJECTION_COLUMN, DataKey, Vault
from bridge.tables import DataKeyRow, EventRow, RejectionRow
from tests.fakes import VAULT


def opened_events(session: Session, rows: Iterable[EventRow], vault: Vault = VAULT) -> list[EventRow]:
    """The rows, taken out of the session, with `payload` and `body` as they were before they were sealed."""
    return [_opened_event(session, row, vault) for row in list(rows)]


def opened_rejections(session: Session, rows: Iterable[RejectionRow], vault: Vault = VAULT) -> list[RejectionRow]:
    """As `opened_events`."""
    return [_opened_rejection(session, row, vault) for row in list(rows)]


def _opened_event(session: Session, row: EventRow, vault: Vault) -> EventRow:
    session.expunge(row)
    if (key := _key(session, row.key_id, vault)) is not None and row.sealed_payload is not None:
        row.payload = orjson.loads(key.open(row.sealed_payload, row=row.id, column=PAYLOAD_COLUMN))
        row.body = key.open(row.body, row=row.id, column=BODY_COLUMN)
    return row


def _opened_rejection(session: Session, row: RejectionRow, vault: Vault) -> RejectionRow:
    session.expunge(row)
    if (key := _key(session, row.key_id, vault)) is not None and row.body is not None:
        row.body = key.open(row.body, row=row.id, column=REJECTION_COLUMN)
    return row


def _key(session: Session, key_id: str | None, vault: Vault) -> DataKey | None:
    key = session.get(DataKeyRow, key_id) if key_id else None
    if key is None or key.wrapped is None or key.wrapped_by is None:
        return None
    return DataKey(key.id, vault.ring.unwrap(key.id, key.wrapped, key.wrapped_by))
