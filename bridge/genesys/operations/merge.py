"""Operation 3, `interaction.merge`: several interactions of one customer become one.

Steps: read, check and plan; submit; poll until Genesys is done, at most an hour. It may not submit what was not planned
and stored first.

Done twice? The plan, with its `mergeRequestId`, is stored before anything is submitted. When the answer to the
submission, or our commit of it, is lost, the same plan is submitted again under the same request id and idempotency
key: that is how Genesys tells that it is one merge, and its answer names the merge that it began the first time. The
contract has no other way to look a merge up before its id is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

from bridge.clock import rfc3339
from bridge.genesys.bodies import refuse
from bridge.genesys.errors import NotFound, Unavailable, VersionConflict
from bridge.genesys.operations.merge_command import read_command
from bridge.genesys.operations.merge_plan import Named, deduplicated, priority_score, refusals
from bridge.genesys.operations.merge_result import MergeProgress, done, failed, stored_source
from bridge.genesys.readings import Interaction
from bridge.genesys.steps import StepResult, Wait, restored
from bridge.genesys.work import Work

READERS = 4

FIRST_POLL = timedelta(seconds=2)
POLL_FACTOR = 1.5
LONGEST_POLL = timedelta(minutes=1)
LONGEST_MERGE = timedelta(hours=1)
#: A merge that was just begun may not be visible yet.
APPEARS_WITHIN = timedelta(minutes=1)


def advance(work: Work) -> StepResult:
    """Raises Invalid with every reason against the merge, OperationFailed where it fails or is not confirmed in time,
    and what any call raises."""
    if work.progress is None:
        return Wait(progress=asdict(_planned(work)), delay=timedelta(0))
    plan = restored(MergeProgress, work.progress)
    if plan.merged_id is None:
        return _submitted(work, plan)
    return _polled(work, plan, plan.merged_id)


def _planned(work: Work) -> MergeProgress:
    merge = read_command(work.command.body, work.check)
    found = _read_all(work, list(dict.fromkeys(id_ for id_, _ in merge.interactions)))
    named = [Named(id=id_, type=type_, interaction=found[id_]) for id_, type_ in merge.interactions]
    settings = work.settings
    refuse(refusals(named, merge.dedupe, now=work.now, retention_days=settings.retention_days))
    interactions = [one.interaction for one in named if one.interaction is not None]
    sources = deduplicated(interactions, merge.dedupe)
    request_id = merge.merge_request_id or str(uuid5(NAMESPACE_URL, f"genesys-bridge:merge:{work.command.id}"))
    return MergeProgress(
        merge_request_id=request_id,
        sources=[stored_source(source) for source in sources],
        customer_id=interactions[0].customer.id,
        duplicates=len(named) - len(sources),
        priority_score=priority_score([source.type for source in sources], settings.merge.weights),
    )


def _read_all(work: Work, ids: Sequence[str]) -> dict[str, Interaction | None]:
    """By id; None for one that Genesys does not know. Raises what any call raises."""

    def read(interaction_id: str) -> Interaction | None:
        try:
            return work.profile.as_interaction(work.send(work.profile.read_interaction(interaction_id)))
        except NotFound:
            return None

    with ThreadPoolExecutor(max_workers=min(READERS, len(ids))) as readers:
        return dict(zip(ids, readers.map(read, ids), strict=True))


def _submitted(work: Work, plan: MergeProgress) -> Wait:
    pairs = [(source.id, source.type) for source in plan.source_list()]
    answer = work.send(work.profile.merge(plan.merge_request_id, pairs, plan.priority_score))
    merged_id = work.profile.as_merge_state(answer).merged_id
    if merged_id is None:
        raise Unavailable("Genesys took the merge and did not name it: it is asked again")
    after = replace(plan, merged_id=merged_id, submitted_at=rfc3339(work.now))
    return Wait(progress=asdict(after), delay=FIRST_POLL)


def _polled(work: Work, plan: MergeProgress, merged_id: str) -> StepResult:
    profile = work.profile
    try:
        state = profile.as_merge_state(work.send(profile.read_merge_status(merged_id)))
    except VersionConflict:
        # The merge is over and cannot be polled any more; the merged interaction tells the rest.
        state = profile.as_merge_state(work.send(profile.read_interaction(merged_id)))
        state = replace(state, state="failed" if state.state == "failed" else "completed")
    except NotFound as missing:
        if plan.age(work.now) >= APPEARS_WITHIN:
            raise failed(plan, "Genesys does not know the merged interaction") from missing
        return _next_poll(plan)
    if state.state == "completed":
        return done(work, plan, merged_id, state)
    if state.state == "failed":
        raise failed(plan, "Genesys could not merge the interactions")
    if plan.age(work.now) >= LONGEST_MERGE:
        raise failed(plan, "not confirmed within an hour: look at the merged interaction")
    return _next_poll(plan)


def _next_poll(plan: MergeProgress) -> Wait:
    polls = plan.polls + 1
    delay = min(FIRST_POLL * POLL_FACTOR ** min(polls, 20), LONGEST_POLL)
    return Wait(progress=asdict(replace(plan, polls=polls)), delay=delay)
