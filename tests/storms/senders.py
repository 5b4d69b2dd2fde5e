"""The load: every sender owns one subject and posts its versions in order, each until it is acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from random import Random
from typing import Protocol

from tests.journeys.site import Reply, attributes_update, post, record_update
from tests.storms.account import Account

#: Between two tries of what was not acknowledged.
AGAIN_SECONDS = 0.1
#: The share of acknowledged webhooks that is sent once more, as Genesys does.
REPEATED = 0.05


class Doors(Protocol):
    """Where webhooks may be posted; the ports may change."""

    @property
    def ports(self) -> Sequence[int]: ...


class Sender(threading.Thread):
    """Posts until `enough` is set, and then only what is not acknowledged yet."""

    def __init__(
        self, subject: str, doors: Doors, account: Account, rng: Random, enough: threading.Event, *, pace: float
    ) -> None:
        super().__init__(name=subject, daemon=True)
        self._subject = subject
        self._doors = doors
        self._account = account
        self._rng = rng
        self._enough = enough
        self._pace = pace

    def run(self) -> None:
        version = 0
        while not self._enough.wait(self._rng.uniform(0.5, 1.5) * self._pace):
            version += 1
            body = body_of(self._subject, version)
            self._account.attempt((self._subject, version))
            while not self._post(body):
                if self._account.given_up.wait(AGAIN_SECONDS):
                    return
            self._account.acknowledge((self._subject, version))
            if self._rng.random() < REPEATED:
                self._post(body)

    def _post(self, body: bytes) -> bool:
        """Try the doors one after the other, as a load balancer does; True where it was acknowledged."""
        ports = list(self._doors.ports)
        self._rng.shuffle(ports)
        for port in ports:
            try:
                reply: Reply = post(port, body)
            except ConnectionRefusedError:
                self._account.note_answer("refused")  # nothing was sent: the next one may take it
                continue
            except OSError as error:
                self._account.note_answer(type(error).__name__)
                return False
            self._account.note_answer(str(reply.status))
            return reply.status in (200, 202)
        return False


def body_of(subject: str, version: int) -> bytes:
    """The webhook of one version; subjects that begin with `c-` are conversations, the others records."""
    if subject.startswith("c-"):
        return attributes_update(subject, version)
    return record_update(subject, version, number=version)
