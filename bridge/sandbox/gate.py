"""Who may call: bearer tokens, scopes, the pace; and how a body is read. It may not know what is behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import g, request

from bridge.sandbox.refusals import Problem, Refused
from bridge.sandbox.repeats import Answer
from bridge.sandbox.sandbox import current
from bridge.sandbox.tokens import Token

P = ParamSpec("P")
R = TypeVar("R")


def needs(*scopes: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A route that a token with one of `scopes` may call, at the token's pace.

    Raises `Refused`: 401 without a good token, 429 with Retry-After, 403 without the scope.
    """

    def guard(route: Callable[P, R]) -> Callable[P, R]:
        @wraps(route)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            token = _token()
            _keep_pace(token)
            if not token.scopes.intersection(scopes):
                raise _missing_scope(scopes[0])
            return route(*args, **kwargs)

        return guarded

    return guard


def json_body() -> dict[str, object]:
    """The request's JSON object. Raises `Refused` (400, 415)."""
    if request.mimetype != "application/json":
        raise Refused(415, "unsupported.media.type", "Content-Type must be application/json.")
    try:
        body = json.loads(request.get_data(), parse_constant=_refuse_constant)
        # A lone surrogate can be read but never sent on.
        json.dumps(body, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Refused(400, "bad.request", "The body is not JSON.") from error
    if not isinstance(body, dict):
        raise Refused(400, "bad.request", "The body must be a JSON object.")
    return body


def idempotency_key() -> str | None:
    """Raises `Refused` (400) for one that is too long."""
    key = request.headers.get("X-Genesys-Idempotency-Key")
    if key is not None and not 1 <= len(key) <= 255:
        raise Refused(400, "invalid.idempotency.key", "An idempotency key has 1 to 255 characters.")
    return key


def once(do: Callable[[], Answer]) -> tuple[dict[str, object], int, dict[str, str]]:
    """What `do` answers; a repeat under the same idempotency key gets the first answer, and it says so."""
    sandbox = current()
    key = idempotency_key() if sandbox.config.honour_idempotency_keys else None
    (status, body), repeated = sandbox.repeats.once(f"{request.method} {request.path}", key, do)
    return body, status, {"X-Sandbox-Repeat": "true"} if repeated else {}


def _token() -> Token:
    authorization = request.authorization
    if authorization is None or authorization.type != "bearer" or not authorization.token:
        said = "No authentication bearer token specified in authorization header."
        raise Refused(401, "authentication.required", said, headers={"WWW-Authenticate": "Bearer"})
    token = current().tokens.find(authorization.token)
    if token is None:
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise Refused(401, "bad.credentials", "Invalid login credentials.", headers=headers)
    return token


def _keep_pace(token: Token) -> None:
    standing = g.standing = current().pace.count(token.text)
    if standing.exceeded:
        said = f"Rate limit exceeded the maximum. Retry the request in [{standing.reset}] seconds"
        raise Refused(429, "too.many.requests", said, headers={"Retry-After": str(standing.reset)})


def _missing_scope(scope: str) -> Refused:
    problem = Problem(field="scope", code="missing.permissions", message="not in the token", entity_id=scope)
    said = f"Unable to perform the requested action. You are missing the following permission(s): {scope}"
    extra = {"messageParams": {"permissions": scope}}
    return Refused(403, "missing.permissions", said, problems=[problem], extra=extra)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
