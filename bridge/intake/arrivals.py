"""What is brought to be recorded, and what became of it. It may not know SQL or a request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridge.errors import FieldError
from bridge.events import Event


@dataclass(frozen=True, kw_only=True)
class StandIn:
    """What was recorded for a document that could not be read then; an arrival may take its place."""

    id: str
    #: How often it was sent again.
    duplicates: int


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """One event that is to be recorded, with the raw bytes that it came in."""

    event: Event
    #: Name of the source; `bridge` for facts and commands.
    source: str
    body: bytes
    #: Aware, UTC.
    received_at: datetime
    correlation_id: str | None = None
    traceparent: str | None = None
    #: Destination whose own command caused the event.
    caused_by: str | None = None
    #: True: Genesys's news of a change of ours that is still being carried out. The fact that our command establishes
    #: tells more than the news, so destinations hear the fact, and the news is recorded only.
    awaits_fact: bool = False
    state: Literal["recorded", "unreadable"] = "recorded"
    #: What is wrong with an unreadable one.
    errors: tuple[FieldError, ...] = ()
    #: Who the audit says did it.
    actor: str = "genesys"
    #: Whose id it gets, so that whoever has a link to that finds this; its row has been taken away before.
    replaces: StandIn | None = None


@dataclass(frozen=True, kw_only=True)
class Receipt:
    """What became of one arrival."""

    event_id: str
    type: str
    subject: str
    #: True: it was recorded before, as `event_id`; nothing fans out.
    duplicate: bool
    #: Names of the destinations that are owed the event, sorted.
    deliveries: tuple[str, ...] = ()
    #: True: a duplicate by its delivery id, but with another content; somebody should be told.
    conflicting: bool = False
