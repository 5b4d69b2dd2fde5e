"""All SQL of intake: events in, duplicates found and counted, rejections in. It may not decide what a repeat is.

The statements are built once; functions take a session and never commit.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Insert, and_, bindparam, delete, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from bridge.errors import FieldError
from bridge.privacy.data_keys import source_scope
from bridge.privacy.vault import IS_KEY, KEYS, PAYLOAD, REJECTION_COLUMN, DataKey, Vault
from bridge.tables import EventRow, RejectionRow, core

#: The `source` of what the bridge records of its own accord: facts and commands.
BRIDGE = "bridge"

_EVENT = core(EventRow)
_COLUMN = _EVENT.c

_INSERT: dict[str, Insert] = {
    "sqlite": sqlite_insert(_EVENT).on_conflict_do_nothing().execution_options(preserve_rowcount=True),
    "postgresql": postgresql_insert(_EVENT).on_conflict_do_nothing().execution_options(preserve_rowcount=True),
}
_WHICH_ARE_THERE = select(_COLUMN.id).where(_COLUMN.id.in_(bindparam("ids", expanding=True)))
_FIND = (
    select(
        *(_COLUMN.id, _COLUMN.source, _COLUMN.type, _COLUMN.subject, _COLUMN.delivery_key, _COLUMN.content_key),
        *PAYLOAD,
    )
    .outerjoin(KEYS, IS_KEY)
    .where(
        or_(
            _COLUMN.delivery_key.in_(bindparam("delivery_keys", expanding=True)),
            _COLUMN.content_key.in_(bindparam("content_keys", expanding=True)),
        )
    )
)
_COUNT_DUPLICATE = update(_EVENT).where(_COLUMN.id == bindparam("event_id")).values(duplicates=_COLUMN.duplicates + 1)
_GIVE_UP_KEYS = (
    update(_EVENT)
    .where(
        _COLUMN.content_key_until.is_not(None),
        or_(
            and_(
                _COLUMN.content_key == bindparam("key"),
                or_(_COLUMN.content_key_until <= bindparam("now"), _COLUMN.source == bindparam("fact_source")),
            ),
            and_(
                _COLUMN.subject == bindparam("of_subject"),
                _COLUMN.type == bindparam("of_type"),
                _COLUMN.source == bindparam("of_source"),
                _COLUMN.content_key != bindparam("key"),
            ),
        ),
    )
    .values(content_key=None, content_key_until=None)
)
_INSERT_REJECTION = insert(core(RejectionRow))
_STAND_IN = and_(_COLUMN.id == bindparam("event"), _COLUMN.state == "unreadable")
_LOCK = (
    select(_COLUMN.source, _COLUMN.state, _COLUMN.received_at, _COLUMN.correlation_id, _COLUMN.traceparent)
    .where(_COLUMN.id == bindparam("event"))
    .with_for_update()
)
_SAY_WHY = update(_EVENT).where(_STAND_IN)
_TAKE_AWAY = delete(_EVENT).where(_STAND_IN).returning(*_COLUMN)


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """A refused request, as `RejectionRow` keeps it."""

    id: str
    at: datetime
    source: str
    #: A stable word.
    cause: str
    status: int
    #: The peer's address as text.
    address: str
    #: Bytes of the body as far as it was read.
    size: int
    #: None unless the sender was verified.
    body: bytes | None


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How an event stands, without what it says."""

    source: str
    #: `recorded` or `unreadable`.
    state: str
    #: Aware, UTC.
    received_at: datetime
    correlation_id: str | None
    traceparent: str | None


class Recorded(NamedTuple):
    """An event that holds a key which another one asked for."""

    id: str
    source: str
    type: str
    subject: str
    #: None: it was erased, or cannot be opened here.
    payload: dict[str, object] | None
    delivery_key: bytes | None
    content_key: bytes | None


def insert_events(session: Session, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Insert every row whose keys are free; the ids of those that went in.

    Without RETURNING: it costs a fifth more, and almost always the number of rows says that all of them did.
    """
    # Always in the order of the keys: two writers that wait for each other's uncommitted keys would deadlock.
    in_order = sorted(rows, key=lambda row: row["content_key"] or row["delivery_key"] or b"")
    connection = session.connection()
    ids = {row["id"] for row in rows}
    if connection.execute(_INSERT[connection.dialect.name], in_order).rowcount == len(rows):
        return ids
    return set(connection.scalars(_WHICH_ARE_THERE, {"ids": list(ids)}))


def find_by_keys(
    session: Session, vault: Vault, *, delivery_keys: Collection[bytes], content_keys: Collection[bytes]
) -> list[Recorded]:
    """The events that hold any of these keys."""
    found = session.execute(_FIND, {"delivery_keys": list(delivery_keys), "content_keys": list(content_keys)})
    return [
        Recorded(
            id=row.id,
            source=row.source,
            type=row.type,
            subject=row.subject,
            payload=vault.readable_payload(row.id, row),
            delivery_key=row.delivery_key,
            content_key=row.content_key,
        )
        for row in found
    ]


def count_duplicates(session: Session, event_ids: Sequence[str]) -> None:
    """Raise the counter of each event by one per time that it is named."""
    session.execute(_COUNT_DUPLICATE, [{"event_id": event_id} for event_id in event_ids])


def give_up_keys(session: Session, rows: Sequence[dict[str, Any]], *, now: datetime) -> None:
    """Free the content keys that bar `rows` (each with `content_key_until`) no longer.

    A key is given up when its window is over; when the same source tells another content of the same subject and type,
    so that A → B → A is three events (a fact keeps its key: the webhooks that confirm A and B may come after both); and
    a fact's when the same fact is established again, because a fact is only ever a duplicate of a webhook.
    """
    session.execute(
        _GIVE_UP_KEYS,
        [
            {
                "key": row["content_key"],
                "now": now,
                "fact_source": BRIDGE if row["source"] == BRIDGE else None,
                "of_source": None if row["source"] == BRIDGE else row["source"],
                "of_subject": row["subject"],
                "of_type": row["type"],
            }
            # In one order for everybody: two writers that hold each other's subjects would deadlock.
            for row in sorted(rows, key=lambda row: (row["subject"], row["type"]))
        ],
    )


def insert_rejections(session: Session, vault: Vault, rejections: Sequence[Rejection], *, now: datetime) -> None:
    """Insert them, the bodies that are kept sealed with their sources' keys."""
    scopes = {source_scope(one.source) for one in rejections if one.body is not None}
    keys = vault.keys(session, scopes, now=now).by_scope if scopes else {}
    session.execute(_INSERT_REJECTION, [_rejection_row(one, keys.get(source_scope(one.source))) for one in rejections])


def _rejection_row(one: Rejection, sealing: DataKey | None) -> dict[str, Any]:
    if one.body is None or sealing is None:
        return {**vars(one), "key_id": None}
    body = sealing.seal(one.body, row=one.id, column=REJECTION_COLUMN)
    return {**vars(one), "key_id": sealing.id, "body": body}


def lock_event(session: Session, event_id: str) -> Kept | None:
    """How the event stands; until the end of the transaction nobody else changes it."""
    # Twice: whoever waited for a row that then was taken away sees the one in its place with the next statement only.
    found = (session.execute(_LOCK, {"event": event_id}).one_or_none() for _ in range(2))
    row = next((row for row in found if row is not None), None)
    return None if row is None else Kept(**row._mapping)


def say_why_unreadable(session: Session, event_id: str, errors: Sequence[FieldError]) -> None:
    """Replace what is wrong with an unreadable event."""
    session.execute(_SAY_WHY.values(errors=[vars(error) for error in errors]), {"event": event_id})


def take_away(session: Session, event_id: str) -> dict[str, Any]:
    """Remove an unreadable event that was locked; its whole row, for `put_back`."""
    return dict(session.execute(_TAKE_AWAY, {"event": event_id}).one()._mapping)


def put_back(session: Session, row: dict[str, Any], errors: Sequence[FieldError]) -> None:
    """Insert the row of an unreadable event again, with what is wrong with it now."""
    session.execute(insert(_EVENT), {**row, "errors": [vars(error) for error in errors]})
