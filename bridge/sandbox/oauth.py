"""`POST /oauth/token`: client credentials. It may not check what a token is used for.

Source: https://developer.genesys.cloud/authorization/platform-auth/use-client-credentials and RFC 6749, 4.4 and 5.2
"""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, jsonify, request

from bridge.sandbox.sandbox import current

oauth = Blueprint("sandbox_oauth", __name__)


@oauth.post("/oauth/token")
def issue_token() -> Response:
    sandbox = current()
    if request.mimetype != "application/x-www-form-urlencoded":
        return _error(400, "invalid_request", "the body must be a form (application/x-www-form-urlencoded)")
    if not _knows_client():
        return _error(401, "invalid_client", "client not found or its secret is wrong (Basic auth)")
    if request.form.get("grant_type") != "client_credentials":
        return _error(400, "unsupported_grant_type", "grant_type must be client_credentials")
    allowed = sandbox.config.scopes
    wanted = request.form.get("scope", "").split() or list(allowed)
    unknown = [scope for scope in wanted if scope not in allowed]
    if unknown:
        return _error(400, "invalid_scope", f"not granted to this client: {' '.join(unknown)[:200]}")
    token = sandbox.tokens.issue(wanted, sandbox.config.expires_in)
    return jsonify(
        access_token=token.text,
        token_type="bearer",  # noqa: S106 (a type, not a token)
        expires_in=sandbox.config.expires_in,
        scope=" ".join(sorted(token.scopes)),
    )


def _knows_client() -> bool:
    config = current().config
    given = request.authorization
    if given is None or given.type != "basic":
        return False
    same_id = hmac.compare_digest((given.username or "").encode(), config.client_id.encode())
    same_secret = hmac.compare_digest((given.password or "").encode(), config.client_secret.encode())
    return same_id and same_secret


def _error(status: int, error: str, description: str) -> Response:
    answer = jsonify(error=error, description=description, error_description=description)
    answer.status_code = status
    if status == 401:
        answer.headers["WWW-Authenticate"] = 'Basic realm="sandbox"'
    return answer
