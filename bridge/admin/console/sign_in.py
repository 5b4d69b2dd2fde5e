"""Signing in with a token, and out again. It may not show or keep a token."""

from __future__ import annotations

from ipaddress import ip_address

from flask import Response, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from bridge.admin.access import Right
from bridge.admin.api.entrance import Call, recognise
from bridge.admin.console.door import (
    MAX_FORM_BYTES,
    Visit,
    blueprint,
    give_cookie,
    page,
    refuse_foreign_form,
    rooms,
    running_session,
    secret_of,
)
from bridge.admin.console.rendering import show
from bridge.admin.console.sessions import end_session, open_session


@blueprint.get("/login")
def sign_in() -> AnyResponse:
    """The form; who is signed in already and wants to go on does."""
    after = request.args.get("next", "")
    if _is_ours(after) and running_session(request, rooms().clock.now()) is not None:
        return redirect(after, 303)
    return sign_in_page()


@blueprint.post("/login")
def open_with_token() -> AnyResponse:
    """Raises Unauthenticated for a wrong token; TooManyRequests after many."""
    request.max_content_length = MAX_FORM_BYTES
    refuse_foreign_form(request)
    built = rooms()
    now = built.clock.now()
    caller = recognise(built, f"Bearer {request.form.get('token', '').strip()}", request.environ, now)
    call = Call(rooms=built, caller=caller, now=now)
    with built.database.write() as session:
        end_session(session, secret_of(request))
        secret = open_session(session, caller, now)
        call.note(session, "console.signed-in", f"token:{caller.token_id}", person=caller.person)
    response = redirect(_destination(request.form.get("next", "")), 303)
    assert isinstance(response, Response)
    give_cookie(response, request, secret)
    return response


@page("/logout", right=Right.FOLLOW, method="POST")
def sign_out(visit: Visit) -> Response:
    caller = visit.call.caller
    with visit.call.rooms.database.write() as session:
        end_session(session, secret_of(request))
        visit.call.note(session, "console.signed-out", f"token:{caller.token_id}", person=caller.person)
    response = make_response(redirect(url_for("console.sign_in", said="out"), 303))
    give_cookie(response, request, "")
    return response


def sign_in_page(*, status: int = 200, trouble: str | None = None) -> Response:
    """The form; `trouble` says what was wrong."""
    asked_for = request.values.get("next", "")
    return show(
        "sign_in.html",
        status=status,
        trouble=trouble,
        said=request.args.get("said"),
        after=asked_for if _is_ours(asked_for) else "",
        is_open_wire=not request.is_secure and not _is_this_machine(request.remote_addr),
    )


def _destination(path: str) -> str:
    return path if _is_ours(path) else url_for("console.home")


def _is_ours(path: str) -> bool:
    """A page of the console, and no other site's address in disguise."""
    return path.startswith("/console/") and path.isprintable() and "\\" not in path


def _is_this_machine(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False
