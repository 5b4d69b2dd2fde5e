"""What a merge leaves behind: the progress between its steps, and what is told of it at its end. It may not write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.clock import rfc3339
from bridge.genesys.errors import GenesysError, OperationFailed
from bridge.genesys.operations.merge_plan import Source, accuracy, timeline
from bridge.genesys.readings import MergeState
from bridge.genesys.steps import Done, Fact
from bridge.genesys.work import Work


@dataclass(frozen=True, kw_only=True)
class MergeProgress:
    """Stored between the steps; nothing in it is personal."""

    merge_request_id: str
    #: `{id, type, start, end}` each, times as text.
    sources: Sequence[Mapping[str, str]]
    customer_id: str | None
    #: How many of the named interactions were left out as duplicates.
    duplicates: int
    priority_score: int
    #: Known once Genesys has taken the submission.
    merged_id: str | None = None
    submitted_at: str | None = None
    polls: int = 0

    def age(self, now: datetime) -> timedelta:
        """Since Genesys took the submission."""
        return now - datetime.fromisoformat(self.submitted_at) if self.submitted_at else timedelta(0)

    def source_list(self) -> list[Source]:
        return [
            Source(
                id=stored["id"],
                type=stored["type"],
                start=datetime.fromisoformat(stored["start"]),
                end=datetime.fromisoformat(stored["end"]) if "end" in stored else None,
            )
            for stored in self.sources
        ]

    def ids(self) -> dict[str, object]:
        return {
            "mergeRequestId": self.merge_request_id,
            "mergedInteractionId": self.merged_id,
            "sourceInteractionIds": [stored["id"] for stored in self.sources],
        }


def stored_source(source: Source) -> dict[str, str]:
    """As it stands in the progress."""
    end = {} if source.end is None else {"end": rfc3339(source.end)}
    return {"id": source.id, "type": source.type, "start": rfc3339(source.start), **end}


def failed(progress: MergeProgress, said: str) -> OperationFailed:
    result = {**progress.ids(), "state": "failed", "reason": said}
    return OperationFailed(f"the merge failed: {said}", result=result)


def done(work: Work, progress: MergeProgress, merged_id: str, state: MergeState) -> Done:
    """The result and the fact `interaction.merged`. Raises RateLimited or Unavailable where the merged interaction
    cannot be read now."""
    merged = _merged(work, merged_id)
    sources = progress.source_list()
    story = timeline(sources, work.settings.merge.weights, progress.duplicates)
    confirmed = state.confirmed_ids
    if confirmed is None and merged is not None:
        confirmed = merged.confirmed_ids
    version = merged.version if merged else None
    told: dict[str, object] = {
        "channelSequence": story["channelSequence"],
        "timeline": story,
        "metrics": {
            "mergeLatencyMs": int(progress.age(work.now) / timedelta(milliseconds=1)),
            "deduplicationAccuracy": accuracy([source.id for source in sources], confirmed),
            "priorityScore": progress.priority_score,
        },
        "version": version,
    }
    payload = {
        "interactionId": merged_id,
        "sourceInteractionIds": [source.id for source in sources],
        "customer": _customer(work, progress, merged, sources),
        "processedAt": rfc3339(work.now),
        **told,
    }
    fact = Fact(
        type="interaction.merged",
        subject=f"interaction:{merged_id}",
        payload=payload,
        version=None if version is None else str(version),
        occurred_at=work.now,
    )
    return Done(result={**progress.ids(), "state": "completed", **told}, facts=(fact,))


def _merged(work: Work, merged_id: str) -> MergeState | None:
    """The merged interaction itself; None where Genesys does not show it. The merge is done all the same."""
    try:
        return work.profile.as_merge_state(work.send(work.profile.read_interaction(merged_id)))
    except GenesysError as error:
        if error.retryable:
            raise
        return None


def _customer(
    work: Work, progress: MergeProgress, merged: MergeState | None, sources: Sequence[Source]
) -> dict[str, str | None]:
    """`{id, phoneNumber, email}` from the merged interaction, else from a source that is still shown. Read at the end
    rather than stored, so that no personal data lies in the progress."""
    customer = merged.customer if merged else None
    for source in sources:
        if customer is not None and customer.phone_number is not None:
            break
        shown = _merged(work, source.id)
        customer = shown.customer if shown and shown.customer else customer
    return {
        "id": progress.customer_id,
        "phoneNumber": customer.phone_number if customer else None,
        "email": customer.email if customer else None,
    }
