"""Operation 5, `interactions.purge`: interactions of a type and time are purged under a policy.

Steps: check and note that it begins; check again and submit; poll until Genesys is done, at most 7 days. It may not
submit what holds, open purges or governance forbid at that moment.

Done twice? A purge has no request id and cannot be looked up before its id is known: the idempotency key is the only
means by which Genesys can tell a repeated submission. That one begins is stored first (`submitting_since`). A
submission that was begun and never answered (said by the error's progress), or that begins long after it was noted (a
worker died in between), may have been taken: the result then says `maybe_doubled`. A second purge of the same selection
destroys nothing more, but its total counts only what the first had left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from bridge.clock import rfc3339
from bridge.errors import FieldError
from bridge.genesys.errors import GenesysError, Invalid, NotFound, RateLimited, Unavailable
from bridge.genesys.operations.purge_result import PurgeProgress, ended
from bridge.genesys.purge_policy import PurgePolicy, read_policy
from bridge.genesys.readings import PurgeState
from bridge.genesys.rules import Check
from bridge.genesys.steps import StepResult, Wait, restored
from bridge.genesys.work import Work

FIRST_POLL_SECONDS = 15.0
POLL_FACTOR = 1.1
LIMITED_FACTOR = 2.0
LONGEST_POLL_SECONDS = 300.0
LONGEST_PURGE = timedelta(days=7)
#: A submission follows its note at once; one that comes later is the repeat of one that was cut off.
FOLLOWS_WITHIN = timedelta(seconds=10)
ENDS = ("completed", "failed", "cancelled")


def read_command(body: Mapping[str, object], check: Check) -> PurgePolicy:
    """As `purge_policy.read_policy`, at the moment of `check`."""
    return read_policy(
        body,
        governance=check.settings.purge,
        now=check.now,
        holds=check.rules.holds,
        open_purges=check.open_purges,
    )


def advance(work: Work) -> StepResult:
    """Raises Invalid, OperationFailed (with the fact) where the purge fails, is cancelled, is not known any more or is
    not confirmed in time, and what any call raises."""
    progress = restored(PurgeProgress, work.progress or {})
    if progress.purge_id is not None:
        return _polled(work, progress, progress.purge_id)
    doubt = progress.maybe_doubled or _was_cut_off(progress, work.now)
    policy = _allowed(work, doubt)
    if progress.submitting_since is None:
        noted = replace(progress, submitting_since=rfc3339(work.now))
        return Wait(progress=asdict(noted), delay=timedelta(0))
    return _submitted(work, policy, replace(progress, maybe_doubled=doubt))


def _was_cut_off(progress: PurgeProgress, now: datetime) -> bool:
    noted_at = progress.submitting_since
    return noted_at is not None and now - datetime.fromisoformat(noted_at) > FOLLOWS_WITHIN


def _allowed(work: Work, doubt: bool) -> PurgePolicy:
    """The policy. Raises Invalid; with `doubt` that tells that the refusal may come too late."""
    try:
        return read_command(work.command.body, work.check)
    except Invalid as refused:
        if not doubt:
            raise
        message = "An earlier submission of this purge may have been taken: look for it in Genesys."
        late = FieldError(field="body", rule="maybe_submitted", message=message)
        raise Invalid([*refused.errors, late]) from refused


def _submitted(work: Work, policy: PurgePolicy, progress: PurgeProgress) -> Wait:
    try:
        state = work.profile.as_purge_state(work.send(work.profile.purge(policy)))
        if state.purge_id is None:
            raise Unavailable("Genesys took the purge and did not name it: it is asked again")
    except GenesysError as error:
        # This submission is over, however late the next begins: that one is noted anew.
        lost = isinstance(error, Unavailable) and error.sent
        error.progress = asdict(PurgeProgress(maybe_doubled=progress.maybe_doubled or lost))
        raise
    after = replace(
        progress,
        purge_id=state.purge_id,
        status=state.status,
        submitted_at=rfc3339(work.now),
        poll_seconds=FIRST_POLL_SECONDS,
    )
    return Wait(progress=asdict(after), delay=timedelta(seconds=FIRST_POLL_SECONDS))


def _polled(work: Work, progress: PurgeProgress, purge_id: str) -> StepResult:
    try:
        state = work.profile.as_purge_state(work.send(work.profile.read_purge_status(purge_id)))
    except RateLimited as limited:
        if limited.deferred:
            raise
        return _next_poll(progress, LIMITED_FACTOR, at_least=limited.retry_after or timedelta(0))
    except NotFound:
        return ended(work, replace(progress, status="failed"), "Genesys does not know the purge any more")
    seen = replace(progress, status=state.status, total_purged=state.total_purged)
    if state.status in ENDS:
        return ended(work, seen, state.error_reason)
    if work.now - seen.submitted() >= LONGEST_PURGE:
        return ended(work, replace(seen, status="failed"), "not confirmed within 7 days")
    return _next_poll(seen, POLL_FACTOR)


def _next_poll(progress: PurgeProgress, factor: float, at_least: timedelta = timedelta(0)) -> Wait:
    seconds = min(progress.poll_seconds * factor, LONGEST_POLL_SECONDS)
    after = replace(progress, poll_seconds=seconds, polls=progress.polls + 1)
    return Wait(progress=asdict(after), delay=max(timedelta(seconds=seconds), at_least))


def submitted_purge(result: StepResult) -> PurgeState | None:
    """The purge as Genesys took it; None before that."""
    progress = restored(PurgeProgress, result.progress) if isinstance(result, Wait) else None
    if progress is None or progress.purge_id is None:
        return None
    return PurgeState(
        purge_id=progress.purge_id,
        status=progress.status or "",
        total_purged=None,
        error_reason=None,
        maybe_doubled=progress.maybe_doubled,
    )
