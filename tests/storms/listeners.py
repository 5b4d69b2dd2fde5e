"""The two receivers of a storm, an ERP and a CRM, that note what arrives and what they answered. No bridge here."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.receivers import Answer, Received, Receiver, Scripted

#: What happened to whom, in which version: what a sender numbers and a receiver is told.
Key = tuple[str, int]
#: How a receiver answers one request.
Mood = Callable[[Received], Scripted]


@dataclass(frozen=True)
class Arrival:
    key: Key
    webhook_id: str
    #: The receiver has answered 2xx, so it will not miss this one.
    accepted: bool


class Listener:
    """A receiver that answers as its `mood` says; while it has none, 204 after `seconds`, sometimes none, sometimes two
    times as many."""

    def __init__(self, name: str, key: Callable[[Any], Key], *, seconds: float = 0.0) -> None:
        self.name = name
        self.receiver = Receiver(self._answer)
        self.mood: Mood | None = None
        self._key = key
        self._seconds = seconds
        self._rng = Random(name)
        self._arrivals: list[Arrival] = []
        self._lock = threading.Lock()

    def arrivals(self) -> list[Arrival]:
        """Everything that has arrived, in that order."""
        with self._lock:
            return list(self._arrivals)

    def _answer(self, request: Received) -> Scripted:
        with self._lock:
            mood = self.mood
            scripted = self._take_it() if mood is None else mood(request)
            status = scripted if isinstance(scripted, int) else getattr(scripted, "status", 0)
            arrival = Arrival(self._key(request.json()), request.headers["webhook-id"], 200 <= status < 300)
            self._arrivals.append(arrival)
        self.receiver.requests.clear()  # of a long storm: gigabytes
        return scripted

    def _take_it(self) -> Answer:
        return Answer(204, delay=self._rng.uniform(0, 2) * self._seconds)


def crm(*, seconds: float = 0.0) -> Listener:
    return Listener("crm", lambda body: _of_conversation(body["payload"]), seconds=seconds)


def erp(*, seconds: float = 0.0) -> Listener:
    return Listener("erp", lambda body: (body["recordId"], body["fields"]["number"]), seconds=seconds)


def _of_conversation(payload: Any) -> Key:
    return payload["conversationId"], payload["version"]
