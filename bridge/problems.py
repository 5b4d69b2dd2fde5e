"""Every refusal as `application/problem+json` (RFC 9457). It may not know which room refused.

The one place where an exception becomes an answer: routes raise, and never catch.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable, Mapping
from http import HTTPStatus

import orjson
from flask import Flask, Response
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException

from bridge.clock import new_id
from bridge.errors import FieldError, MethodNotAllowed, Refusal, Unauthenticated
from bridge.violations import field_errors

#: What the driver raises while the database is away, busy or full, and the pool while all its connections are in use.
DATABASE_AWAY = (OperationalError, InterfaceError, PoolTimeout)
#: A restart of the database, or a fail-over, is over in about that time.
RETRY_AFTER_SECONDS = 5
#: Whoever stands between may not keep an answer: it is for this caller, and it changes. No browser may guess its type.
NOT_TO_BE_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

_log = logging.getLogger(__name__)


def install_problem_handlers(app: Flask) -> None:
    """Answer every exception of `app` as a problem body. Call it after extensions that install handlers too."""
    app.register_error_handler(Refusal, _answer_refusal)
    app.register_error_handler(HTTPException, _answer_http_exception)
    for away in DATABASE_AWAY:
        app.register_error_handler(away, _answer_database_away)
    app.register_error_handler(Exception, _answer_surprise)


def _answer_refusal(refusal: Refusal) -> Response:
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    if isinstance(refusal, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="bridge"'
    if isinstance(refusal, MethodNotAllowed):
        headers["Allow"] = "POST"
    return _problem(refusal.status, refusal.detail, title=refusal.title, errors=refusal.errors, headers=headers)


def _answer_http_exception(error: HTTPException) -> Response:
    """Flask's own refusals, and those of webargs, which puts marshmallow's messages into `data`."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    data = getattr(error, "data", None) or {}
    headers = {
        name: value for name, value in error.get_headers() if name.lower() not in ("content-type", "content-length")
    }
    # webargs sorts its messages by where the value stood: {"query": {"limit": […]}}.
    errors = [error for place in (data.get("messages") or {}).values() for error in field_errors(place)]
    detail = "Some fields are wrong." if errors else error.description or HTTPStatus(status).phrase
    return _problem(status, detail, errors=errors, headers=headers)


def _answer_database_away(error: SQLAlchemyError) -> Response:
    """Nobody's fault, and soon over; what the driver says is not told, as it may name hosts and users."""
    occurrence = logged(error, logging.WARNING, "the database is away")
    return _problem(
        503,
        "The database cannot be used right now, and nothing is acknowledged. Come back later; of an order that changes "
        "something, look first whether it was carried out.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        instance=occurrence,
    )


def _answer_surprise(error: Exception) -> Response:
    """A fault of ours: nothing of it is told."""
    occurrence = logged(error, logging.ERROR, "unhandled error")
    return _problem(500, "The fault is on this side; it was logged under this instance.", instance=occurrence)


def logged(error: Exception, level: int, what: str) -> str:
    """The occurrence under which the log has the error's place; not its message, which may hold anything."""
    occurrence = _occurrence()
    frames = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    place = " < ".join(reversed(frames))
    kind = type(error).__qualname__
    _log.log(level, "%s %s (%s) at %s", what, kind, occurrence, place, extra={"instance": occurrence})
    return occurrence


def _problem(
    status: int,
    detail: str,
    *,
    title: str | None = None,
    errors: Iterable[FieldError] = (),
    headers: Mapping[str, str] | None = None,
    instance: str | None = None,
) -> Response:
    body: dict[str, object] = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance or _occurrence(),
    }
    if wrong := [vars(error) for error in errors]:
        body["errors"] = wrong
    headers = {**NOT_TO_BE_KEPT, **(headers or {})}
    return Response(orjson.dumps(body), status, headers, content_type="application/problem+json")


def _occurrence() -> str:
    return f"urn:uuid:{new_id()}"
