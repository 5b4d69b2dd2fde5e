"""How refusals look, and what each status means here. It may not refuse anything (see `problems`)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

from marshmallow import fields

from bridge.admin.api.fields import told
from bridge.admin.api.shapes import SOMETIMES, FieldErrorSchema, Shape
from bridge.errors import Refusal

PROBLEM_JSON: Final = "application/problem+json"


class ProblemSchema(Shape):
    """A problem body (RFC 9457)."""

    type = fields.String(metadata={"format": "uri-reference"})
    title = fields.String(metadata=told("The kind of problem."))
    status = fields.Integer(metadata=told("The HTTP status.", minimum=400, maximum=599))
    detail = fields.String(metadata=told("What is wrong, and the way out."))
    instance = fields.String(metadata=told("This occurrence; the log names it too.", format="uri"))
    errors = fields.List(
        fields.Nested(FieldErrorSchema), metadata=told("One for each field that is wrong.", **{SOMETIMES: True})
    )


#: Status → what it means here, and how the API words one such refusal.
_PROBLEMS: Final[Mapping[int, tuple[str, str]]] = MappingProxyType(
    {
        400: ("The body is no JSON.", "The body is not JSON (RFC 8259)."),
        401: ("No token, or a wrong one.", "send a token as `Authorization: Bearer gbr_…`"),
        403: (
            "The token's role may not, or it would be the second key by the same person.",
            "the role viewer may not give commands; use a token with one of these roles: sender, operator, admin",
        ),
        404: ("Nothing has this id or name.", "no event has this id; see GET /api/v1/events"),
        409: (
            "The state does not allow it.",
            "the delivery is still pending; it will be tried without a replay, or cancel it first",
        ),
        410: ("The person was erased.", "the person whom this was about was erased"),
        413: ("The body is too large.", "The body is larger than 65536 bytes."),
        415: ("The body is not sent as JSON.", "send the body as application/json"),
        422: ("Something in path, query, headers or body is wrong.", "some fields are wrong"),
        429: ("Too many wrong tokens came from this address.", "too many wrong tokens came from your address"),
        503: (
            "The database, or Genesys, cannot be used right now.",
            "The database cannot be used right now, and nothing is acknowledged. Come back later; of an order that "
            "changes something, look first whether it was carried out.",
        ),
    }
)
_TITLES: Final = {refusal.status: refusal.title for refusal in Refusal.__subclasses__()}
_HEADERS: Final[Mapping[int, Mapping[str, Any]]] = MappingProxyType(
    {
        401: {"WWW-Authenticate": {"schema": {"type": "string"}, "description": 'Always `Bearer realm="bridge"`.'}},
        429: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}},
        503: {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}},
    }
)


def meaning(status: HTTPStatus) -> str:
    """What the status says here."""
    return _PROBLEMS[status][0] if status in _PROBLEMS else status.phrase


def headers_of(status: HTTPStatus) -> dict[str, Any]:
    """The headers that such an answer has, for OpenAPI."""
    return dict(_HEADERS.get(status, {}))


def problem_example(status: HTTPStatus) -> dict[str, Any]:
    """One such problem."""
    problem: dict[str, Any] = {
        "type": "about:blank",
        "title": _TITLES.get(status, status.phrase),
        "status": int(status),
        "detail": _PROBLEMS[status][1] if status in _PROBLEMS else status.phrase,
        "instance": "urn:uuid:01a20380-0f1e-7d2c-8b3a-495867768594",
    }
    return {**problem, "errors": [FieldErrorSchema.example]} if status == HTTPStatus.UNPROCESSABLE_ENTITY else problem
