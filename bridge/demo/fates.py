"""What became of each delivery, where the bridge and the receiver say the same of it. It may not count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bridge.demo.receivers import Heard
from bridge.demo.webhooks import Posted

#: By destination, in the order of arrival; destinations that do not speak HTTP to the demo are not in it.
HeardBy = Mapping[str, Sequence[Heard]]
Delivery = Mapping[str, Any]


class Fate(StrEnum):
    DELIVERED = "delivered"
    SUPERSEDED = "superseded"
    REPLAYED = "replayed"  #: dead at first, then delivered by a replay
    LOST = "lost"


@dataclass(frozen=True, kw_only=True)
class End:
    fate: Fate
    #: What the bridge and the receiver do not agree about; empty: nothing.
    trouble: str = ""


class Fates:
    """All deliveries, beside what was heard."""

    def __init__(self, deliveries: Sequence[Delivery], heard: HeardBy) -> None:
        self._deliveries = deliveries
        self._heard_by = heard.keys()
        self._of_event: dict[str, list[Delivery]] = defaultdict(list)
        for delivery in deliveries:
            self._of_event[delivery["event_id"]].append(delivery)
        self._replays = {one["replay_of"]: one for one in deliveries if one["replay_of"]}
        self._taken = {(to, one.webhook_id): one for to, requests in heard.items() for one in requests if one.accepted}

    def of_webhook(self, posted: Posted) -> End:
        """The end of what one of the demo's webhooks is owed: each is owed to one destination."""
        owed = [one for one in self._of_event[posted.event_id] if not one["replay_of"]]
        if len(owed) != 1:
            return End(fate=Fate.LOST, trouble=f"is owed {len(owed)} times instead of once")
        end, taken = self._end(owed[0]), self._taken_of(owed[0])
        told = (posted.webhook.subject, posted.webhook.number)
        if taken is not None and (taken.subject.name, taken.subject.number) != told:
            return End(fate=Fate.LOST, trouble=f"arrived at {owed[0]['destination']} as something else")
        return end

    def troubles_but_of(self, posted: Sequence[Posted]) -> list[str]:
        """A sentence for everything else that is owed and has not come to a good end, and for what nobody owed."""
        told = {one.event_id for one in posted}
        others = [one for one in self._deliveries if one["event_id"] not in told and not one["replay_of"]]
        ends = [(one, self._end(one)) for one in others]
        owed = {(one["destination"], one["webhook_id"]) for one in self._deliveries}
        return [
            *(f"{one['event_type']} of {one['subject']}: {end.trouble}" for one, end in ends if end.trouble),
            *(
                f"{to} took {one.subject.name}, which nobody owed it"
                for (to, webhook_id), one in self._taken.items()
                if (to, webhook_id) not in owed
            ),
        ]

    def _taken_of(self, delivery: Delivery) -> Heard | None:
        return self._taken.get((delivery["destination"], delivery["webhook_id"]))

    def _end(self, delivery: Delivery) -> End:
        to, state = delivery["destination"], delivery["state"]
        is_taken = self._taken_of(delivery) is not None
        match state:
            case "delivered" if is_taken or to not in self._heard_by:
                return End(fate=Fate.DELIVERED)
            case "delivered":
                return End(fate=Fate.LOST, trouble=f"is called delivered, and {to} never took it")
            case "superseded" if is_taken:
                return End(fate=Fate.SUPERSEDED, trouble=f"is called superseded, and {to} took it")
            case "superseded":
                return End(fate=Fate.SUPERSEDED)
            case "dead" if is_taken and self._is_replayed(delivery):
                return End(fate=Fate.REPLAYED)
            case _:
                return End(fate=Fate.LOST, trouble=f"is {state} for {to}: {delivery['last_error']}")

    def _is_replayed(self, delivery: Delivery) -> bool:
        replay = self._replays.get(delivery["id"])
        return replay is not None and replay["state"] == "delivered"
