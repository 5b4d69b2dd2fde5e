"""Merges and purges while they run: what they are asked, how far they are. It may not carry them out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from bridge.sandbox.model import wire_time


@dataclass(frozen=True, kw_only=True)
class Course:
    """How an asynchronous work comes to its end: at this poll or after so many seconds, whichever is first."""

    polls: int | None
    seconds: float | None

    def done(self, polls: int, elapsed: float) -> float:
        """From 0 to 1, the share that is done."""
        by_polls = 0.0 if self.polls is None else 1.0 if self.polls == 0 else polls / self.polls
        by_time = 0.0 if self.seconds is None else 1.0 if self.seconds <= 0 else elapsed / self.seconds
        return min(1.0, max(by_polls, by_time))


@dataclass(frozen=True, kw_only=True)
class Fate:
    """An end that somebody asked for by a fault, in place of `completed`."""

    #: `conflict`: a merge is completed and its polls answer 409; `cancelled`: so is a purge; anything else: failed.
    outcome: str
    reason: str


@dataclass(kw_only=True)
class Merge:
    merge_request_id: str
    merged_id: str
    source_ids: tuple[str, ...]
    priority_score: float
    submitted: datetime
    #: How often it was posted, whatever the number of merges that made: one.
    submissions: int = 1
    polls: int = 0
    #: pending, processing, completed or failed
    state: str = "pending"
    settled: datetime | None = None
    error_reason: str | None = None
    fate: Fate | None = None

    def as_json(self) -> dict[str, object]:
        """The answer to the submission and to a poll; sources are told once they are confirmed."""
        answer: dict[str, object] = {
            "id": self.merged_id,
            "mergeRequestId": self.merge_request_id,
            "processingState": self.state,
            "priorityScore": self.priority_score,
            "submittedDate": wire_time(self.submitted),
        }
        if self.state == "completed":
            answer["sourceInteractionIds"] = list(self.source_ids)
        if self.error_reason is not None:
            answer["errorReason"] = self.error_reason
        return answer

    def as_state(self) -> dict[str, object]:
        """What `/_sandbox/state` and the page tell, more than the platform would."""
        return {
            **self.as_json(),
            "sources": list(self.source_ids),
            "submissions": self.submissions,
            "polls": self.polls,
            "settledDate": None if self.settled is None else wire_time(self.settled),
        }


@dataclass(kw_only=True)
class PurgePart:
    """One entry of `interactions[]` of a purge."""

    type: str
    start: datetime
    end: datetime
    attributes: dict[str, str]
    purge_type: str
    reason: str
    matched: int = 0
    purged: int = 0
    error_reason: str | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "type": self.type,
            "dateRange": {"start": wire_time(self.start), "end": wire_time(self.end)},
            "purgeType": self.purge_type,
            "totalInteractionsPurged": self.purged,
            "errorReason": self.error_reason,
        }


@dataclass(kw_only=True)
class Purge:
    id: str
    parts: list[PurgePart]
    submitted: datetime
    polls: int = 0
    #: queued, running, completed, failed or cancelled
    status: str = "queued"
    settled: datetime | None = None
    fate: Fate | None = None
    purged_ids: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        return {
            "purgeId": self.id,
            "status": self.status,
            "startTime": wire_time(self.submitted),
            "endTime": None if self.settled is None else wire_time(self.settled),
            "interactions": [part.as_json() for part in self.parts],
        }

    def as_state(self) -> dict[str, object]:
        """What `/_sandbox/state` and the page tell, more than the platform would."""
        return {
            **self.as_json(),
            "polls": self.polls,
            "matched": sum(part.matched for part in self.parts),
            "purgedIds": list(self.purged_ids),
        }
