"""Append deliveries to their lanes: the only statement that makes an outbox row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Insert, and_, case, insert
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import Session

from bridge.clock import new_id, new_lane_id
from bridge.events import Owed, RecordedEvent, carries
from bridge.tables import DeliveryRow, LaneRow, core

_LANE = core(LaneRow)
_DELIVERY = core(DeliveryRow)


@dataclass(frozen=True, kw_only=True)
class NewDelivery:
    """A delivery before it has a place in its lane."""

    id: str
    event_id: str
    event_type: str
    destination: str
    #: The lane's subject.
    subject: str
    #: None: the delivery's own id.
    webhook_id: str | None = None
    replay_of: str | None = None
    replay_id: str | None = None
    #: Replays yield to live traffic.
    background: bool = False


def append_owed(
    _sender: object, *, owed: Sequence[tuple[RecordedEvent, Owed]], session: Session, now: datetime
) -> None:
    """Receiver of `signals.deliveries_owed`: append what the forwarders answered."""
    append(
        session,
        [
            NewDelivery(
                id=new_id(),
                event_id=event.id,
                event_type=event.type,
                destination=one.destination,
                subject=one.subject,
            )
            for event, one in owed
        ],
        now=now,
    )


def append(session: Session, deliveries: Sequence[NewDelivery], *, now: datetime) -> None:
    """Append `deliveries` to their lanes in the order given, and wake each lane that was empty.

    Lanes are locked in the order of (destination, subject), so that two transactions cannot wait for each other.
    """
    if not deliveries:
        return
    last_seq = _extend_lanes(session, deliveries, now)
    missing = Counter((one.destination, one.subject) for one in deliveries)
    rows = []
    for one in deliveries:
        lane = (one.destination, one.subject)
        lane_id, last = last_seq[lane]
        missing[lane] -= 1
        rows.append(
            {
                "lane_id": lane_id,
                "seq": last - missing[lane],
                "id": one.id,
                "event_id": one.event_id,
                "destination": one.destination,
                "webhook_id": one.webhook_id or one.id,
                "carries": carries(one.event_type).value,
                "created_at": now,
                "replay_of": one.replay_of,
                "replay_id": one.replay_id,
            }
        )
    session.execute(_INSERT_DELIVERIES, rows)


def hold_lanes(session: Session, lanes: Iterable[tuple[str, str]]) -> None:
    """Keep these lanes (destination, subject) from everybody else until the transaction ends; missing ones are made.

    What is looked up about their deliveries from here on stays so until `append`. On SQLite the transaction has the
    whole database to itself.
    """
    if session.get_bind().dialect.name == "sqlite":
        return
    rows = [
        {"lane_id": new_lane_id(), "destination": destination, "subject": subject, "last_seq": 0}
        for destination, subject in sorted(set(lanes))
    ]
    if rows:
        session.execute(_HOLD_LANES, rows)


def _extend_lanes(
    session: Session, deliveries: Sequence[NewDelivery], now: datetime
) -> dict[tuple[str, str], tuple[int, int]]:
    """(destination, subject) → (lane_id, last_seq after), with each lane created or extended by its new ones."""
    counts = Counter((one.destination, one.subject) for one in deliveries)
    live = {(one.destination, one.subject) for one in deliveries if not one.background}
    extended = session.execute(
        _EXTEND_LANES[session.get_bind().dialect.name],
        [
            {
                "lane_id": new_lane_id(),
                "destination": destination,
                "subject": subject,
                "last_seq": counts[destination, subject],
                "due_at": now,
                "background": (destination, subject) not in live,
            }
            for destination, subject in sorted(counts)
        ],
    )
    return {(row.destination, row.subject): (row.lane_id, row.last_seq) for row in extended}


def _extend_lanes_statement(dialect_insert: Any) -> Insert:
    statement = dialect_insert(_LANE)
    new = statement.excluded
    empty = _LANE.c.head_seq > _LANE.c.last_seq
    extended: Insert = statement.on_conflict_do_update(
        index_elements=[_LANE.c.destination, _LANE.c.subject],
        set_={
            "last_seq": _LANE.c.last_seq + new.last_seq,
            # A blocked lane is never empty: its dead head holds it.
            "due_at": case((empty, new.due_at), else_=_LANE.c.due_at),
            "background": case((empty, new.background), else_=and_(_LANE.c.background, new.background)),
        },
    ).returning(_LANE.c.lane_id, _LANE.c.destination, _LANE.c.subject, _LANE.c.last_seq)
    return extended


def _hold_lanes_statement() -> Insert:
    statement = postgresql_insert(_LANE)
    # Nothing changes in a lane that is there: it is only locked, and in the order that `append` locks in.
    keys = [_LANE.c.destination, _LANE.c.subject]
    return statement.on_conflict_do_update(index_elements=keys, set_={"last_seq": _LANE.c.last_seq})


_HOLD_LANES = _hold_lanes_statement()
_EXTEND_LANES = {
    "sqlite": _extend_lanes_statement(sqlite_insert),
    "postgresql": _extend_lanes_statement(postgresql_insert),
}
_INSERT_DELIVERIES = insert(_DELIVERY)
