"""What each kind of destination receives for each type of event, as JSON Schema, with a sample. It may not send.

The samples are made by the kinds' own code. A `transform` of the configuration reshapes them: its result is what a
preview shows. JSON Schema is draft 2020-12; more fields may come, none goes or changes its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from bridge import events
from bridge.destinations.cloudevents import CONTENT_TYPE, structured
from bridge.destinations.kinds.crm import Crm, told_to_crm
from bridge.destinations.kinds.datalake import DEFAULT_EVENTS
from bridge.destinations.kinds.erp import Erp, told_to_erp
from bridge.destinations.kinds.governance import Governance
from bridge.destinations.payloads import CLOUD_EVENT, PAYLOADS, Shape, closed_choice, nullable, shape, text
from bridge.destinations.samples import sample_event, sample_types

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_LAKE_BEGINNINGS: Final = tuple(pattern.removesuffix("*") for pattern in DEFAULT_EVENTS)


@dataclass(frozen=True, kw_only=True)
class Received:
    """What one kind receives for one type of event."""

    kind: str
    content_type: str
    note: str
    schema: Shape
    sample: Mapping[str, object]


@cache
def received(event_type: str) -> Sequence[Received]:
    """What every kind receives for events of this type; empty for types that the bridge does not know by name."""
    if event_type not in sample_types():
        return ()
    told = (_erp(event_type), _crm(event_type), _governance(event_type), _http(event_type), _lake(event_type))
    return tuple(one for one in told if one is not None)


def _erp(event_type: str) -> Received | None:
    if event_type not in Erp.sendable:
        return None
    update_only = event_type == events.RECORD_UPDATED
    note = "`action` is there where the destination takes more than updates." if update_only else ""
    members: dict[str, Any] = {
        "source": closed_choice("genesys-cloud"),
        "schemaName": text(),
        "recordId": text(),
        "timestamp": text("When the record was changed, as Genesys said it.", format="date-time"),
        "modifiedBy": nullable(text("The id of whoever changed it.")),
        "fields": {"type": "object", "description": "All fields of the record."},
        "action": closed_choice("create", "update", "delete"),
    }
    schema = shape(members, optional=("action",) if update_only else ())
    sample = told_to_erp(sample_event(event_type), says_action=not update_only)
    return _received("erp", event_type, note, schema, sample)


def _crm(event_type: str) -> Received | None:
    if event_type not in Crm.sendable:
        return None
    sample = told_to_crm(sample_event(event_type))
    payload = PAYLOADS[event_type]["properties"]
    if event_type == events.INTERACTION_MERGED:
        schema = shape(
            {
                "event": closed_choice("interaction_merged"),
                "timestamp": text(format="date-time"),
                **{name: payload[name] for name in ("interactionId", "channelSequence", "customer", "metrics")},
            }
        )
        note = "`channelSequence` and `metrics` are null for a merge that the bridge did not carry out itself."
        return _received("crm", event_type, note, schema, sample)
    told: Any = sample["payload"]
    schema = shape(
        {"eventType": closed_choice(str(sample["eventType"])), "payload": shape({name: payload[name] for name in told})}
    )
    return _received("crm", event_type, "", schema, sample)


def _governance(event_type: str) -> Received | None:
    if event_type not in Governance.sendable:
        return None
    note = "The signature is over the rest as JSON with sorted keys and no blanks, in UTF-8 (Ed25519)."
    if event_type == events.AUDIT_SEALED:
        note = 'The signature is over {"hash": head, "position": to}, as JSON with sorted keys and no blanks (Ed25519).'
    return _received("governance", event_type, note, PAYLOADS[event_type], dict(sample_event(event_type).payload))


def _http(event_type: str) -> Received:
    return _cloud_event("http", CONTENT_TYPE, "", event_type)


def _lake(event_type: str) -> Received | None:
    if not event_type.startswith(_LAKE_BEGINNINGS):
        return None
    note = 'With `sink = "s3"`: gzip, one line of JSON in one object per event. An export brings what Genesys writes.'
    return _cloud_event("datalake", "application/gzip", note, event_type)


def _cloud_event(kind: str, content_type: str, note: str, event_type: str) -> Received:
    sample = structured(sample_event(event_type))
    type_ = closed_choice(str(sample["type"]))
    members = {**CLOUD_EVENT, "type": type_, "data": PAYLOADS[event_type]}
    schema = shape(members, optional=("correlationid", "version"))
    return _received(
        kind, event_type, note, schema, {**sample, "data": dict(sample_event(event_type).payload)}, content_type
    )


def _received(
    kind: str,
    event_type: str,
    note: str,
    schema: Shape,
    sample: Mapping[str, object],
    content_type: str = "application/json",
) -> Received:
    titled = {"$schema": _DIALECT, "title": f"{event_type} to a destination of kind {kind}", **schema}
    return Received(kind=kind, content_type=content_type, note=note, schema=titled, sample=sample)
