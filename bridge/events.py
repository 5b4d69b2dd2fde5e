"""What can happen, what can be asked, and about whom. It may not know tables, wires or destinations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

RECORD_CREATED = "custom_object.record.created"
RECORD_UPDATED = "custom_object.record.updated"
RECORD_DELETED = "custom_object.record.deleted"
CONVERSATION_ATTRIBUTES_UPDATED = "conversation.attributes.updated"
INTERACTION_UPDATED = "interaction.updated"
INTERACTION_MERGED = "interaction.merged"
INTERACTION_PURGED = "interaction.purged"
PURGE_COMPLETED = "purge.completed"
PURGE_FAILED = "purge.failed"
PURGE_CANCELLED = "purge.cancelled"
AUDIT_SEALED = "audit.sealed"
#: An alert: goes to the destination of [alerts] and to nobody else.
NEEDS_ATTENTION = "bridge.needs_attention"

#: The commands, imperative where events are past tense (spec: "The words").
INTERACTION_UPDATE = "interaction.update"
CONVERSATION_ATTRIBUTES_UPDATE = "conversation.attributes.update"
INTERACTION_MERGE = "interaction.merge"
RECORD_UPDATE = "record.update"
INTERACTIONS_PURGE = "interactions.purge"
COMMANDS = frozenset(
    {INTERACTION_UPDATE, CONVERSATION_ATTRIBUTES_UPDATE, INTERACTION_MERGE, RECORD_UPDATE, INTERACTIONS_PURGE}
)


class Carries(StrEnum):
    """How much of its subject an event type tells, and so whether a newer one makes an older one stale."""

    STATE = "state"  #: the whole subject: only the newest one matters
    CHANGE = "change"  #: a part: every one matters
    END = "end"  #: the subject is gone: nothing is coalesced across it


def carries(event_type: str) -> Carries:
    """What an event of this type carries; types unknown to the bridge carry a change."""
    if event_type in (RECORD_CREATED, RECORD_UPDATED):
        return Carries.STATE
    if event_type == RECORD_DELETED:
        return Carries.END
    return Carries.CHANGE


def record_subject(schema: str, record_id: str) -> str:
    """The schema's own slashes are escaped, so that no two records share a subject, and so a lane."""
    return f"record:{schema.replace('%', '%25').replace('/', '%2F')}/{record_id}"


def conversation_subject(conversation_id: str) -> str:
    return f"conversation:{conversation_id}"


def interaction_subject(interaction_id: str) -> str:
    return f"interaction:{interaction_id}"


def event_subject(event_id: str) -> str:
    """Of the lane that an event has to itself, where a destination wants no order."""
    return f"event:{event_id}"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened, as a format read it: not yet recorded, so without an id."""

    type: str
    subject: str
    #: What destinations build their requests from; JSON values only, keys as the spec names them.
    payload: Mapping[str, object]
    #: As sent, as text; orders only when it is ASCII digits (`version_number`).
    version: str | None = None
    #: Aware, UTC.
    occurred_at: datetime | None = None
    #: SHA-256 over the sender's delivery id, where there is one.
    delivery_key: bytes | None = None
    #: SHA-256 over the canonical content without what changes per sending; None: not deduplicated by content.
    content_key: bytes | None = None
    #: True where the content carries its own version or time, so that a repeat is a duplicate for ever.
    content_is_unique: bool = True


@dataclass(frozen=True, kw_only=True)
class RecordedEvent:
    """An event as the database has it."""

    id: str
    source: str
    type: str
    subject: str
    payload: Mapping[str, object]
    version: str | None
    occurred_at: datetime | None
    received_at: datetime
    correlation_id: str | None
    traceparent: str | None
    #: Name of the destination whose own command caused this event (echo suppression), else None.
    caused_by: str | None = None


@dataclass(frozen=True, kw_only=True)
class Owed:
    """A forwarder's answer to `event_recorded`: this destination is owed the event, in this lane."""

    destination: str
    #: The lane's subject: the event's own for `order = "record"`, one of its own for `order = "none"`.
    subject: str


def version_number(version: str | None) -> int | None:
    """The version as a number where it is ASCII digits, else None: such a version gives no order."""
    if version is None or not version.isascii() or not version.isdigit():
        return None
    return int(version)
