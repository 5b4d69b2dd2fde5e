"""What the API answers about what receivers get. It may not look anything up."""

from __future__ import annotations

from marshmallow import fields

from bridge.admin.api.fields import Word, told
from bridge.admin.api.shapes import Shape, page_of
from bridge.destinations.schemas import received

# Schemas are declarations: their examples are written once and never changed.
# ruff: noqa: RUF012

_CARRIES = ("state", "change", "end")
_TYPE = "conversation.attributes.updated"


class ReceivedTypeSchema(Shape):
    """An event type that the bridge knows by name."""

    type = fields.String()
    carries = Word(
        _CARRIES,
        metadata=told("All of its subject, a part of it, or that it is gone: what may make an older one stale."),
    )
    kinds = fields.List(fields.String(), metadata=told("The kinds of destination that have a request for it."))
    example = {"type": _TYPE, "carries": "change", "kinds": ["crm", "http"]}


class ReceivedSchema(Shape):
    """What one kind of destination receives."""

    kind = fields.String()
    content_type = fields.String()
    note = fields.String()
    schema = fields.Raw(metadata=told("JSON Schema, draft 2020-12.", type="object"))
    sample = fields.Raw(metadata={"type": "object"})
    example = next(vars(one) for one in received(_TYPE) if one.kind == "crm")


class ReceivedEventSchema(Shape):
    """What every kind of destination receives for one event type."""

    type = fields.String()
    carries = Word(_CARRIES)
    headers = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata=told("By name: what each request's is.")
    )
    receivers = fields.List(fields.Nested(ReceivedSchema))
    example = {
        "type": _TYPE,
        "carries": "change",
        "headers": {"webhook-id": "The delivery's, the same on every try and replay of it."},
        "receivers": [ReceivedSchema.example],
    }


ReceivedTypePageSchema = page_of(ReceivedTypeSchema, "ReceivedTypePageSchema")
