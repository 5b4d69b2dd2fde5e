"""flask-smorest as this API uses it: strict parsing, problem bodies, OpenAPI 3.1. It may not know any operation.

The one module that touches smorest's classes, which are not typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NoReturn

import flask
from flask_smorest import Api, Blueprint
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.routing import PathConverter

from bridge import __version__
from bridge.admin.api.problem_shapes import PROBLEM_JSON, ProblemSchema, headers_of, meaning, problem_example
from bridge.admin.api.shapes import JSON, Shape
from bridge.errors import FieldError, Invalid, UnsupportedMedia
from bridge.intake import strict_json
from bridge.intake.body import RequestBody
from bridge.violations import field_errors

PREFIX = "/api/v1"
#: Larger than any order that a person or a program has reason to give.
MAX_BODY_BYTES = 64 * 1024
#: What every operation may be refused with, and one that takes a body besides.
COMMON_REFUSALS = (401, 403, 422, 429, 503)
BODY_REFUSALS = (400, 413, 415)
_DESCRIPTION = """\
Watch and replay what the bridge received and owes, and give commands to Genesys. Send a token as `Authorization: Bearer
gbr_…`; `bridge token create --name NAME --role ROLE` makes one. Errors are problem details (RFC 9457) that name the
field, the rule and the way out. Times are RFC 3339 in UTC, ids are UUIDv7.

A list gives `items`, newest first, and `next`: send that as `cursor` for the page after it, with the same filters; null
says that there is no more. A page may hold fewer than `limit`, even none, and go on all the same: one request looks at
no more rows than it can in a few hundredths of a second. Lists stay stable while rows are added and removed. A
parameter that an operation does not know is an error, on every operation.
"""


class StrictParser(FlaskParser):
    """Reads queries and bodies whole or not at all; unknown and repeated fields are errors."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {"json": RAISE, "query": RAISE}  # noqa: RUF012 (webargs')

    def load_json(self, req: flask.Request, schema: Schema) -> object:
        if not req.mimetype and not req.content_length and "Transfer-Encoding" not in req.headers:
            return {}  # nothing was sent: what has to be there is named
        if req.mimetype != "application/json":
            raise UnsupportedMedia("send the body as application/json", cause="content-type")
        return strict_json.parse(RequestBody(req.environ, limit=MAX_BODY_BYTES).read())

    def load_querystring(self, req: flask.Request, schema: Schema) -> dict[str, str]:
        repeated = [name for name, values in req.args.lists() if len(values) > 1]
        if repeated:
            errors = [FieldError(field=name, rule="once", message="Send it once.") for name in repeated]
            raise Invalid("a query parameter is repeated", errors=errors)
        return req.args.to_dict()

    def handle_error(
        self,
        error: ValidationError,
        req: flask.Request,
        schema: Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        # webargs has sorted the messages by where the values stood: {"query": {"limit": […]}}.
        errors = [one for messages in error.messages_dict.values() for one in field_errors(messages)]
        raise Invalid("some fields are wrong", errors=errors) from error


class RecordId(PathConverter):
    """A record's id, slashes and all; not what leads to its history, which can only be read."""

    regex = r"(?s:(?!.*/history\Z)[^/].*?)"  # line ends too: the operation refuses them, and says why


class ApiBlueprint(Blueprint):  # type: ignore[misc] # smorest is not typed
    """A group of operations below PREFIX; `description` is its tag's."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, *, description: str) -> None:
        super().__init__(name, import_name, url_prefix=PREFIX, description=description)


class BridgeApi(Api):  # type: ignore[misc] # smorest is not typed
    """The API's place in the app, and its OpenAPI document. Errors are left to the app's one error handler."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: flask.Flask) -> None:
        app.url_map.converters["record"] = RecordId
        app.config.update(OPENAPI_URL_PREFIX="/api", OPENAPI_JSON_PATH="openapi.json")
        super().__init__(
            app,
            spec_kwargs={
                "title": "Genesys bridge",
                "version": __version__,
                "openapi_version": "3.1.0",
                "info": {"description": _DESCRIPTION, "license": {"name": "MIT", "identifier": "MIT"}},
                "security": [{"token": []}],
                "servers": [{"url": "/", "description": "Where this document comes from."}],
            },
        )
        self.spec.components.security_scheme(
            "token", {"type": "http", "scheme": "bearer", "description": "A token `gbr_<id>_<secret>`."}
        )

    def _register_error_handlers(self) -> None:
        """None: `problems.install_problem_handlers` is for the whole app."""

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            if status >= HTTPStatus.BAD_REQUEST:
                content: dict[str, Any] = {PROBLEM_JSON: {"schema": ProblemSchema, "example": problem_example(status)}}
                response = {"description": meaning(status), "content": content, "headers": headers_of(status)}
                self.spec.components.response(status.name, response, lazy=True)


def answer_told(shape: type[Shape] | None, differs: Mapping[str, object]) -> dict[str, Any]:
    """What OpenAPI says of an answer beside its schema."""
    if shape is None:
        return {"description": "Done; there is nothing to say."}
    description = (shape.__doc__ or "").strip().splitlines()[0]
    told = {"description": description, "example": {**shape.example, **differs}}
    return told if shape.written_as == JSON else {**told, "content_type": shape.written_as}
