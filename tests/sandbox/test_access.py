"""Who gets a token, what it opens, for how long, how often."""

from __future__ import annotations

import re

import pytest
import requests

from bridge.sandbox import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, SandboxConfig
from tests.fakes import FakeClock
from tests.sandbox.calling import Caller
from tests.sandbox.conftest import Serve

ME = (DEMO_CLIENT_ID, DEMO_CLIENT_SECRET)
CONVERSATION = "/api/v2/conversations/conv-2001"


def ask(caller: Caller, form: dict[str, str], auth: tuple[str, str] | None = ME) -> requests.Response:
    return requests.post(f"{caller.url}/oauth/token", data=form, auth=auth, timeout=5)


def test_client_credentials_give_a_bearer_token(caller: Caller) -> None:
    answer = ask(caller, {"grant_type": "client_credentials", "scope": "conversation:read purge:read"})
    assert answer.status_code == 200
    told = answer.json()
    assert told.pop("access_token")
    assert told == {"token_type": "bearer", "expires_in": 3600, "scope": "conversation:read purge:read"}
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("form", "auth", "status", "error"),
    [
        ({"grant_type": "client_credentials"}, None, 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, (DEMO_CLIENT_ID, "wrong"), 401, "invalid_client"),
        ({"grant_type": "client_credentials"}, ("wröng", DEMO_CLIENT_SECRET), 401, "invalid_client"),
        ({"grant_type": "password"}, ME, 400, "unsupported_grant_type"),
        ({}, ME, 400, "invalid_request"),
        ({"grant_type": "client_credentials", "scope": "admin"}, ME, 400, "invalid_scope"),
    ],
)
def test_a_refused_token_request_says_why_in_the_oauth_form(
    caller: Caller, form: dict[str, str], auth: tuple[str, str] | None, status: int, error: str
) -> None:
    answer = ask(caller, form, auth)
    assert answer.status_code == status
    assert answer.json()["error"] == error
    assert set(answer.json()) == {"error", "description", "error_description"}


def test_a_call_without_a_token_is_401_in_the_platforms_form(caller: Caller) -> None:
    answer = requests.get(caller.url + CONVERSATION, timeout=5)
    assert answer.status_code == 401
    body = answer.json()
    assert set(body) == {"message", "code", "status", "contextId", "details", "errors"}
    assert (body["code"], body["status"]) == ("authentication.required", 401)
    assert body["contextId"] == answer.headers["ININ-Correlation-Id"]


def test_a_token_ends_when_its_time_is_over(serve: Serve, clock: FakeClock) -> None:
    caller = serve(SandboxConfig(expires_in=60))
    clock.advance(59.9)
    assert caller.get(CONVERSATION).status_code == 200
    clock.advance(0.1)
    assert caller.get(CONVERSATION).status_code == 401
    assert caller.log_in().get(CONVERSATION).status_code == 200


def test_a_token_without_the_scope_is_403_and_names_it(caller: Caller) -> None:
    reader = Caller(caller.url, scope="conversation:read").log_in()
    answer = reader.patch(f"{CONVERSATION}/attributes", {"attributes": {"a": 1}}, {"If-Match": '"1"'})
    assert answer.status_code == 403
    assert answer.json()["code"] == "missing.permissions"
    assert "conversation:attributes:write" in answer.json()["message"]
    assert caller.state()["conversations"]["conv-2001"]["version"] == 1


def test_the_pace_is_told_and_kept(serve: Serve, clock: FakeClock) -> None:
    caller = serve(SandboxConfig(rate_per_minute=2))
    clock.advance(0)
    first = caller.get(CONVERSATION)
    assert {name: first.headers[f"inin-ratelimit-{name}"] for name in ("count", "allowed", "reset")} == {
        "count": "1",
        "allowed": "2",
        "reset": "60",
    }
    clock.advance(10.5)
    assert caller.get(CONVERSATION).status_code == 200
    refused = caller.get(CONVERSATION)
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] == "50"
    assert refused.json()["code"] == "too.many.requests"
    clock.advance(49.5)
    assert caller.get(CONVERSATION).status_code == 200


def test_another_token_has_a_pace_of_its_own(serve: Serve) -> None:
    caller = serve(SandboxConfig(rate_per_minute=1))
    assert caller.get(CONVERSATION).status_code == 200
    assert caller.get(CONVERSATION).status_code == 429
    assert caller.log_in().get(CONVERSATION).status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/nowhere", "/oauth/token", CONVERSATION, "/_sandbox/state", "/v1/customers/cust-1"]
)
def test_every_answer_has_a_correlation_id_and_says_that_it_is_a_sandbox(caller: Caller, path: str) -> None:
    answers = [caller.get(path) for _ in range(2)]
    ids = {answer.headers["ININ-Correlation-Id"] for answer in answers}
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f-]{36}", one) for one in ids)
    assert {answer.headers["X-Sandbox"] for answer in answers} == {"not Genesys Cloud"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"webhook_url": "http://127.0.0.1/"}, "webhook_secret"),
        ({"webhook_url": "ftp://127.0.0.1/", "webhook_secret": "s"}, "webhook_url"),
        ({"webhook_url": "http://me:pw@127.0.0.1/", "webhook_secret": "s"}, "webhook_url"),
        ({"scopes": ("admin",)}, "scopes"),
        ({"rate_per_minute": 0}, "rate_per_minute"),
        ({"expires_in": 0}, "expires_in"),
        ({"client_id": "a:b"}, "client_id"),
    ],
)
def test_a_configuration_that_does_not_check_names_the_field(changes: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=field):
        SandboxConfig(**changes)  # type: ignore[arg-type]


def test_secrets_do_not_show_themselves() -> None:
    config = SandboxConfig(client_secret="s3cret", webhook_url="http://127.0.0.1/", webhook_secret="s3cret")
    assert "s3cret" not in repr(config)
