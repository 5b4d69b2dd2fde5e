"""Which of the deliveries that wait in a lane goes next, and which became stale. It may not know a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridge.events import Carries, version_number


@dataclass(frozen=True, kw_only=True)
class Age:
    """What tells which of two events is the newer: the version where both have one, else the time."""

    version: str | None
    occurred_at: datetime | None

    def is_older_than(self, other: Age) -> bool:
        """False also where nothing tells: then the order of recording stands."""
        mine, theirs = version_number(self.version), version_number(other.version)
        if mine is not None and theirs is not None:
            return mine < theirs
        if self.occurred_at is not None and other.occurred_at is not None:
            return self.occurred_at < other.occurred_at
        return False


@dataclass(frozen=True, kw_only=True)
class InLine:
    """One delivery of a lane from its head on. `pending` is False for one that was cancelled in its place."""

    seq: int
    delivery_id: str
    carries: Carries
    age: Age
    pending: bool


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What a claim makes of a lane: who goes next (None: nobody in this window), and who became stale by whom.

    `superseded` pairs each stale delivery with the id of the newer one, None where that was delivered before.
    """

    head: InLine | None
    superseded: tuple[tuple[InLine, str | None], ...]


def choose(line: Sequence[InLine], last_delivered: Age | None, *, skip_stale: bool) -> Choice:
    """The next of `line` (in the order of seq) to be sent.

    With `skip_stale`, a run of events that carry STATE is coalesced into its newest, and a run that is older than
    what was delivered is skipped whole. A CHANGE is never skipped; an END is a barrier that no run crosses.
    """
    waiting = [one for one in line if one.pending]
    stale: list[tuple[InLine, str | None]] = []
    while waiting:
        if not skip_stale or waiting[0].carries is not Carries.STATE:
            return Choice(head=waiting[0], superseded=tuple(stale))
        run = _leading_states(waiting)
        newest = _newest(run)
        if last_delivered is None or not newest.age.is_older_than(last_delivered):
            stale += [(one, newest.delivery_id) for one in run if one.seq < newest.seq]
            return Choice(head=newest, superseded=tuple(stale))
        stale += [(one, None) for one in run]
        waiting = waiting[len(run) :]
    return Choice(head=None, superseded=tuple(stale))


def _leading_states(waiting: Sequence[InLine]) -> Sequence[InLine]:
    for index, one in enumerate(waiting):
        if one.carries is not Carries.STATE:
            return waiting[:index]
    return waiting


def _newest(run: Sequence[InLine]) -> InLine:
    newest = run[0]
    for one in run[1:]:
        if not one.age.is_older_than(newest.age):
            newest = one
    return newest
