"""A command as it is told to whoever asked: derived from its event and its delivery. It may not change either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bridge.commands.search import (
    CommandFilter,
    CommandRow,
    CommandState,
    OwnCommands,
    command_row,
    command_rows,
    newest_commands,
)
from bridge.errors import NotFound
from bridge.lists.walk import EXAMINED

#: What an operation stores between its steps and anybody may see; the rest is its own business.
_SHOWN_PROGRESS = ("merge_request_id", "merged_id", "purge_id", "status", "total_purged", "polls")
_OPEN: tuple[CommandState, ...] = ("accepted", "running")


@dataclass(frozen=True, kw_only=True)
class CommandView:
    """What `GET /commands/{id}` shows; times are aware, UTC."""

    id: str
    operation: str
    subject: str
    state: CommandState
    #: `{at, outcome, status?, detail?}` each, oldest first; of a command that polls for days the newest.
    steps: Sequence[Mapping[str, object]]
    #: What Genesys made of it, masked; None until it succeeded, or ended badly there.
    result: Mapping[str, object] | None
    #: Masked; why it failed, or what the newest try ran into.
    error: str | None
    conflicts: int
    #: Latency, retries, conflicts, violations so far.
    measures: Mapping[str, object]
    #: How far a merge or a purge is at Genesys.
    progress: Mapping[str, object]
    delivery_id: str | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.state not in _OPEN


@dataclass(frozen=True, kw_only=True)
class ListedCommands:
    items: list[CommandView]
    #: The id down to which was looked; None: to the end.
    floor: str | None


def read_command(session: Session, command_id: str, *, own: OwnCommands | None = None) -> CommandView:
    """The command; with `own`, one of those. Raises NotFound."""
    row = command_row(session, command_id)
    if row is None or (own is not None and row.caused_by != own.destination):
        raise NotFound("No command has this id; see GET /api/v1/commands.")
    return _view(row)


def read_commands(session: Session, command_ids: Sequence[str]) -> dict[str, CommandView]:
    """Those that are there, by id."""
    return {row.id: _view(row) for row in command_rows(session, command_ids)}


def list_commands(
    session: Session,
    wanted: CommandFilter,
    *,
    before_id: str | None = None,
    limit: int = 50,
    examined: int = EXAMINED,
) -> ListedCommands:
    """At most `limit`, newest first; fewer where it has looked at `examined` commands."""
    found = newest_commands(session, wanted, before_id=before_id, limit=limit, examined=examined)
    return ListedCommands(items=[_view(row) for row in found.rows], floor=found.floor)


def _view(row: CommandRow) -> CommandView:
    progress: Mapping[str, Any] = row.progress or {}
    measures = progress.get("measures") or {}
    work = progress.get("work") or {}
    return CommandView(
        id=row.id,
        operation=row.operation,
        subject=row.subject,
        state=state_of(row),
        steps=progress.get("steps") or [],
        result=progress.get("result"),
        error=row.last_error if row.state != "delivered" else None,
        conflicts=int(measures.get("conflicts", 0)),
        measures=measures,
        progress={name: work[name] for name in _SHOWN_PROGRESS if work.get(name) is not None},
        delivery_id=row.delivery_id,
        attempts=row.attempts or 0,
        created_at=row.received_at,
        finished_at=row.finished_at,
    )


def state_of(row: CommandRow) -> CommandState:
    """The same words as `search` selects by."""
    match row.state:
        case "delivered":
            return "succeeded"
        case "cancelled" | "superseded":
            return "cancelled"
        case "dead":
            return "failed"
        case _:
            return "running" if row.progress or row.attempts else "accepted"
