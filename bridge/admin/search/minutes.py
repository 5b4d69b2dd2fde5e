"""What came in and went out, minute by minute, for the last hour. Reads only.

Ids of events and audit entries begin with the millisecond in which they were made, so that a minute is a range of
ids: events by their primary key, ends of deliveries by their audit entries (`audit_by_action`). A minute that is over
does not change any more, so it is counted once per process.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, func, select
from sqlalchemy.orm import Session

from bridge.lists.spans import first_id
from bridge.tables import AuditEntryRow, EventRow, core

SHOWN = 60
MINUTE = timedelta(minutes=1)
#: So long after its end a minute is over: a transaction that began in it is committed, or has failed.
SETTLES_WITHIN = timedelta(seconds=90)

_AUDIT = core(AuditEntryRow)
_EVENT = core(EventRow)


@dataclass(frozen=True, kw_only=True)
class Minute:
    """One minute, which begins `at` (aware, UTC)."""

    at: datetime
    events_in: int
    deliveries_out: int
    deliveries_dead: int


class Minutes:
    """Remembers the minutes that are over. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._over: dict[datetime, Minute] = {}

    def last_hour(self, session: Session, now: datetime) -> list[Minute]:
        """The last SHOWN minutes, oldest first; the newest is the one that runs."""
        running = now.replace(second=0, microsecond=0)
        starts = [running - MINUTE * back for back in range(SHOWN - 1, -1, -1)]
        with self._lock:
            known = {start: self._over[start] for start in starts if start in self._over}
        for start in starts:
            if start not in known:
                known[start] = _counted(session, start)
        with self._lock:
            self._over = {start: known[start] for start in starts if start + MINUTE + SETTLES_WITHIN <= now}
        return [known[start] for start in starts]


def _counted(session: Session, start: datetime) -> Minute:
    span = {"begin": _id_at(start), "end": _id_at(start + MINUTE)}
    return Minute(
        at=start,
        events_in=session.execute(_EVENTS, span).scalar_one(),
        deliveries_out=session.execute(_ENDS, {**span, "action": "delivery.delivered"}).scalar_one(),
        deliveries_dead=session.execute(_ENDS, {**span, "action": "delivery.dead"}).scalar_one(),
    )


def _id_at(moment: datetime) -> str:
    return first_id(int(moment.timestamp() * 1000))


_EVENTS = select(func.count()).where(_EVENT.c.id >= bindparam("begin"), _EVENT.c.id < bindparam("end"))
_ENDS = select(func.count()).where(
    _AUDIT.c.action == bindparam("action"), _AUDIT.c.id >= bindparam("begin"), _AUDIT.c.id < bindparam("end")
)
