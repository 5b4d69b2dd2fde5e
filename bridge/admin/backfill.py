"""Which destinations can be filled with what was recorded before they wanted it. It may not ask Genesys for anything.

Genesys cannot be asked for the webhooks of a past hour: what was not sent to us is not to be had. What was, is kept,
and a destination that was configured or subscribed later is owed it by a replay of what it was never owed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

from sqlalchemy.orm import Session

from bridge.admin.destinations import KnownDestination, destination_named
from bridge.destinations.registry import GENESYS
from bridge.errors import Conflict
from bridge.outbox.replay_orders import PlannedReplay, plan_replay
from bridge.outbox.selection import Mode, ReplayFilter, Wants


def plan_backfill(
    session: Session,
    wanted: Mapping[str, Wants],
    known: Mapping[str, KnownDestination],
    *,
    to: Collection[str],
    narrowed: ReplayFilter,
    mode: Mode,
    now: datetime,
) -> list[PlannedReplay]:
    """What to order a replay of, for each destination of `to` (none named: of all) that would be owed anything.

    `narrowed` says which events. Raises NotFound; Conflict for Genesys: a command that was not given to it then may not
    be carried out now.
    """
    if any(destination_named(known, name).kind == GENESYS for name in to):
        raise Conflict("commands are never given later by a backfill; give the command again, over the API")
    names = [name for name, one in known.items() if one.kind != GENESYS and (not to or name in to)]
    filters = [replace(narrowed, destination=name, state="none") for name in names]
    planned = [plan_replay(session, one, mode, wanted, now=now) for one in filters]
    return [one for one in planned if one.counts.matched]
