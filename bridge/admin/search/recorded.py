"""An event as destinations see it, for previews. It holds its values unmasked: whoever shows them must hide them."""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bridge.errors import Conflict, NotFound
from bridge.events import RecordedEvent
from bridge.privacy.vault import IS_KEY, KEYS, PAYLOAD, Vault, erased
from bridge.tables import EventRow, core

_EVENT = core(EventRow)


def recorded_event(session: Session, event_id: str, vault: Vault) -> RecordedEvent:
    """Raises NotFound; Gone where it was erased; Conflict where it could not be read: nothing can be made of it."""
    row = session.execute(_RECORDED, {"event": event_id}).one_or_none()
    if row is None:
        raise NotFound("no event has this id; see GET /api/v1/events")
    if row.state != "recorded":
        raise Conflict("the event is unreadable, so nothing can be made of it; GET /api/v1/events/{id} says why")
    payload = vault.payload(row.id, row)
    if payload is None:
        raise erased()
    return RecordedEvent(payload=payload, **{name: getattr(row, name) for name in _ENVELOPE})


_ENVELOPE = tuple(name for name in RecordedEvent.__dataclass_fields__ if name != "payload")
_RECORDED = (
    select(_EVENT.c.state, *(_EVENT.c[name] for name in _ENVELOPE), *PAYLOAD)
    .outerjoin(KEYS, IS_KEY)
    .where(_EVENT.c.id == bindparam("event"))
)
