"""The console's door: the cookie, who is there, what they may, and that a form is one of ours.

It may not know any page. Around each view stands the same way; a view neither sees the session nor catches an error.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import wraps
from typing import Concatenate, Literal, ParamSpec

from flask import Blueprint, Request, Response, current_app, g, request
from sqlalchemy.exc import OperationalError
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import READS_ARE_NOTED, RIGHTS, Right
from bridge.admin.api.entrance import Call, Rooms, installed_rooms, note_read
from bridge.admin.console.sessions import (
    LONGEST,
    SEEN_NOTED_EVERY,
    ConsoleSession,
    find_session,
    form_key,
    note_seen,
)
from bridge.errors import Forbidden, Unauthenticated

#: Everything comes from here, nothing is written into the page: no script, no style, no frame around it.
CONTENT_POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
#: Longer than any form of ours: a selection of a page and a reason.
MAX_FORM_BYTES = 64 * 1024
#: Sent by the script when it reads a page again by itself, which is no sign that somebody is there.
REFRESH_HEADER = "X-Console-Refresh"

P = ParamSpec("P")
View = Callable[Concatenate["Visit", P], AnyResponse]

blueprint = Blueprint("console", __name__, url_prefix="/console", static_folder="static")


@dataclass(frozen=True, kw_only=True)
class Visit:
    """One request by somebody who is signed in, and may."""

    call: Call
    #: What this session's forms carry.
    form_key: str

    def may(self, right: str) -> bool:
        """Whether to offer what needs the right of that name (`steer`)."""
        return Right[right.upper()] in RIGHTS[self.call.caller.role]

    @property
    def refreshes(self) -> bool:
        """Whether pages read themselves again: not where every look is noted."""
        return self.call.caller.role not in READS_ARE_NOTED


def page(path: str, *, right: Right, method: Literal["GET", "POST"] = "GET") -> Callable[[View[P]], View[P]]:
    """Serve the view at `path` below `/console`, for people with `right`; its path's parts are given as text."""

    def declare(view: View[P]) -> View[P]:
        opened: Callable[..., AnyResponse] = view

        @wraps(view)
        def answer(**parts: object) -> AnyResponse:
            visit = _admit(request, right)
            response = opened(visit, **{name: str(part) for name, part in parts.items()})
            if method == "GET":
                note_read(visit.call, request)
            return response

        blueprint.add_url_rule(path, view_func=answer, methods=[method])
        return view

    return declare


def secret_of(asking: Request) -> str:
    """The session's secret that the browser sent, "" without one."""
    return asking.cookies.get(_cookie_name(asking), "")


def running_session(asking: Request, now: datetime) -> ConsoleSession | None:
    """The session that the browser's secret opens, if it runs."""
    secret = secret_of(asking)
    with rooms().database.read() as session:
        return find_session(session, secret, now) if secret else None


def give_cookie(response: Response, asking: Request, secret: str) -> None:
    """Let the browser keep `secret`; an empty one takes it away. Without TLS there can be no `Secure` and no prefix."""
    response.set_cookie(
        _cookie_name(asking),
        secret,
        max_age=int(LONGEST.total_seconds()) if secret else 0,
        path="/",
        secure=asking.is_secure,
        httponly=True,
        samesite="Strict",
    )


def refuse_foreign_form(asking: Request) -> None:
    """Raise Forbidden where the browser says that another site sent the form."""
    if asking.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("the form was sent from another site; open the console itself", cause="form")


def rooms() -> Rooms:
    return installed_rooms(current_app)


def _admit(asking: Request, right: Right) -> Visit:
    """Raises Unauthenticated without a session that runs; Forbidden for the role, or for a form that is not ours."""
    asking.max_content_length = MAX_FORM_BYTES
    built, secret = rooms(), secret_of(asking)
    now = built.clock.now()
    found = running_session(asking, now)
    if found is None:
        raise Unauthenticated(
            "your session has ended; sign in again" if secret else "sign in to see this page",
            cause="session-over" if secret else "session-missing",
        )
    visit = Visit(call=Call(rooms=built, caller=found.caller, now=now), form_key=form_key(secret))
    g.visit = visit  # so that a refusal knows what to offer
    if asking.method == "POST":
        _check_form(asking, visit)
    if found.seen_at <= now - SEEN_NOTED_EVERY and REFRESH_HEADER not in asking.headers:
        # A database that is full or busy may not keep an administrator from looking.
        with suppress(OperationalError), built.database.write() as session:
            note_seen(session, secret, now)
    found.caller.require(right)
    return visit


def _check_form(asking: Request, visit: Visit) -> None:
    refuse_foreign_form(asking)
    if not hmac.compare_digest(asking.form.get("form_key", "").encode(), visit.form_key.encode()):
        raise Forbidden("the form is not of this session; load the page again and repeat what you did", cause="form")


def _cookie_name(asking: Request) -> str:
    return "__Host-bridge-console" if asking.is_secure else "bridge-console"


@blueprint.after_request
def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    if request.endpoint != "console.static":
        response.headers["Cache-Control"] = "no-store"
    return response
