"""Every refusal of the console as a page that says what to do next. It may not tell anything of a fault of ours."""

from __future__ import annotations

import logging
from http import HTTPStatus
from urllib.parse import urlsplit

from flask import Response, g, redirect, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.console.door import Visit, blueprint, page
from bridge.admin.console.rendering import show
from bridge.admin.console.sign_in import sign_in_page
from bridge.errors import FieldError, NotFound, Refusal, Unauthenticated
from bridge.problems import DATABASE_AWAY, RETRY_AFTER_SECONDS, logged

_NEXT = {
    400: "Go back and try again.",
    403: "Go back, or sign in with a token of a role that may.",
    404: "It may have been removed after its retention, or the address is not complete. The lists show what is there.",
    405: "Go to the page itself; it offers what can be done.",
    410: "What it said was erased. The event’s page and its audit tell what is left.",
    409: "Somebody, or a worker, was faster. Look at how it stands now, and decide again.",
    413: "Select fewer rows at a time, or give a shorter reason.",
    422: "Go back: what you typed is still there. Mend what is named below.",
    500: "Try again in a moment. If it stays, `bridge doctor` tells what is usually wrong.",
    503: "Try again in a moment. Of an order that changes something, look first whether it was carried out.",
}
_TITLES = {
    400: "That was not understood",
    403: "You may not do that",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "That cannot be done now",
    410: "It was erased",
    422: "Something is missing or wrong",
    500: "Something went wrong",
    503: "Not available right now",
}
_WRITES = ("POST", "PUT", "PATCH", "DELETE")


@page("/<path:unknown>", right=Right.FOLLOW)
def nothing_here(_visit: Visit, unknown: str) -> Response:
    raise NotFound("no page has this address")


@blueprint.route("/", methods=_WRITES, defaults={"unknown": ""})
@blueprint.route("/<path:unknown>", methods=_WRITES)
def not_taken_here(unknown: str) -> AnyResponse:
    """Without this, Flask would refuse it before it knows whose page it is, and answer as the API does."""
    raise MethodNotAllowed(["GET", "HEAD"])


@blueprint.errorhandler(Refusal)
def refused(refusal: Refusal) -> AnyResponse:
    if isinstance(refusal, Unauthenticated) and refusal.cause.startswith("session-"):
        return _to_sign_in(refusal)
    if request.endpoint == "console.open_with_token":
        response = sign_in_page(status=refusal.status, trouble=_sentence(refusal.detail))
    else:
        response = _refusal_page(refusal.status, _sentence(refusal.detail), refusal.errors)
    if refusal.retry_after is not None:
        response.headers["Retry-After"] = str(refusal.retry_after)
    return response


@blueprint.errorhandler(HTTPException)
def refused_by_flask(error: HTTPException) -> AnyResponse:
    if error.code is not None and error.code < 400:
        return error.get_response(request.environ)
    response = _refusal_page(error.code or 500, "")
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(error.valid_methods or ())
    return response


def database_away(error: SQLAlchemyError) -> AnyResponse:
    logged(error, logging.WARNING, "the database is away")
    response = _refusal_page(503, "The database cannot be used right now.")
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


for _away in DATABASE_AWAY:
    blueprint.register_error_handler(_away, database_away)


@blueprint.errorhandler(Exception)
def surprised(error: Exception) -> AnyResponse:
    occurrence = logged(error, logging.ERROR, "unhandled error")
    return _refusal_page(500, f"The fault is on this side. It was logged as {occurrence}.")


def _to_sign_in(refusal: Unauthenticated) -> AnyResponse:
    after = request.full_path.rstrip("?") if request.method == "GET" else _page_of_the_form()
    said = "over" if refusal.cause == "session-over" else None
    sign_in = url_for("console.sign_in", next=after or None, said=said)
    if request.method == "GET" and request.headers.get("Sec-Fetch-Site") == "cross-site":
        # A link in a mail: browsers keep our cookie back on the way in from elsewhere. On the way from a page of ours
        # they send it, and the sign-in lets whoever has a session go on.
        return show("arrival.html", address=sign_in)
    return redirect(sign_in, 303)


def _page_of_the_form() -> str:
    """Where the form stood; the sign-in checks that it is one of ours."""
    came_from = urlsplit(request.referrer or "")
    return came_from.path + (f"?{came_from.query}" if came_from.query else "")


def _refusal_page(status: int, detail: str, errors: tuple[FieldError, ...] = ()) -> Response:
    title = _TITLES.get(status, HTTPStatus(status).phrase)
    # The API's words name its own paths; here the lists are one click away.
    detail = "" if status == 404 else detail
    template = "refusal.html" if "visit" in g else "refusal_outside.html"
    return show(template, status=status, title=title, detail=detail, errors=errors, then=_NEXT.get(status))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
