"""flask-smorest as this API uses it: strict parsing, problem bodies, OpenAPI 3.1. It may not know any operation.

The one module that touches smorest's classes, which are not typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NoReturn

import flask
from flask_smorest import Api, Blueprint
from marshmallow import RAISE, Schema, ValidationError, fields
from webargs.flaskparser import FlaskParser

from bridge import __version__
from bridge.admin.api.shapes import FieldErrorSchema, Shape
from bridge.errors import FieldError, Invalid, UnsupportedMedia
from bridge.intake import strict_json
from bridge.intake.body import RequestBody
from bridge.violations import field_errors

PREFIX = "/api/v1"
#: Larger than any order that a person or a program has reason to give.
MAX_BODY_BYTES = 64 * 1024
PROBLEM_JSON = "application/problem+json"
_DESCRIPTION = """\
Watch and replay what the bridge received and owes. Send a token as `Authorization: Bearer gbr_…`; `bridge token create`
makes one. Errors are problem details (RFC 9457). Times are RFC 3339 in UTC, ids are UUIDv7.

A list gives `items`, newest first, and `next`: send that as `cursor` for the page after it. Its filters are query
parameters; a parameter that it does not know is an error.
"""


class ProblemSchema(Shape):
    """A problem body (RFC 9457); `errors` where fields are wrong."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    instance = fields.String()
    errors = fields.List(fields.Nested(FieldErrorSchema))


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


class ApiBlueprint(Blueprint):  # type: ignore[misc] # smorest is not typed
    """A group of operations below PREFIX; `description` is its tag's."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, *, description: str) -> None:
        super().__init__(name, import_name, url_prefix=PREFIX, description=description)


class BridgeApi(Api):  # type: ignore[misc] # smorest is not typed
    """The API's place in the app, and its OpenAPI document. Errors are left to the app's one error handler."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: flask.Flask) -> None:
        app.config.update(OPENAPI_URL_PREFIX="/api", OPENAPI_JSON_PATH="openapi.json")
        super().__init__(
            app,
            spec_kwargs={
                "title": "Genesys bridge",
                "version": __version__,
                "openapi_version": "3.1.0",
                "info": {"description": _DESCRIPTION},
                "security": [{"token": []}],
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
                content: dict[str, Any] = {PROBLEM_JSON: {"schema": ProblemSchema}}
                self.spec.components.response(
                    status.name, {"description": status.phrase, "content": content}, lazy=True
                )
