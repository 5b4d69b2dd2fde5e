"""One operation of the API, declared in one place: path, right, what it takes, what it answers.

Around each view stands the same way: who calls, what they may, what they ask, the answer written out. A view neither
sees a request nor catches an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import orjson
from flask import Response, g, request
from marshmallow import Schema

from bridge.admin.access import RIGHTS, Right
from bridge.admin.api.entrance import Call, admit, note_read
from bridge.admin.api.openapi import BODY_REFUSALS, COMMON_REFUSALS, ApiBlueprint, answer_told
from bridge.admin.api.path_parts import path_parameters
from bridge.admin.api.shapes import LINES, Shape
from bridge.problems import NOT_TO_BE_KEPT

P = ParamSpec("P")
R = TypeVar("R")
View = Callable[Concatenate[Call, P], R]


@dataclass(frozen=True)
class Answer:
    """What a view with more than one answer gives: which one, and what it holds."""

    status: int
    value: object
    #: Besides those that every answer has.
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lines:
    """A value that is not one JSON document but a stream of them, a line each."""

    lines: Iterator[bytes]


def operation(
    blueprint: ApiBlueprint,
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"],
    path: str,
    *,
    right: Right,
    answers: Mapping[int, type[Shape] | None],
    query: type[Schema] | None = None,
    body: type[Schema] | None = None,
    headers: type[Schema] | None = None,
    refusals: Sequence[int] = (),
    differs: Mapping[str, object] = MappingProxyType({}),
) -> Callable[[View[P, R]], View[P, R]]:
    """Serve the view at `path` below `/api/v1`, for callers with `right`.

    The view is handed the Call, then what `headers`, `query` and `body` make of the request, then the path's parts by
    name, as text. It gives the value of the first of `answers` (status → shape, None: no body), or an Answer.
    `refusals` are the statuses that it raises beyond what every operation may; `differs` is what its first answer has
    other than the shape's example. The view's docstring is its summary and, after a blank line, its description.
    """

    def declare(view: View[P, R]) -> View[P, R]:
        endpoint: Any = _takes(blueprint, _writes_out(view, answers), body, query, headers)
        for number, (status, shape) in enumerate(answers.items()):
            told = answer_told(shape, differs if number == 0 else {})
            endpoint = blueprint.alt_response(status, schema=shape, success=True, **told)(endpoint)
        for refusal in sorted({*COMMON_REFUSALS, *(BODY_REFUSALS if body else ()), *refusals}):
            endpoint = blueprint.alt_response(refusal, HTTPStatus(refusal).name)(endpoint)
        roles = [role for role, rights in RIGHTS.items() if right in rights]
        endpoint = blueprint.doc(**{"operationId": view.__name__, "x-roles": ", ".join(roles)})(endpoint)
        admitted = _admits(endpoint, right, notes_reads=method == "GET")
        blueprint.route(path, methods=[method], parameters=path_parameters(path))(admitted)
        return view

    return declare


def _takes(
    blueprint: ApiBlueprint,
    endpoint: Any,
    body: type[Schema] | None,
    query: type[Schema] | None,
    headers: type[Schema] | None,
) -> Any:
    """The endpoint, handed what these make of the request. The last one stands outermost and is read first."""
    if body is not None:
        schema = body()
        needed = any(field.required for field in schema.fields.values())
        told = {"example": getattr(body, "example", None), "required": needed}
        endpoint = blueprint.arguments(schema, location="json", **told)(endpoint)
    if query is not None:
        endpoint = blueprint.arguments(query(), location="query")(endpoint)
    else:
        endpoint = _refuses_a_query(blueprint, endpoint)
    if headers is not None:
        endpoint = blueprint.arguments(headers(), location="headers")(endpoint)
    return endpoint


def _refuses_a_query(blueprint: ApiBlueprint, endpoint: Any) -> Any:
    """As lists do: who writes a parameter that does nothing has misunderstood something."""

    @wraps(endpoint)
    def without(*asked: object, **path: str) -> Any:
        *others, _ = asked
        return endpoint(*others, **path)

    return blueprint.arguments(Schema(), location="query")(without)


def _admits(endpoint: Callable[..., Response], right: Right, *, notes_reads: bool) -> Callable[..., Response]:
    @wraps(endpoint)
    def answer(**path: object) -> Response:
        g.call = admit(request, right)
        response = endpoint(**{name: str(part) for name, part in path.items()})
        if notes_reads:
            note_read(g.call, request)
        return response

    return answer


def _writes_out(view: Callable[..., object], answers: Mapping[int, type[Shape] | None]) -> Callable[..., Response]:
    schemas = {status: schema() if schema else None for status, schema in answers.items()}
    first = next(iter(answers))

    @wraps(view)
    def answer(*asked: object, **path: str) -> Response:
        given = view(g.call, *asked, **path)
        chosen = given if isinstance(given, Answer) else Answer(first, given)
        if isinstance(chosen.value, Lines):
            return Response(chosen.value.lines, chosen.status, NOT_TO_BE_KEPT, content_type=LINES)
        schema = schemas[chosen.status]
        body = b"" if schema is None else orjson.dumps(schema.dump(chosen.value))
        response = Response(body, chosen.status, {**NOT_TO_BE_KEPT, **chosen.headers}, content_type="application/json")
        if schema is None:
            del response.headers["Content-Type"]
        return response

    return answer
