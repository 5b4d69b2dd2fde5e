"""Which events a destination takes, and in which lane. It may not know how they are sent."""

from __future__ import annotations

from collections.abc import Sequence

from bridge.events import COMMANDS, NEEDS_ATTENTION, Owed, RecordedEvent, event_subject
from bridge.settings.model import DestinationSettings

_NEVER_TAKEN = COMMANDS | {NEEDS_ATTENTION}


class Subscription:
    """The answer to every recorded event: owed, or not. Raises ValueError for a pattern that can match nothing.

    A pattern is an event type, or the beginning of one with `.*` after it (`interaction.*`), or `*`. Of the types
    that match only those in `sendable` are taken; None: all of them. Commands are never taken: they are requests to
    Genesys, not events. Nor are alerts: they go where [alerts] says.
    """

    def __init__(
        self, settings: DestinationSettings, *, patterns: Sequence[str], sendable: frozenset[str] | None
    ) -> None:
        self._name = settings.name
        self._lane_per_event = settings.order == "none"
        self._skips_echoes = settings.echo == "skip"
        self._sendable = sendable
        self._types = frozenset(pattern for pattern in patterns if "*" not in pattern)
        self._prefixes = tuple(_prefix(pattern) for pattern in patterns if "*" in pattern)
        for pattern in patterns:
            self._check(pattern)

    def owed(self, event: RecordedEvent) -> Owed | None:
        if not self.takes(event.type) or (self._skips_echoes and event.caused_by == self._name):
            return None
        return Owed(destination=self._name, subject=event_subject(event.id) if self._lane_per_event else event.subject)

    def takes(self, event_type: str) -> bool:
        if event_type not in self._types and not event_type.startswith(self._prefixes):
            return False
        return event_type not in _NEVER_TAKEN and (self._sendable is None or event_type in self._sendable)

    def _check(self, pattern: str) -> None:
        if self._sendable is None:
            return
        prefix = _prefix(pattern) if "*" in pattern else None
        if not any(pattern == each or (prefix is not None and each.startswith(prefix)) for each in self._sendable):
            known = ", ".join(sorted(self._sendable))
            raise ValueError(f"{pattern} is no event that this kind has a request for; it has {known}")


def _prefix(pattern: str) -> str:
    prefix = pattern.removesuffix("*")
    if "*" in prefix or not (prefix == "" or prefix.endswith(".")):
        raise ValueError(f"{pattern} is no pattern: an event type, or the beginning of one with .* after it")
    return prefix
