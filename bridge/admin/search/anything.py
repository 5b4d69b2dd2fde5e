"""What an id is the id of, so that whoever has one in hand need not know. Reads only."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from sqlalchemy import bindparam, literal, select, union_all
from sqlalchemy.orm import Session

from bridge.tables import AuditEntryRow, DeliveryRow, EventRow, LegalHoldRow, PurgeRow, ReplayRow, core

Kind: TypeAlias = Literal["event", "delivery", "replay", "purge", "hold", "audit entry"]
_TABLES: Final[dict[Kind, type]] = {
    "event": EventRow,
    "delivery": DeliveryRow,
    "replay": ReplayRow,
    "purge": PurgeRow,
    "hold": LegalHoldRow,
    "audit entry": AuditEntryRow,
}


def kind_of(session: Session, id_: str) -> Kind | None:
    """What has this id; None: nothing that is kept."""
    kind: Kind | None = session.scalar(_KINDS, {"id": id_})
    return kind


_KINDS = union_all(
    *(select(literal(kind)).where(core(row).c.id == bindparam("id")) for kind, row in _TABLES.items())
).limit(1)
