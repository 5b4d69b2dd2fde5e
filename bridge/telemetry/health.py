"""`/healthz` and `/readyz`: does the process live, and does the bridge make progress. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, Response, jsonify
from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bridge.clock import Clock
from bridge.database import Database
from bridge.migrate import is_current
from bridge.tables import AttemptRow, LaneRow, core

_LANE = core(LaneRow)
_ATTEMPT = core(AttemptRow)


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """`problems` maps the name of a check that failed to one sentence; empty: ready."""

    problems: dict[str, str]


def readiness(database: Database, clock: Clock, *, stall: timedelta) -> Readiness:
    """Database reachable, migrations applied, and progress: nothing due for longer than `stall` without a try."""
    try:
        if not is_current(database):
            return Readiness(problems={"migrations": "the database is not at this version; run `bridge db upgrade`"})
        with database.read() as session:
            stalled = _is_stalled(session, clock.now(), stall)
    except SQLAlchemyError as error:
        return Readiness(problems={"database": f"the database does not answer ({type(error).__name__})"})
    if stalled:
        return Readiness(
            problems={"progress": "deliveries are due and nothing is settled; is `bridge worker` running?"}
        )
    return Readiness(problems={})


def make_health_blueprint(database: Database, clock: Clock, *, stall: timedelta) -> Blueprint:
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @blueprint.get("/readyz")
    def readyz() -> tuple[Response, int]:
        found = readiness(database, clock, stall=stall)
        if found.problems:
            return jsonify(status="not ready", problems=found.problems), 503
        return jsonify(status="ready"), 200

    return blueprint


def _is_stalled(session: Session, now: datetime, stall: timedelta) -> bool:
    waiting_since = session.scalar(_OLDEST_DUE, {"until": now - stall})
    if waiting_since is None:
        return False
    last_try = session.scalar(_NEWEST_TRY, {"since": now - stall})
    return last_try is None


#: A lane that should have been claimed long ago and is not leased.
_OLDEST_DUE = select(func.min(_LANE.c.due_at)).where(
    _LANE.c.due_at <= bindparam("until"), _LANE.c.lease_token.is_(None)
)
_NEWEST_TRY = select(func.max(_ATTEMPT.c.started_at)).where(_ATTEMPT.c.started_at >= bindparam("since"))
