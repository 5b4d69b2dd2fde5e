"""A command as it is told to whoever asked: derived from its event and its delivery. It may not change either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy.orm import Session

from bridge.commands.ledger import CommandRow, command_row, command_rows
from bridge.errors import NotFound

CommandState = Literal["accepted", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, kw_only=True)
class CommandView:
    """What `GET /commands/{id}` shows; times are aware, UTC."""

    id: str
    operation: str
    subject: str
    state: CommandState
    #: `{at, outcome, detail?}` each, oldest first.
    steps: Sequence[Mapping[str, object]]
    #: What Genesys made of it; None until it succeeded, or ended badly there.
    result: Mapping[str, object] | None
    #: Masked; why it failed, or what the newest try ran into.
    error: str | None
    conflicts: int
    #: Latency, retries, conflicts, violations so far.
    measures: Mapping[str, object]
    delivery_id: str | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None


def read_command(session: Session, command_id: str) -> CommandView:
    """Raises NotFound."""
    row = command_row(session, command_id)
    if row is None:
        raise NotFound("No command has this id; see GET /api/v1/commands.")
    return _view(row)


def list_commands(
    session: Session,
    *,
    operation: str | None = None,
    subject: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    before_id: str | None = None,
    limit: int = 50,
) -> list[CommandView]:
    """Newest first."""
    rows = command_rows(
        session,
        operation=operation,
        subject=subject,
        since=since,
        until=until,
        before_id=before_id,
        limit=limit,
    )
    return [_view(row) for row in rows]


def _view(row: CommandRow) -> CommandView:
    progress: Mapping[str, Any] = row.progress or {}
    measures = progress.get("measures") or {}
    return CommandView(
        id=row.id,
        operation=row.operation,
        subject=row.subject,
        state=_state(row, progress),
        steps=progress.get("steps") or [],
        result=progress.get("result"),
        error=row.last_error if row.state != "delivered" else None,
        conflicts=int(measures.get("conflicts", 0)),
        measures=measures,
        delivery_id=row.delivery_id,
        attempts=row.attempts or 0,
        created_at=row.received_at,
        finished_at=row.finished_at,
    )


def _state(row: CommandRow, progress: Mapping[str, Any]) -> CommandState:
    match row.state:
        case "delivered":
            return "succeeded"
        case "cancelled" | "superseded":
            return "cancelled"
        case "dead":
            return "failed"
        case _:
            return "running" if progress or row.attempts else "accepted"
