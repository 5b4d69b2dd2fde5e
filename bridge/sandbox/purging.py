"""Purges: asynchronous, by type, time and attributes, soft or permanent. It may not know HTTP."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.sandbox.model import INTERACTION_TYPES, Interaction
from bridge.sandbox.notices import interaction_purged
from bridge.sandbox.reading import NOWHEN, Fields
from bridge.sandbox.refusals import not_found
from bridge.sandbox.work import Course, Fate, Purge, PurgePart
from bridge.sandbox.world import World


def submit(world: World, body: Mapping[str, object], *, fate: Fate | None) -> dict[str, object]:
    """`{purgeId, status}`. Raises `Refused` (400) naming every violation."""
    fields = Fields(body)
    fields.only(("interactions",))
    parts = fields.each("interactions", _read_part)
    fields.check()
    with world.lock:
        for part in parts:
            part.matched = len(_matching(world, part))
        purge = Purge(id=world.ids.new("purge"), parts=parts, submitted=world.clock(), fate=fate)
        world.purges[purge.id] = purge
        _advance(world, purge)
        return {"purgeId": purge.id, "status": purge.status}


def poll(world: World, purge_id: str, *, fate: Fate | None) -> dict[str, object]:
    """How far the purge is; each poll may move it. `fate` ends it now, in that way. Raises `Refused` (404)."""
    with world.lock:
        purge = world.purges.get(purge_id)
        if purge is None:
            raise not_found("purge", purge_id)
        purge.polls += 1
        if purge.settled is None and fate is not None:
            purge.fate = fate
            _settle(world, purge)
        _advance(world, purge)
        return purge.as_json()


def advance_all(world: World) -> None:
    """Let time do its part."""
    with world.lock:
        for purge in world.purges.values():
            _advance(world, purge)


def _read_part(fields: Fields) -> PurgePart:
    fields.only(("type", "dateRange", "filters", "purgeType", "reason"))
    date_range = fields.inside("dateRange")
    start, end = date_range.moment("start"), date_range.moment("end")
    if NOWHEN not in (start, end) and start >= end:
        date_range.refuse("end", "range", "must be later than start")
    filters = fields.inside("filters", required=False)
    filters.only(("attributes",))
    attributes = filters.mapping("attributes", required=False)
    if not all(isinstance(value, str) for value in attributes.values()):
        filters.refuse("attributes", "invalid", "strings are required")
    return PurgePart(
        type=fields.text("type", among=INTERACTION_TYPES),
        start=start,
        end=end,
        attributes={key: str(value) for key, value in attributes.items()},
        purge_type=fields.text("purgeType", among=("permanent", "soft")),
        reason=fields.text("reason", least=10, most=1000),
    )


def _matching(world: World, part: PurgePart) -> list[Interaction]:
    return [
        interaction
        for interaction in world.interactions.values()
        if interaction.type == part.type
        and interaction.status != "merging"
        and (interaction.status != "deleted" or part.purge_type == "permanent")
        and part.start <= interaction.start < part.end
        and part.attributes.items() <= interaction.attributes.items()
    ]


def _advance(world: World, purge: Purge) -> None:
    if purge.settled is not None:
        return
    course = Course(polls=world.config.purge_polls, seconds=world.config.purge_seconds)
    done = course.done(purge.polls, (world.clock() - purge.submitted).total_seconds())
    if done >= 1:
        _settle(world, purge)
    elif done > 0:
        purge.status = "running"
        for part in purge.parts:
            _purge_up_to(world, purge, part, int(part.matched * done))


def _settle(world: World, purge: Purge) -> None:
    purge.settled = world.clock()
    if purge.fate is None:
        purge.status = "completed"
        for part in purge.parts:
            _purge_up_to(world, purge, part, None)
        return
    # What was purged before the end stays purged, as it would.
    purge.status = "cancelled" if purge.fate.outcome == "cancelled" else "failed"
    for part in purge.parts:
        part.error_reason = purge.fate.reason


def _purge_up_to(world: World, purge: Purge, part: PurgePart, total: int | None) -> None:
    """Purge until `total` of the part are gone; None: all."""
    now = world.clock()
    for interaction in _matching(world, part):
        if total is not None and part.purged >= total:
            return
        if part.purge_type == "soft":
            interaction.status = "deleted"
            interaction.version += 1
            interaction.updated = now
        else:
            del world.interactions[interaction.id]
        part.purged += 1
        purge.purged_ids.append(interaction.id)
        world.tell(interaction_purged(interaction.id, purge.id, now))
