"""What a purge leaves behind: the progress between its steps, and what is told of its end. It may not call anybody."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.clock import rfc3339
from bridge.genesys.errors import OperationFailed
from bridge.genesys.steps import Done, Fact
from bridge.genesys.work import Work

AUTOMATED = "automated_retention"


@dataclass(frozen=True, kw_only=True)
class PurgeProgress:
    """Stored between the steps, and what is shown of a purge that runs."""

    #: Stored before a submission begins; None: none is under way.
    submitting_since: str | None = None
    maybe_doubled: bool = False
    #: Known once Genesys has taken the submission.
    purge_id: str | None = None
    submitted_at: str = ""
    #: As Genesys said it last, in lower case.
    status: str | None = None
    total_purged: int | None = None
    polls: int = 0
    #: Until the next poll.
    poll_seconds: float = 0.0

    def submitted(self) -> datetime:
        """When Genesys took it."""
        return datetime.fromisoformat(self.submitted_at)


def ended(work: Work, progress: PurgeProgress, error_reason: str | None) -> Done:
    """The result and the fact `purge.completed`, `purge.failed` or `purge.cancelled`, with what the audit entry needs.

    Raises OperationFailed with them unless the purge is completed.
    """
    body = work.command.body
    payload: dict[str, object] = {
        "purgeId": progress.purge_id,
        "status": progress.status,
        "policyApplied": dict(body),
        "metrics": _metrics(work, progress, error_reason),
        "complianceTags": [body["classification"], body["purgeType"], AUTOMATED],
        "maybe_doubled": progress.maybe_doubled,
        "processedAt": rfc3339(work.now),
    }
    fact = Fact(type=f"purge.{progress.status}", subject=None, payload=payload, occurred_at=work.now)
    if progress.status == "completed":
        return Done(result=payload, facts=(fact,))
    raise OperationFailed(f"the purge is {progress.status}: see its metrics", result=payload, facts=(fact,))


def _metrics(work: Work, progress: PurgeProgress, error_reason: str | None) -> dict[str, object]:
    lasted = work.now - progress.submitted()
    total = progress.total_purged
    rate = round(total / lasted.total_seconds(), 3) if total is not None and lasted > timedelta(0) else None
    return {
        "jobId": progress.purge_id,
        "status": progress.status,
        "startTime": rfc3339(progress.submitted()),
        "endTime": rfc3339(work.now),
        "durationMs": int(lasted / timedelta(milliseconds=1)),
        "totalInteractionsPurged": total,
        "perSecond": rate,
        "errorReason": error_reason,
    }
