"""The count at the end: what became of every id, by what the bridge says and by what the receivers heard.

It may not ask anybody: it is handed what was posted, what the API lists, and what was heard.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from bridge.demo.fates import Delivery, Fate, Fates, HeardBy
from bridge.demo.receivers import Heard
from bridge.demo.webhooks import Posted

CARRIED_OUT: Final = "succeeded"
_FORGERY_REFUSED = 401


@dataclass(frozen=True, kw_only=True)
class Account:
    """Webhooks by what was answered, what was recorded by what became of it, and what may not happen at all."""

    sent: int
    acknowledged: int
    duplicates_refused: int
    forged_refused: int
    recorded: int
    delivered: int
    superseded: int
    replayed: int
    commands: int
    carried_out: int
    #: Came again under the webhook-id of before, so that the receiver could discard it.
    repeats_recognised: int
    #: The same change taken twice, under two webhook-ids.
    doubled: int
    #: Taken after a newer change of the same subject.
    out_of_order: int
    lost: int
    #: A sentence for everything that does not add up; empty: every id is accounted for.
    faults: tuple[str, ...]


def reckon(
    posted: Sequence[Posted],
    *,
    events: Iterable[Mapping[str, Any]],
    deliveries: Sequence[Delivery],
    commands: Sequence[Mapping[str, Any]],
    heard: HeardBy,
) -> Account:
    """The account. `events`, `deliveries` and `commands` are what the API lists."""
    acknowledged = [one for one in posted if one.event_id and not one.is_duplicate]
    known = {event["id"] for event in events}
    fates = Fates(deliveries, heard)
    ends = [(one, fates.of_webhook(one)) for one in acknowledged]
    counts = Counter(end.fate for _, end in ends)
    subjects = {one.webhook.subject for one in posted}
    doubled = sum(map(_doubled, heard.values()))
    backward = sum(backward_steps(requests, subjects) for requests in heard.values())
    faults = [
        *_wrong_answers(posted, known),
        *(f"{_named(one)}: {end.trouble}" for one, end in ends if end.trouble),
        *fates.troubles_but_of(acknowledged),
        *([f"{doubled} came twice under different webhook-ids"] if doubled else []),
        *([f"{backward} came after a newer change of the same subject"] if backward else []),
        *(f"command {one['operation']} is {one['state']}" for one in commands if one["state"] != CARRIED_OUT),
    ]
    return Account(
        sent=len(posted),
        acknowledged=len(acknowledged),
        duplicates_refused=sum(one.is_duplicate for one in posted),
        forged_refused=sum(map(_is_refused_forgery, posted)),
        recorded=sum(one.event_id in known for one in acknowledged),
        delivered=counts[Fate.DELIVERED],
        superseded=counts[Fate.SUPERSEDED],
        replayed=counts[Fate.REPLAYED],
        commands=len(commands),
        carried_out=sum(one["state"] == CARRIED_OUT for one in commands),
        repeats_recognised=sum(map(_repeats, heard.values())),
        doubled=doubled,
        out_of_order=backward,
        lost=counts[Fate.LOST],
        faults=tuple(faults),
    )


def backward_steps(requests: Iterable[Heard], subjects: AbstractSet[str] | None = None) -> int:
    """How many were taken after a newer change of the same subject; of `subjects` only, where they are given."""
    newest: dict[str, int] = {}
    backward = 0
    for one in _first_takes(requests):
        name, number = one.subject.name, one.subject.number
        if number is None or (subjects is not None and name not in subjects):
            continue
        backward += number < newest.get(name, number)
        newest[name] = max(number, newest.get(name, number))
    return backward


def _wrong_answers(posted: Sequence[Posted], known: AbstractSet[str]) -> Iterator[str]:
    """What was answered as it may not be; `known` are the ids that are recorded."""
    for one in posted:
        if _is_refused_forgery(one):
            continue
        if not one.event_id:
            yield f"{_named(one)} was answered {one.status}"
        elif one.forged:
            yield f"{_named(one)} is a forgery, and was acknowledged"
        elif one.event_id not in known:
            yield f"{_named(one)} was acknowledged, and is not recorded"


def _is_refused_forgery(posted: Posted) -> bool:
    return posted.forged and posted.status == _FORGERY_REFUSED


def _named(posted: Posted) -> str:
    return f"change {posted.webhook.number} of {posted.webhook.subject}"


def _first_takes(requests: Iterable[Heard]) -> list[Heard]:
    """What was taken, each webhook-id once, in the order of arrival."""
    taken: dict[str, Heard] = {}
    for one in requests:
        if one.accepted:
            taken.setdefault(one.webhook_id, one)
    return list(taken.values())


def _repeats(requests: Sequence[Heard]) -> int:
    return sum(one.accepted for one in requests) - len(_first_takes(requests))


def _doubled(requests: Iterable[Heard]) -> int:
    numbered = [one.subject for one in _first_takes(requests) if one.subject.number is not None]
    return len(numbered) - len(set(numbered))
