"""The things that the stand-in keeps, and how each looks on the wire. It may not know HTTP or the rules of change."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

INTERACTION_TYPES = ("voice", "email", "chat", "callback", "sms", "social")
#: Conversation states in which keys beginning `system.` cannot be changed any more.
ENDED_STATES = ("terminated", "abandoned")
CONVERSATION_STATES = ("alerting", "connected", "disconnected", *ENDED_STATES)


def wire_time(moment: datetime) -> str:
    """RFC 3339 to the millisecond in the time's own zone; UTC as Z."""
    text = moment.isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z") if moment.utcoffset() == UTC.utcoffset(None) else text


@dataclass(kw_only=True)
class Customer:
    id: str
    name: str
    phone: str | None
    email: str | None
    lifetime_value: float
    tier: str
    last_ticket: str | None

    def as_json(self) -> dict[str, object]:
        """How an interaction tells its customer."""
        shown = {"id": self.id, "phoneNumber": self.phone, "email": self.email}
        return {key: value for key, value in shown.items() if value is not None}

    def as_crm_json(self) -> dict[str, object]:
        """How the CRM tells it."""
        return {
            "id": self.id,
            "lifetimeValue": self.lifetime_value,
            "tier": self.tier,
            "lastSupportTicket": self.last_ticket,
        }


@dataclass(kw_only=True)
class Interaction:
    id: str
    type: str
    #: active, archived, deleted, merged (into another), merging or failed (a merge's own)
    status: str
    version: int
    created: datetime
    updated: datetime
    start: datetime
    end: datetime | None
    conversation_id: str | None
    customer: Customer | None
    attributes: dict[str, str] = field(default_factory=dict)
    disposition_code: str | None = None
    merged_into: str | None = None

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "type": self.type,
            "status": self.status,
            "version": self.version,
            "createdDate": wire_time(self.created),
            "updatedDate": wire_time(self.updated),
            "startTime": wire_time(self.start),
            "endTime": None if self.end is None else wire_time(self.end),
            "conversationId": self.conversation_id,
            "customer": None if self.customer is None else self.customer.as_json(),
            "attributes": dict(self.attributes),
            "dispositionCode": self.disposition_code,
            "mergedInto": self.merged_into,
        }


@dataclass(kw_only=True)
class Conversation:
    id: str
    state: str
    version: int
    start: datetime
    attributes: dict[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "state": self.state,
            "version": self.version,
            "startTime": wire_time(self.start),
            "attributes": dict(self.attributes),
        }


@dataclass(kw_only=True)
class Record:
    schema: str
    id: str
    version: int
    modified: datetime
    modified_by: str
    fields: dict[str, object]
    metadata: dict[str, object] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "schemaName": self.schema,
            "version": self.version,
            "modifiedTime": wire_time(self.modified),
            "modifiedBy": {"id": self.modified_by},
            "fields": dict(self.fields),
            "metadata": dict(self.metadata),
        }


@dataclass(kw_only=True)
class RecordChange:
    """An entry of the audit log of one record."""

    id: str
    schema: str
    record_id: str
    #: create, update or delete
    action: str
    #: The version that the change gave.
    version: int
    at: datetime
    by: str
    before: dict[str, object]
    after: dict[str, object]
    metadata: dict[str, object]

    def as_json(self) -> dict[str, object]:
        names = [name for name in {**self.before, **self.after} if self.before.get(name) != self.after.get(name)]
        return {
            "id": self.id,
            "entityId": self.record_id,
            "schemaName": self.schema,
            "action": self.action,
            "version": self.version,
            "timestamp": wire_time(self.at),
            "user": {"id": self.by},
            "metadata": dict(self.metadata),
            "changes": [
                {"field": name, "oldValue": self.before.get(name), "newValue": self.after.get(name)} for name in names
            ],
        }


@dataclass(kw_only=True)
class Export:
    id: str
    at: datetime
    request: dict[str, object]

    def as_json(self) -> dict[str, object]:
        return {"id": self.id, "status": "queued", "createdDate": wire_time(self.at), **self.request}
