"""An event as destinations see it, for previews. It holds its values unmasked: whoever shows them must hide them."""

from __future__ import annotations

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from bridge.errors import Conflict, NotFound
from bridge.events import RecordedEvent
from bridge.tables import EventRow, core

_EVENT = core(EventRow)


def recorded_event(session: Session, event_id: str) -> RecordedEvent:
    """Raises NotFound; Conflict where the event could not be read, so that nothing can be made of it."""
    row = session.execute(_RECORDED, {"event": event_id}).one_or_none()
    if row is None:
        raise NotFound("no event has this id; see GET /api/v1/events")
    told = dict(row._mapping)
    if told.pop("state") != "recorded":
        raise Conflict("the event is unreadable, so nothing can be made of it; GET /api/v1/events/{id} says why")
    return RecordedEvent(**told)


_RECORDED = select(_EVENT.c.state, *(_EVENT.c[name] for name in RecordedEvent.__dataclass_fields__)).where(
    _EVENT.c.id == bindparam("event")
)
