"""The page at `/`: the state to look at, a few buttons to change it. It may not need anything from elsewhere."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response, make_response, render_template, request

from bridge.sandbox.config import connection
from bridge.sandbox.faults import OUTCOMES, FaultKind
from bridge.sandbox.sandbox import NOTICE, current
from bridge.sandbox.snapshot import snapshot

page = Blueprint("sandbox_page", __name__)

#: Rows of a table; the rest is counted, and told by `/_sandbox/state`.
MOST_ROWS = 50


@page.get("/")
def show() -> Response:
    sandbox = current()
    nonce = secrets.token_urlsafe(16)
    text = render_template(
        "sandbox.html",
        notice=NOTICE,
        state=snapshot(sandbox),
        connection=connection(request.host_url.rstrip("/"), sandbox.config),
        kinds=[kind.value for kind in FaultKind],
        outcomes=OUTCOMES,
        most=MOST_ROWS,
        nonce=nonce,
    )
    answer = make_response(text)
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return answer
