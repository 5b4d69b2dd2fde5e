"""`/healthz` and `/readyz`: does the process live, and does the bridge make progress. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask import Blueprint, Response, jsonify
from sqlalchemy import bindparam, exists, func, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from bridge.clock import Clock
from bridge.database import Database
from bridge.migrate import is_current
from bridge.settings.model import Settings
from bridge.tables import AttemptRow, DeliveryRow, DestinationStateRow, LaneRow, core

_LANE = core(LaneRow)
_ATTEMPT = core(AttemptRow)
_DELIVERY = core(DeliveryRow)
_DESTINATION = core(DestinationStateRow)


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """`problems` maps the name of a check that failed to one sentence; empty: ready."""

    problems: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What progress is expected of a worker."""

    stall: timedelta
    #: Names of the destinations that are delivered to: what is owed to others waits for a person.
    destinations: Collection[str]
    #: Destination of alerts, which the web process itself delivers while the workers stall: no sign of a worker.
    not_counting: str | None = None


def expected_of(settings: Settings, destinations: Collection[str]) -> Expected:
    """What `settings` lead one to expect where `destinations` are wired."""
    paused = {one.name for one in settings.destinations.values() if one.paused}
    return Expected(
        stall=timedelta(seconds=settings.health.stall_seconds),
        destinations=sorted(set(destinations) - paused),
        not_counting=settings.alerts.destination,
    )


def readiness(database: Database, clock: Clock, expected: Expected) -> Readiness:
    """Database reachable, migrations applied, and progress: see `is_stalled`."""
    try:
        if not is_current(database):
            return Readiness(problems={"migrations": "the database is not at this version; run `bridge db upgrade`"})
        with database.read() as session:
            stalled = is_stalled(session, clock.now(), expected)
    except SQLAlchemyError as error:
        return Readiness(problems={"database": f"the database does not answer ({type(error).__name__})"})
    if stalled:
        return Readiness(
            problems={"progress": "deliveries are due and nothing is settled; is `bridge worker` running?"}
        )
    return Readiness(problems={})


def is_stalled(session: Session, now: datetime, expected: Expected) -> bool:
    """True where something may be sent since `stall`, and in that time no worker held or tried anything.

    What waits for a paused destination, or behind an open breaker, is not expected to move.
    """
    since = now - expected.stall
    overdue = session.scalar(_OVERDUE, {"until": since, "now": now, "names": list(expected.destinations)})
    if overdue is None:
        return False
    besides = {"now": now, "besides": expected.not_counting or ""}
    if session.scalar(_HELD, besides) is not None:
        return False
    return session.scalar(_NEWEST_TRY, {"since": since, **besides}) is None


def make_health_blueprint(database: Database, clock: Clock, expected: Expected) -> Blueprint:
    blueprint = Blueprint("health", __name__)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return jsonify(status="alive")

    @blueprint.get("/readyz")
    def readyz() -> tuple[Response, int]:
        found = readiness(database, clock, expected)
        if found.problems:
            return jsonify(status="not ready", problems=found.problems), 503
        return jsonify(status="ready"), 200

    return blueprint


_shut = exists().where(
    _DESTINATION.c.name == _LANE.c.destination,
    or_(_DESTINATION.c.paused_at.is_not(None), _DESTINATION.c.open_until > bindparam("now")),
)
#: A lane that should have been claimed long ago.
_OVERDUE = (
    select(_LANE.c.lane_id)
    .where(
        _LANE.c.destination.in_(bindparam("names", expanding=True)),
        _LANE.c.due_at <= bindparam("until"),
        ~_shut,
    )
    .limit(1)
)
#: One that a worker holds right now: looked for first, as tries are many and have no index by time.
_HELD = (
    select(_LANE.c.lane_id)
    .where(
        _LANE.c.due_at > bindparam("now"),
        _LANE.c.lease_token.is_not(None),
        _LANE.c.destination != bindparam("besides"),
    )
    .limit(1)
)
_NEWEST_TRY = (
    select(func.max(_ATTEMPT.c.started_at))
    .join(_DELIVERY, _DELIVERY.c.id == _ATTEMPT.c.delivery_id)
    .where(_ATTEMPT.c.started_at >= bindparam("since"), _DELIVERY.c.destination != bindparam("besides"))
)
