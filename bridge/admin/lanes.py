"""An operator's two ways out of a blocked lane. They may not move a lane themselves: the outbox does."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from bridge.admin.reasons import check_reason
from bridge.audit.notes import AuditNotes
from bridge.outbox.ledger.blocked import release_lane, skip_lane

WayOut = Literal["skip", "release"]


def free_lane(
    session: Session,
    way_out: WayOut,
    destination: str,
    subject: str,
    *,
    head: str | None,
    reason: str,
    actor: str,
    now: datetime,
    notes: AuditNotes,
) -> str:
    """Let a blocked lane go on: behind its dead head (`skip`), or with it once more (`release`).

    Returns the id of that delivery; `head` is the one that the operator saw there. Raises as `ledger.blocked` does, and
    Invalid without a reason.
    """
    check_reason(reason)
    free = skip_lane if way_out == "skip" else release_lane
    return free(session, destination, subject, head=head, reason=reason, actor=actor, now=now, notes=notes)
