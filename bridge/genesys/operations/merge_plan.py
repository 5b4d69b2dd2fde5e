"""Which interactions are merged: what stands against it, duplicates, priority, timeline. It may not call anybody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridge.clock import rfc3339
from bridge.errors import FieldError
from bridge.genesys.operations.interaction_update import age_errors
from bridge.genesys.readings import Interaction

CLOSED_STATES = ("archived", "deleted")
DEFAULT_WEIGHT = 1


@dataclass(frozen=True, kw_only=True)
class Named:
    """An interaction as the asker named it, and as Genesys tells it (None: Genesys does not know it)."""

    id: str
    type: str
    interaction: Interaction | None


@dataclass(frozen=True, kw_only=True)
class Source:
    """One interaction that is merged; times are aware, `end` is None while it goes on."""

    id: str
    type: str
    start: datetime
    end: datetime | None


@dataclass(frozen=True, kw_only=True)
class DedupeRules:
    #: Whether the same id twice is one interaction; else it is refused.
    same_id: bool
    #: Same customer and channel, begun within so many seconds, are one interaction; 0: not looked at.
    window_seconds: int


def refusals(named: Sequence[Named], rules: DedupeRules, *, now: datetime, retention_days: int) -> list[FieldError]:
    """Every reason against the merge; none: it may be submitted."""
    errors: list[FieldError] = []
    ids: set[str] = set()
    for index, one in enumerate(named):
        place = f"interactions.{index}"
        if one.id in ids and not rules.same_id:
            errors.append(_refusal(place, "duplicate", "The same id twice: name it once, or set dedupe.same_id."))
        ids.add(one.id)
        errors += _reasons_against(one, place, now, retention_days)
    found = [one.interaction for one in named if one.interaction is not None]
    if len({interaction.customer.id for interaction in found if interaction.customer.id}) > 1:
        errors.append(_refusal("interactions", "one_customer", "Must all be of one customer."))
    if len(found) == len(named) and len(deduplicated(found, rules)) < 2:
        message = "Fewer than two are left without duplicates: name others, or change dedupe."
        errors.append(_refusal("interactions", "too_few", message))
    return errors


def deduplicated(interactions: Sequence[Interaction], rules: DedupeRules) -> list[Source]:
    """Each interaction once, in the order given; of several within the window the earliest stays."""
    dropped: set[str] = set()
    kept: dict[tuple[str | None, str], datetime] = {}
    window = timedelta(seconds=rules.window_seconds)
    unique = list({one.id: one for one in interactions}.values())
    if rules.window_seconds > 0:
        for one in sorted(unique, key=lambda one: one.start):
            channel = (one.customer.id, _type(one))
            if channel in kept and one.start - kept[channel] <= window:
                dropped.add(one.id)
            else:
                kept[channel] = one.start
    return [Source(id=one.id, type=_type(one), start=one.start, end=one.end) for one in unique if one.id not in dropped]


def priority_score(types: Sequence[str], weights: Mapping[str, int]) -> int:
    """The mean of the channels' weights, rounded half up (voice 10 and chat 7: 8.5 → 9)."""
    total, count = sum(weights.get(type_, DEFAULT_WEIGHT) for type_ in types), len(types)
    return (2 * total + count) // (2 * count)


def timeline(sources: Sequence[Source], weights: Mapping[str, int], duplicates: int) -> dict[str, object]:
    """`{sessionStart, sessionEnd, channelSequence, prioritySource, deduplicationCount, authoritative {id, startTime,
    endTime}}`; times in UTC. The session runs from the earliest start to the latest end, null while one goes on; the
    authoritative interaction (highest weight, then earliest start) is widened to it."""
    in_order = sorted(sources, key=lambda source: source.start)
    first = max(in_order, key=lambda source: weights.get(source.type, DEFAULT_WEIGHT))  # max keeps the earliest
    ends = [source.end for source in sources if source.end is not None]
    start = rfc3339(in_order[0].start)
    end = rfc3339(max(ends)) if len(ends) == len(sources) else None
    return {
        "sessionStart": start,
        "sessionEnd": end,
        "channelSequence": [source.type for source in in_order],
        "prioritySource": first.type,
        "deduplicationCount": duplicates,
        "authoritative": {"id": first.id, "startTime": start, "endTime": end},
    }


def accuracy(requested: Iterable[str], confirmed: frozenset[str] | None) -> float | None:
    """The share of the requested ids that Genesys confirms; None where it says nothing of them."""
    asked = set(requested)
    return None if confirmed is None else round(len(asked & confirmed) / len(asked), 4)


def _reasons_against(one: Named, place: str, now: datetime, retention_days: int) -> Iterable[FieldError]:
    interaction = one.interaction
    if interaction is None:
        yield _refusal(place, "not_found", "Genesys does not know it.")
        return
    if (interaction.status or "").lower() in CLOSED_STATES:
        yield _refusal(place, "state", f"It is {(interaction.status or '').lower()}.")
    if not interaction.customer.id:
        yield _refusal(place, "customer", "It has no customer.id.")
    if not interaction.customer.phone_number:
        yield _refusal(place, "customer_phone", "It has no customer.phoneNumber.")
    if _type(interaction) != one.type.lower():
        yield _refusal(f"{place}.type", "type", "It is of another type.")
    yield from age_errors(interaction, now, retention_days, field=place)


def _type(interaction: Interaction) -> str:
    return (interaction.type or "").lower()


def _refusal(field: str, rule: str, message: str) -> FieldError:
    return FieldError(field=field, rule=rule, message=message)
