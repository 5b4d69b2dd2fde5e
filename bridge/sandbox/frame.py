"""What happens around every request: faults, the platform's headers, the journal, error bodies. It may not know an
endpoint."""

from __future__ import annotations

import json
import socket
import time
from typing import cast

from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from bridge.sandbox.faults import Fault, FaultKind
from bridge.sandbox.journal import Asked
from bridge.sandbox.pace import Standing
from bridge.sandbox.refusals import Refused, error_body
from bridge.sandbox.sandbox import NOTICE, Sandbox, current
from bridge.sandbox.work import Fate

#: Where WSGI servers keep the connection: werkzeug, gunicorn.
_SOCKET_KEYS = ("werkzeug.socket", "gunicorn.socket")
_CODES = {400: "bad.request", 404: "not.found", 405: "method.not.allowed", 413: "request.too.large"}


def put_around(app: Flask) -> None:
    """Hang everything on the app."""
    app.before_request(_begin)
    app.after_request(_end)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _http_error)


def fate() -> Fate | None:
    """The end that a fault asks of the merge or purge of this request."""
    return cast("Fate | None", g.get("fate"))


def correlation_id() -> str:
    """The id that this request's answer and error body carry."""
    return cast(str, g.correlation_id)


def _is_ours() -> bool:
    return request.path == "/" or request.path.startswith("/_sandbox")


def _begin() -> Response | None:
    sandbox = current()
    g.began = time.perf_counter()
    g.correlation_id = sandbox.ids.new("correlation")
    g.hit = []
    if _is_ours():
        _refuse_other_sites()
        return None
    sandbox.let_time_pass()
    g.hit = sandbox.faults.claim(request.method, request.path)
    answers = [_suffer(sandbox, fault) for fault in g.hit]
    return next((answer for answer in answers if answer is not None), None)


def _refuse_other_sites() -> None:
    # A page from elsewhere, open in the same browser, must not set faults or reset.
    if request.headers.get("Sec-Fetch-Site", "none") in ("cross-site", "same-site"):
        raise Refused(403, "cross.site", "Only the sandbox's own page may call this from a browser.")


def _suffer(sandbox: Sandbox, fault: Fault) -> Response | None:
    """Carry out one fault; an answer where the request ends here."""
    match fault.kind:
        case FaultKind.LATENCY:
            sandbox.ending.wait(fault.seconds)
        case FaultKind.REVOKE_TOKEN:
            if request.authorization is not None and request.authorization.token:
                sandbox.tokens.revoke(request.authorization.token)
        case FaultKind.OUTCOME:
            g.fate = fault.fate
        case FaultKind.DROP_AFTER_APPLY:
            g.hang_up = True
        case FaultKind.DROP:
            g.hang_up = True
            return Response(status=503)
        case FaultKind.STATUS:
            return _asked_answer(fault)
    return None


def _asked_answer(fault: Fault) -> Response:
    body = fault.body
    if body is None:
        body = error_body(Refused(fault.status, "sandbox.fault", "A fault asked for."), correlation_id())
    text = body if isinstance(body, str) else json.dumps(body)
    answer = Response(text, status=fault.status, content_type="application/json")
    for name, value in fault.headers.items():
        answer.headers[name] = value
    return answer


def _end(answer: Response) -> Response:
    sandbox = current()
    answer.headers["ININ-Correlation-Id"] = correlation_id()
    answer.headers["X-Sandbox"] = "not Genesys Cloud"
    answer.headers.setdefault("Cache-Control", "no-store")
    standing: Standing | None = g.get("standing")
    if standing is not None:
        answer.headers["inin-ratelimit-count"] = str(standing.count)
        answer.headers["inin-ratelimit-allowed"] = str(standing.allowed)
        answer.headers["inin-ratelimit-reset"] = str(standing.reset)
    hang_up = bool(g.get("hang_up"))
    if not _is_ours():
        sandbox.journal.add(_asked(sandbox, None if hang_up else answer.status_code))
    if hang_up:
        _hang_up()
    return answer


def _asked(sandbox: Sandbox, status: int | None) -> Asked:
    key = request.headers.get("X-Genesys-Idempotency-Key")
    return Asked(
        at=sandbox.clock(),
        method=request.method,
        path=request.path[:200],
        status=status,
        milliseconds=(time.perf_counter() - g.began) * 1000,
        correlation_id=correlation_id(),
        idempotency_key=None if key is None else key[:255],
        faults=tuple(fault.kind.value for fault in g.hit),
    )


def _hang_up() -> None:
    """End the connection under the server, which then finds nobody to answer."""
    for key in _SOCKET_KEYS:
        connection = request.environ.get(key)
        if isinstance(connection, socket.socket):
            connection.shutdown(socket.SHUT_RDWR)
            return
    raise RuntimeError("this server gives no access to its connections: serve the sandbox with run_sandbox")


def _refused(refused: Refused) -> Response:
    answer = jsonify(error_body(refused, correlation_id()))
    answer.status_code = refused.status
    answer.headers.update(refused.headers)
    return answer


def _http_error(error: HTTPException) -> Response:
    status = error.code or 500
    code = _CODES.get(status, "internal.server.error" if status >= 500 else "bad.request")
    said = f"{error.description or error.name} ({NOTICE})"
    answer = _refused(Refused(status, code, said))
    if status == 405:
        answer.headers["Allow"] = dict(error.get_headers()).get("Allow", "")
    return answer
