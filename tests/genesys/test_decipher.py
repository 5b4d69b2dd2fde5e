"""What answers mean."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from bridge.errors import FieldError
from bridge.genesys.decipher import decipher, whole_number
from bridge.genesys.errors import (
    AuthenticationFailed,
    Forbidden,
    GenesysError,
    Invalid,
    NotFound,
    RateLimited,
    Unavailable,
    VersionConflict,
)
from bridge.genesys.wire import Answer

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def answer(status: int, body: object = None, headers: dict[str, str] | None = None) -> Answer:
    return Answer(
        status=status,
        headers=headers or {},
        body=body,
        excerpt=json.dumps(body),
        correlation_id="corr-1",
        context_id="ctx-1",
    )


def refusal(status: int, body: object = None, headers: dict[str, str] | None = None) -> GenesysError:
    with pytest.raises(GenesysError) as refused:
        decipher(answer(status, body, headers), NOW)
    return refused.value


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_a_success_is_the_answer_itself(status: int) -> None:
    given = answer(status)
    assert decipher(given, NOW) is given


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, AuthenticationFailed),
        (403, Forbidden),
        (404, NotFound),
        (408, Unavailable),
        (409, VersionConflict),
        (410, NotFound),
        (412, VersionConflict),
        (413, Invalid),
        (422, Invalid),
        (425, Unavailable),
        (429, RateLimited),
        (301, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
    ],
)
def test_every_status_has_one_reaction(status: int, kind: type[GenesysError]) -> None:
    assert type(refusal(status)) is kind


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
def test_what_time_mends_is_retryable_and_nothing_else(status: int) -> None:
    assert refusal(status).retryable
    assert not any(refusal(other).retryable for other in (400, 401, 403, 404, 409, 412, 422))


def test_the_platforms_names_for_the_request_are_kept_on_the_error() -> None:
    refused = refusal(500, {"code": "internal.server.error", "contextId": "ctx-1"})
    assert (refused.status, refused.code) == (500, "internal.server.error")
    assert (refused.correlation_id, refused.context_id) == ("corr-1", "ctx-1")


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (409, {"version": 7}, {}),
        (409, {"version": "7"}, {}),
        (412, None, {"etag": '"7"'}),
        (412, {}, {"etag": 'W/"7"'}),
        (400, {"message": "Version 5 does not match the current version", "version": 7}, {}),
    ],
)
def test_every_form_of_a_conflict_tells_the_current_version(status: int, body: object, headers: dict[str, str]) -> None:
    conflict = refusal(status, body, headers)
    assert isinstance(conflict, VersionConflict)
    assert conflict.current_version == 7


def test_a_conflict_without_a_version_says_so() -> None:
    conflict = refusal(409, {"message": "conflict"})
    assert isinstance(conflict, VersionConflict)
    assert conflict.current_version is None


@pytest.mark.parametrize(
    "body",
    [
        {"code": "missing.permissions", "messageParams": {"permissions": "purge:write"}},
        {"code": "missing.permissions", "message": "You are missing the following permission(s): purge:write"},
        {"code": "missing.scope", "messageParams": {"scopes": "[purge:write]"}},
    ],
)
def test_a_403_names_what_is_missing(body: object) -> None:
    forbidden = refusal(403, body)
    assert isinstance(forbidden, Forbidden)
    assert forbidden.missing == ("purge:write",)
    assert "purge:write" in str(forbidden)


@pytest.mark.parametrize("status", [400, 401])
def test_the_oauth_form_is_an_authentication_failure(status: int) -> None:
    body = {"error": "invalid_client", "description": "client not found", "error_description": "client not found"}
    refused = refusal(status, body)
    assert isinstance(refused, AuthenticationFailed)
    assert refused.code == "invalid_client"


@pytest.mark.parametrize(
    "body",
    [
        {"details": [{"errorCode": "pattern", "fieldName": "sku", "entityId": None, "entityName": None}]},
        {"validationErrors": [{"field": "sku", "code": "pattern", "message": "'x-1' is wrong"}]},
        {"errors": [{"code": "bad", "details": [{"errorCode": "pattern", "fieldName": "sku"}]}]},
    ],
)
def test_every_list_of_wrong_fields_is_read(body: object) -> None:
    invalid = refusal(422, body)
    assert isinstance(invalid, Invalid)
    assert [(wrong.field, wrong.rule) for wrong in invalid.errors] == [("sku", "pattern")]


def test_wrong_fields_as_an_object_are_read_too() -> None:
    invalid = refusal(422, {"validationErrors": {"sku": ["'x-1' is wrong"]}})
    assert isinstance(invalid, Invalid)
    assert [(wrong.field, wrong.rule) for wrong in invalid.errors] == [("sku", "refused")]


def test_a_refusal_that_names_no_field_is_still_a_field_error() -> None:
    invalid = refusal(400, {"code": "bad.request", "message": "no"})
    assert isinstance(invalid, Invalid)
    message = "Genesys refuses this (bad.request): correct it and send it again"
    assert invalid.errors == (FieldError(field="body", rule="bad.request", message=message),)


@pytest.mark.parametrize(
    "body",
    [
        {"message": "phone +49 170 1234567 is wrong"},
        {"code": "phone +49 170 1234567"},
        {"details": [{"errorCode": "+49 170 1234567", "fieldName": "phone"}]},
        {"validationErrors": ["+49 170 1234567"]},
    ],
)
def test_no_message_repeats_what_genesys_wrote_about_values(body: object) -> None:
    invalid = refusal(400, body)
    assert isinstance(invalid, Invalid)
    assert "1234567" not in str(invalid) + repr(invalid.errors) + repr(invalid.answer)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "Fri, 01 May 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Fri, 01 May 2026 11:00:00 GMT"}, 0),
        ({"retry-after": "999999999999"}, 3600),
        ({"retry-after": "Fri, 01 May 2037 12:00:00 GMT"}, 3600),
        ({"inin-ratelimit-reset": "12"}, 12),
        ({"retry-after": "7", "inin-ratelimit-reset": "12"}, 7),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_says_when_to_come_back(headers: dict[str, str], seconds: int | None) -> None:
    limited = refusal(429, None, headers)
    assert isinstance(limited, RateLimited)
    assert limited.retry_after == (None if seconds is None else timedelta(seconds=seconds))


def test_an_outage_says_when_to_come_back_too() -> None:
    down = refusal(503, None, {"retry-after": "9"})
    assert isinstance(down, Unavailable)
    assert down.retry_after == timedelta(seconds=9)


@pytest.mark.parametrize("value", [True, -1, "", "1.5", "٣", None, 1.0, [1]])
def test_what_is_no_version_is_none(value: object) -> None:
    assert whole_number(value) is None
