"""What the API answers: the base of every shape. Fields may be added; none may go or change its meaning.

A shape only writes out what a search or an order gave; it may not look anything up. Each carries an example of itself,
so that whoever changes the one sees the other; a test holds both to what the API really answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import EXCLUDE, Schema, fields

from bridge.admin.api.fields import told

JSON = "application/json"
#: One JSON document a line.
LINES = "application/x-ndjson"
#: In the metadata of a field that is not there in every answer.
SOMETIMES = "x-sometimes"
#: Of the event and delivery that examples are about.
EVENT_ID = "01a2035d-a549-7099-bbd2-51b2f57504b2"
DELIVERY_ID = "01a2035d-a54a-7c11-8b02-6f0a3d1e9c57"


class Shape(Schema):
    """The base of every answer: open, because fields may be added; what is there today is always there."""

    class Meta:
        unknown = EXCLUDE

    #: How it may look.
    example: ClassVar[Mapping[str, Any]]
    #: What it is written as.
    written_as: ClassVar[str] = JSON

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        field_obj.required = SOMETIMES not in field_obj.metadata


def page_of(item: type[Shape], name: str) -> type[Shape]:
    """The schema of a page of `item`; `next` is null on the last."""
    members: dict[str, Any] = {
        "items": fields.List(fields.Nested(item)),
        "next": fields.String(
            allow_none=True,
            metadata=told("Send it as `cursor` for the page after this one; null: this is the last."),
        ),
        "example": {"items": [item.example], "next": None},
        "__doc__": "One page of the list.",
    }
    return type(name, (Shape,), members)


class FieldErrorSchema(Shape):
    """What is wrong with one field."""

    field = fields.String(metadata=told("Its name, with dots where it stands deeper."))
    rule = fields.String(metadata=told("A stable word for programs."))
    message = fields.String(metadata=told("A sentence for people."))
    example = {"field": "limit", "rule": "range", "message": "Must be a whole number from 1 to 500."}  # noqa: RUF012
