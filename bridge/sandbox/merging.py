"""Merges: one per `mergeRequestId`, asynchronous, at their end one interaction from several. It may not know HTTP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bridge.sandbox.model import INTERACTION_TYPES, Interaction
from bridge.sandbox.notices import interaction_merged
from bridge.sandbox.reading import Fields
from bridge.sandbox.refusals import Problem, Refused, bad_request, not_found
from bridge.sandbox.work import Course, Fate, Merge
from bridge.sandbox.world import World


def submit(
    world: World, body: Mapping[str, object], *, idempotency_key: str | None, fate: Fate | None
) -> dict[str, object]:
    """The merge, begun by this submission or by an earlier one of the same request.

    Raises `Refused` (400) naming everything that stands against it.
    """
    request_id, wanted, score = _read(body)
    with world.lock:
        known_as = world.merge_keys.get(idempotency_key or "", request_id)
        known = world.merges.get(known_as)
        if known is not None:
            return _again(known, [interaction_id for interaction_id, _ in wanted])
        sources = _sources(world, wanted)
        merge = _begin(world, request_id, sources, score, fate)
        if idempotency_key is not None and world.config.honour_idempotency_keys:
            world.merge_keys[idempotency_key] = request_id
        _advance(world, merge)
        return merge.as_json()


def poll(world: World, merged_id: str, *, fate: Fate | None) -> dict[str, object]:
    """How far the merge is; each poll may move it. `fate` ends it now, in that way.

    Raises `Refused`: 404; 409 where the merge's fate is `conflict`: it is done, and its status is no more to be had.
    """
    with world.lock:
        merge = _merge_of(world, merged_id)
        if merge is None:
            raise not_found("merged interaction", merged_id)
        merge.polls += 1
        if merge.settled is None and fate is not None:
            merge.fate = fate
            _settle(world, merge)
        _advance(world, merge)
        if merge.settled is not None and merge.fate is not None and merge.fate.outcome == "conflict":
            raise Refused(409, "merge.not.pollable", "The merge is settled; read the interaction instead.")
        return _status(world, merge)


def merged_view(world: World, interaction: Interaction) -> dict[str, object]:
    """The interaction with what its merge adds, where it came from one; with the lock held."""
    merge = _merge_of(world, interaction.id)
    return interaction.as_json() if merge is None else {**interaction.as_json(), **merge.as_json()}


def advance_all(world: World) -> None:
    """Let time do its part."""
    with world.lock:
        for merge in world.merges.values():
            _advance(world, merge)


def _read(body: Mapping[str, object]) -> tuple[str, list[tuple[str, str]], float]:
    fields = Fields(body)
    request_id = fields.text("mergeRequestId")
    wanted = fields.each("interactions", lambda entry: (entry.text("id"), entry.text("type")), least=2)
    fields.text("mergeRule", among=("timestamp",))
    score = fields.number("priorityScore", least=0, most=1000)
    fields.check()
    return request_id, wanted, score


def _again(known: Merge, wanted_ids: Sequence[str]) -> dict[str, object]:
    if set(wanted_ids) != set(known.source_ids):
        said = "This mergeRequestId was used for other interactions."
        raise Refused(400, "merge.request.reused", said)
    known.submissions += 1
    return known.as_json()


def _sources(world: World, wanted: Sequence[tuple[str, str]]) -> list[Interaction]:
    problems = []
    sources: list[Interaction] = []
    for index, (interaction_id, stated_type) in enumerate(wanted):
        found = world.interactions.get(interaction_id)
        reason = _reason_against(found, stated_type)
        if found is not None and found in sources:
            reason = "named twice"
        if found is None or reason is not None:
            said = reason or "no such interaction"
            problems.append(
                Problem(field=f"interactions[{index}]", code="not.mergeable", message=said, entity_id=interaction_id)
            )
        else:
            sources.append(found)
    if len({source.customer.id for source in sources if source.customer}) > 1:
        problems.append(Problem(field="interactions", code="customer", message="not all of one customer"))
    if problems:
        raise bad_request(problems)
    return sources


def _reason_against(found: Interaction | None, stated_type: str) -> str | None:
    if found is None:
        return "no such interaction"
    if found.status != "active":
        return f"is {found.status}"
    if found.merged_into is not None:
        return "is being merged already"
    if found.type != stated_type or stated_type not in INTERACTION_TYPES:
        return f"is of type {found.type}"
    if found.customer is None or not found.customer.phone:
        return "has no customer with a phone number"
    return None


def _begin(world: World, request_id: str, sources: Sequence[Interaction], score: float, fate: Fate | None) -> Merge:
    now = world.clock()
    first = min(sources, key=lambda source: source.start)
    merged = Interaction(
        id=world.ids.new("interaction"),
        type=first.type,
        status="merging",
        version=1,
        created=now,
        updated=now,
        start=first.start,
        end=first.end,
        conversation_id=first.conversation_id,
        customer=first.customer,
    )
    world.interactions[merged.id] = merged
    for source in sources:
        source.merged_into = merged.id
    merge = Merge(
        merge_request_id=request_id,
        merged_id=merged.id,
        source_ids=tuple(source.id for source in sources),
        priority_score=score,
        submitted=now,
        fate=fate,
    )
    world.merges[request_id] = merge
    return merge


def _advance(world: World, merge: Merge) -> None:
    if merge.settled is not None:
        return
    course = Course(polls=world.config.merge_polls, seconds=world.config.merge_seconds)
    done = course.done(merge.polls, (world.clock() - merge.submitted).total_seconds())
    if done >= 1:
        _settle(world, merge)
    elif done >= 0.5:
        merge.state = "processing"


def _settle(world: World, merge: Merge) -> None:
    now = merge.settled = world.clock()
    merged = world.interactions[merge.merged_id]
    sources = [world.interactions[source] for source in merge.source_ids if source in world.interactions]
    merged.updated = now
    if merge.fate is not None and merge.fate.outcome != "conflict":
        merge.state, merge.error_reason, merged.status = "failed", merge.fate.reason, "failed"
        for source in sources:
            source.merged_into = None
        return
    merge.state, merged.status = "completed", "active"
    merged.version += 1
    for source in sorted(sources, key=lambda source: source.start):
        merged.attributes.update(source.attributes)
        source.status = "merged"
        source.version += 1
        source.updated = now
    world.tell(interaction_merged(merged.id, merged.version, merge.source_ids, merged.customer, now))


def _status(world: World, merge: Merge) -> dict[str, object]:
    merged = world.interactions.get(merge.merged_id)
    if merge.state != "completed" or merged is None:
        return merge.as_json()
    customer = None if merged.customer is None else merged.customer.as_json()
    return {**merge.as_json(), "version": merged.version, "customer": customer}


def _merge_of(world: World, merged_id: str) -> Merge | None:
    return next((merge for merge in world.merges.values() if merge.merged_id == merged_id), None)
