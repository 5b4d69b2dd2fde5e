"""One operation of the API, declared in one place: path, right, what it takes, what it answers.

Around each view stands the same way: who calls, what they may, what they ask, the answer written out. A view neither
sees a request nor catches an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from http import HTTPStatus
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar

import orjson
from flask import Response, g, request
from marshmallow import Schema

from bridge.admin.access import RIGHTS, Right
from bridge.admin.api.entrance import Call, admit, note_read
from bridge.admin.api.openapi import ApiBlueprint
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
    answers: Mapping[int, type[Schema] | None],
    query: type[Schema] | None = None,
    body: type[Schema] | None = None,
    headers: type[Schema] | None = None,
    refusals: Sequence[int] = (),
) -> Callable[[View[P, R]], View[P, R]]:
    """Serve the view at `path` below `/api/v1`, for callers with `right`.

    The view is handed the Call, then what `headers`, `query` and `body` make of the request, then the path's parts by
    name, as text. It gives the value of the first of `answers` (status → schema, None: no body), or an Answer.
    `refusals` are the statuses that it raises beyond what every operation may.
    """

    def declare(view: View[P, R]) -> View[P, R]:
        endpoint: Any = _writes_out(view, answers)
        # The last one stands outermost and is read first.
        for schema, location in ((body, "json"), (query, "query"), (headers, "headers")):
            if schema is not None:
                endpoint = blueprint.arguments(schema(), location=location)(endpoint)
        for status, schema in answers.items():
            endpoint = blueprint.alt_response(status, schema=schema, success=True)(endpoint)
        for status in (401, 403, 429, *((400, 413, 415) if body else ()), *refusals):
            endpoint = blueprint.alt_response(status, HTTPStatus(status).name)(endpoint)
        roles = ", ".join(role for role, rights in RIGHTS.items() if right in rights)
        endpoint = blueprint.doc(**{"x-roles": roles})(endpoint)
        blueprint.route(path, methods=[method])(_admits(endpoint, right, notes_reads=method == "GET"))
        return view

    return declare


def _admits(endpoint: Callable[..., Response], right: Right, *, notes_reads: bool) -> Callable[..., Response]:
    @wraps(endpoint)
    def answer(**path: object) -> Response:
        g.call = admit(request, right)
        response = endpoint(**{name: str(part) for name, part in path.items()})
        if notes_reads:
            note_read(g.call, request)
        return response

    return answer


def _writes_out(view: Callable[..., object], answers: Mapping[int, type[Schema] | None]) -> Callable[..., Response]:
    schemas = {status: schema() if schema else None for status, schema in answers.items()}
    first = next(iter(answers))

    @wraps(view)
    def answer(*asked: object, **path: str) -> Response:
        given = view(g.call, *asked, **path)
        chosen = given if isinstance(given, Answer) else Answer(first, given)
        if isinstance(chosen.value, Lines):
            return Response(chosen.value.lines, chosen.status, NOT_TO_BE_KEPT, content_type="application/x-ndjson")
        schema = schemas[chosen.status]
        body = b"" if schema is None else orjson.dumps(schema.dump(chosen.value))
        response = Response(body, chosen.status, {**NOT_TO_BE_KEPT, **chosen.headers}, content_type="application/json")
        if schema is None:
            del response.headers["Content-Type"]
        return response

    return answer
