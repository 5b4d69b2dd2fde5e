"""The webhooks of the OpenAPI document: what is posted to us, and what we post to receivers. It serves neither."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from marshmallow import fields
from werkzeug.routing import Map, Rule

from bridge.admin.api.fields import Id, told
from bridge.admin.api.openapi import BridgeApi
from bridge.admin.api.receivers import HEADERS
from bridge.admin.api.shapes import EVENT_ID, JSON, Shape
from bridge.destinations.samples import sample_types
from bridge.destinations.schemas import Received, received

_TAG: Final = "webhooks"
#: In the order of their checks (`intake.receiver`).
_REFUSALS: Final = (404, 413, 415, 403, 429, 401, 400, 422, 503)
_RECEIVING: Final = """\
`source` is one that `bridge.toml` configures, with its own format and its own way to prove who posts: an HMAC over the
raw body, Standard Webhooks, a key, a password or a token. No API token is needed, and none is looked at.

202 (200 where the source asks for it) says that the event is recorded on disk: it is never lost after that. 200 with
`duplicate: true` says that it was recorded before, by its id or by its content. Anything else says that nothing was
recorded: post it again later, or mend it where it is 4xx.
"""
_SENDING: Final = """\
What a destination of kind {kind} receives: a POST to its `url`, by event type. Answer 2xx within its `timeout` once you
have it safe. 408, 425, 429, 5xx and no answer are tried again, later and later, not before your `Retry-After`; most
other 4xx are not. Verify `webhook-signature` with any Standard Webhooks library, and discard a `webhook-id` that you
have seen: every try and replay of one delivery carries the same.
"""


class ReceiptSchema(Shape):
    """One recorded event; of a body that held several, `{"events": […]}` with one for each."""

    id = Id(metadata=told("The event's."))
    type = fields.String()
    subject = fields.String()
    duplicate = fields.Boolean(metadata=told("It was recorded before; nothing was done."))
    deliveries = fields.List(fields.String(), metadata=told("To whom it is owed."))
    example = {  # noqa: RUF012
        "id": EVENT_ID,
        "type": "custom_object.record.updated",
        "subject": "record:InventoryItem/item-3001",
        "duplicate": False,
        "deliveries": ["erp"],
    }


#: What Genesys posts when a record was changed.
POSTED: Final[Mapping[str, Any]] = {
    "action": "update",
    "schemaName": "InventoryItem",
    "record": {
        "id": "item-3001",
        "version": 7,
        "modifiedTime": "2026-05-01T10:00:00Z",
        "modifiedBy": {"id": "user-1"},
        "fields": {"sku": "WH-1042", "quantity": 5},
    },
}


def describe_receiving(api: BridgeApi) -> None:
    """Tell of `POST /webhooks/{source}`, which intake serves."""
    api.spec.tag({"name": _TAG, "description": "What sources post to us; the one thing that needs no API token."})
    answer = {"schema": ReceiptSchema, "example": ReceiptSchema.example}
    operation: dict[str, Any] = {
        "operationId": "receive_webhook",
        "tags": [_TAG],
        "summary": "Record what a source posts",
        "description": _RECEIVING,
        "security": [],
        "requestBody": {"required": True, "content": {JSON: {"schema": {"type": "object"}, "example": POSTED}}},
        "responses": {
            "202": {"description": "Recorded, and never lost.", "content": {JSON: answer}},
            "200": {
                "description": "Recorded before.",
                "content": {JSON: {**answer, "example": {**ReceiptSchema.example, "duplicate": True}}},
            },
            **{str(status): HTTPStatus(status).name for status in _REFUSALS},
        },
    }
    source = {
        "in": "path",
        "name": "source",
        "required": True,
        "description": "A source's name, as configured.",
        "example": "genesys",
        "schema": {"type": "string", "minLength": 1, "maxLength": 64},
    }
    rule = Rule("/webhooks/<source>", endpoint=_TAG, defaults={})
    Map([rule])  # smorest takes a path as a rule that is bound; this one is served elsewhere
    api.spec.path(rule=rule, operations={"post": operation}, parameters=[source])


def describe_sending(api: BridgeApi) -> None:
    """Tell of the requests that receivers get, as webhooks of OpenAPI 3.1."""
    by_kind: dict[str, dict[str, Received]] = {}
    for event_type in sample_types():
        for one in received(event_type):
            by_kind.setdefault(one.kind, {})[event_type] = one
    posted = {kind: {"post": _sent(kind, types)} for kind, types in by_kind.items() if kind != "datalake"}
    api.spec.options["webhooks"] = posted


def _sent(kind: str, types: Mapping[str, Received]) -> dict[str, Any]:
    content = {
        "schema": {"anyOf": [one.schema for one in types.values()]},
        "examples": {event_type: {"value": one.sample} for event_type, one in types.items()},
    }
    return {
        "summary": f"What a destination of kind {kind} receives",
        "description": _SENDING.format(kind=kind),
        "parameters": [
            {"in": "header", "name": name, "description": meaning, "schema": {"type": "string"}}
            for name, meaning in HEADERS.items()
        ],
        "requestBody": {"required": True, "content": {next(iter(types.values())).content_type: content}},
        "responses": {"2XX": {"description": "It is safe: the delivery has ended."}},
    }
