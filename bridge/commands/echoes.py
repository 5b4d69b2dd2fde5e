"""Tells which webhooks are only Genesys's news of a command that one of our own destinations has asked for.

A webhook that comes after its command is settled repeats a fact, and the recorder finds that out by itself. This is for
those that come first, or whose fact had no version to be known by: they are marked with the destination that asked, and
so are not sent back to it. In doubt a webhook is not marked: an echo too many costs a request, a change that is kept
from somebody who did not ask for it is lost to them. It may not record anything, nor keep an event from anybody else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, or_, select
from sqlalchemy.orm import Session

from bridge import events
from bridge.commands.statements import says_the_same, speaks_against
from bridge.intake.recorder import Arrival
from bridge.privacy.vault import IS_KEY, KEYS, PAYLOAD, SealedRow, Vault
from bridge.tables import DeliveryRow, EventRow, LaneRow, OpenMergeRow, core

#: How far back from its head a lane is looked at.
RECENT = 20
#: Events of one subject, the newest, that are looked through for one that speaks against an echo.
MOST_TOLD = 100

#: Event types that a command about the same subject establishes.
_ABOUT_ITS_SUBJECT = frozenset(
    {
        events.CONVERSATION_ATTRIBUTES_UPDATED,
        events.INTERACTION_UPDATED,
        events.RECORD_CREATED,
        events.RECORD_UPDATED,
    }
)

_EVENT = core(EventRow)
_LANE = core(LaneRow)
_DELIVERY = core(DeliveryRow)
_OPEN_MERGE = core(OpenMergeRow)


@dataclass(frozen=True, kw_only=True)
class _Command:
    """A command that may have caused a webhook: begun and still open, or settled within the window."""

    id: str
    operation: str
    body: Mapping[str, Any]
    #: The destination that asked for it.
    asked_by: str
    #: The version that it gave its subject; None while that is not known.
    version: str | None


@dataclass(frozen=True, kw_only=True)
class Echoes:
    """`mark` is what `SharedCommits` calls before it records."""

    vault: Vault
    #: Name of the destination that carries commands out.
    genesys: str
    #: Names of the sources by which Genesys tells of changes.
    sources: frozenset[str]
    #: How long after its end a command may still be the cause of a webhook that names no version.
    window: timedelta

    def mark(self, session: Session, arrivals: Sequence[Arrival], now: datetime) -> Sequence[Arrival]:
        """`arrivals` in their order, those that are echoes with `caused_by`. Reads only; one statement where nothing
        is suspicious, none where nothing can be."""
        of_genesys = [one for one in arrivals if self._is_told_by_genesys(one)]
        merges_asked = {id_ for one in of_genesys for id_ in _merged_ids(one)}
        if merges_asked:
            arrivals = self._awaiting(session, arrivals, merges_asked)
        by_subject = self._about(session, {one.event.subject for one in of_genesys if _tells_of_subject(one)}, now)
        by_source = self._merges(session, merges_asked, now)
        if not by_subject and not by_source:
            return arrivals
        marked: list[Arrival] = []
        for arrival in arrivals:
            command = None
            if self._is_told_by_genesys(arrival):
                command = _of_merge(arrival, by_source) or _said_by(arrival, by_subject.get(arrival.event.subject, ()))
            if command is None or self._is_outdated(session, command, arrival, marked):
                marked.append(arrival)
            else:
                marked.append(replace(arrival, caused_by=command.asked_by))
        return marked

    def _awaiting(self, session: Session, arrivals: Sequence[Arrival], asked: Iterable[str]) -> Sequence[Arrival]:
        """Mark the news of merges of ours that are still polled for: only the fact has their timeline and metrics."""
        values = {"genesys": self.genesys, "interactions": sorted(asked)}
        still_open = {row.interaction_id: row.command_id for row in session.execute(_OPEN_MERGES, values)}
        return [
            replace(one, awaits_fact=True) if self._is_told_by_genesys(one) and _is_of_one(one, still_open) else one
            for one in arrivals
        ]

    def _is_told_by_genesys(self, arrival: Arrival) -> bool:
        return arrival.source in self.sources and arrival.state == "recorded"

    def _about(self, session: Session, subjects: Iterable[str], now: datetime) -> Mapping[str, Sequence[_Command]]:
        """The commands that are in question for each subject, the newest first."""
        wanted = sorted(subjects)
        if not wanted:
            return {}
        values = {"genesys": self.genesys, "subjects": wanted, "since": now - self.window}
        found: defaultdict[str, list[_Command]] = defaultdict(list)
        for row in session.execute(_ABOUT, values):
            if (command := self._command(row)) is not None:
                found[row.subject].append(command)
        return found

    def _merges(self, session: Session, interaction_ids: Iterable[str], now: datetime) -> Mapping[str, _Command]:
        """By interaction, the merge that holds it."""
        wanted = sorted(interaction_ids)
        if not wanted:
            return {}
        values = {"genesys": self.genesys, "interactions": wanted, "since": now - self.window}
        found = {row.interaction_id: self._command(row) for row in session.execute(_MERGES, values)}
        return {interaction_id: command for interaction_id, command in found.items() if command is not None}

    def _is_outdated(self, session: Session, command: _Command, arrival: Arrival, before: Sequence[Arrival]) -> bool:
        """True where somebody else has changed the same thing to something else since the command was asked for: what
        says the same as the command after that may be another change, of which its asker has to hear."""
        told: list[Mapping[str, Any] | None] = [
            one.event.payload
            for one in before
            if one.event.subject == arrival.event.subject and one.caused_by != command.asked_by
        ]
        values = {"command": command.id, "by": command.asked_by, "subject": arrival.event.subject}
        rows = session.execute(_TOLD_SINCE, values | {"type": arrival.event.type})
        told += [self.vault.readable_payload(row.id, row) for row in rows]
        # What was erased since may have spoken against it.
        return any(payload is None or speaks_against(payload, command.body) for payload in told)

    def _command(self, row: SealedRow) -> _Command | None:
        """None: it was erased, and so is not known by what it said."""
        payload = self.vault.readable_payload(row.id, row)
        if payload is None:
            return None
        result = (row.progress or {}).get("result") or {}
        version = result.get("version")
        return _Command(
            id=row.id,
            operation=row.type,
            body=payload["body"],
            asked_by=row.caused_by,
            version=None if version is None else str(version),
        )


def _tells_of_subject(arrival: Arrival) -> bool:
    return arrival.event.type in _ABOUT_ITS_SUBJECT


def _merged_ids(arrival: Arrival) -> Sequence[str]:
    if arrival.event.type != events.INTERACTION_MERGED:
        return ()
    ids = arrival.event.payload.get("sourceInteractionIds")
    return ids if isinstance(ids, list) else ()


def _of_merge(arrival: Arrival, by_source: Mapping[str, _Command]) -> _Command | None:
    """The merge that holds every one of the sources."""
    holders = [by_source.get(interaction_id) for interaction_id in _merged_ids(arrival)]
    return holders[0] if holders and all(holder == holders[0] for holder in holders) else None


def _is_of_one(arrival: Arrival, merges: Mapping[str, str]) -> bool:
    """Whether one and the same merge holds every interaction that was merged."""
    holders = {merges.get(interaction_id) for interaction_id in _merged_ids(arrival)}
    return len(holders) == 1 and None not in holders


def _said_by(arrival: Arrival, commands: Sequence[_Command]) -> _Command | None:
    event = arrival.event
    for command in commands:
        if None not in (event.version, command.version) and event.version != command.version:
            continue  # a change after, or before, the one that the command made
        if says_the_same(event.type, event.payload, command.operation, command.body):
            return command
    return None


def _in_question(statement: Select[Any]) -> Select[Any]:
    """Asked for by a destination, and begun and still open, or ended not long ago."""
    begun = or_(_LANE.c.lease_token.is_not(None), _DELIVERY.c.attempts > 0, _DELIVERY.c.progress.is_not(None))
    is_head = and_(_DELIVERY.c.state == "pending", _DELIVERY.c.seq == _LANE.c.head_seq)
    return statement.where(
        _LANE.c.destination == bindparam("genesys"),
        _EVENT.c.caused_by.is_not(None),
        or_(and_(is_head, begun), _DELIVERY.c.finished_at >= bindparam("since")),
    ).order_by(_DELIVERY.c.seq.desc())


_COLUMNS = (_EVENT.c.id, _EVENT.c.type, *PAYLOAD, _EVENT.c.caused_by, _DELIVERY.c.progress)
_ABOUT = _in_question(
    select(_LANE.c.subject, *_COLUMNS)
    .join(
        _DELIVERY,
        and_(
            _DELIVERY.c.lane_id == _LANE.c.lane_id,
            _DELIVERY.c.seq.between(_LANE.c.head_seq - RECENT, _LANE.c.head_seq),
        ),
    )
    .join(_EVENT, _EVENT.c.id == _DELIVERY.c.event_id)
    .outerjoin(KEYS, IS_KEY)
    .where(_LANE.c.subject.in_(bindparam("subjects", expanding=True)))
)
_MERGES = _in_question(
    select(_OPEN_MERGE.c.interaction_id, *_COLUMNS)
    .join(_EVENT, _EVENT.c.id == _OPEN_MERGE.c.command_id)
    .join(_DELIVERY, _DELIVERY.c.event_id == _EVENT.c.id)
    .join(_LANE, _LANE.c.lane_id == _DELIVERY.c.lane_id)
    .outerjoin(KEYS, IS_KEY)
    .where(_OPEN_MERGE.c.interaction_id.in_(bindparam("interactions", expanding=True)))
)
_OPEN_MERGES = (
    select(_OPEN_MERGE.c.interaction_id, _OPEN_MERGE.c.command_id)
    .join(_DELIVERY, _DELIVERY.c.event_id == _OPEN_MERGE.c.command_id)
    .where(
        _OPEN_MERGE.c.interaction_id.in_(bindparam("interactions", expanding=True)),
        _DELIVERY.c.destination == bindparam("genesys"),
        _DELIVERY.c.state == "pending",
        _DELIVERY.c.progress.is_not(None),
    )
)
_TOLD_SINCE = (
    select(_EVENT.c.id, *PAYLOAD)
    .outerjoin(KEYS, IS_KEY)
    .where(
        _EVENT.c.subject == bindparam("subject"),
        _EVENT.c.id > bindparam("command"),
        _EVENT.c.type == bindparam("type"),
        _EVENT.c.caused_by.is_distinct_from(bindparam("by")),
    )
    .order_by(_EVENT.c.id.desc())
    .limit(MOST_TOLD)
)
