"""For a worker on SQLite: results are written to the lane by its id alone, whoever holds it by now."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.orm import Session

from bridge.outbox.contract import ClaimedDelivery
from bridge.outbox.ledger import settle
from bridge.tables import AttemptRow, LaneRow, core

_LANE = core(LaneRow)
_BY_ID_ALONE = (
    update(_LANE)
    .where(_LANE.c.lane_id.in_(bindparam("lanes", expanding=True)))
    .values(lease_token=None)
    .returning(_LANE.c.lane_id)
)


def plant() -> None:
    settle._release = _release
    # Else the number of the try, which is taken by then, would stop what the fence does not.
    settle._INSERT_ATTEMPT = insert(core(AttemptRow)).on_conflict_do_nothing()


def _release(session: Session, deliveries: Sequence[ClaimedDelivery]) -> set[int]:
    return set(session.scalars(_BY_ID_ALONE, {"lanes": [one.lane_id for one in deliveries]}))
