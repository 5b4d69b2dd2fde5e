"""Facts about the answers of `POST /webhooks/<source>`, through the real Flask application on a real database."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from bridge import signals
from bridge.database import Database
from bridge.errors import Invalid
from bridge.events import Event
from bridge.intake.canonical import document_key
from bridge.intake.formats import register
from bridge.intake.receiver import Receiver
from bridge.settings.model import Secret, ServerSettings, VerifySettings
from bridge.tables import EventRow, RejectionRow
from tests.fakes import FakeClock
from tests.intake.webhook_app import GENESYS, SECRET, build_app, build_receiver
from tests.opened import opened_events, opened_rejections

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CHANGE = {
    "action": "update", "schemaName": "Item",
    "record": {"id": "r-1", "version": 3, "modifiedTime": "2026-05-01T10:00:00Z", "fields": {"qty": 5}},
}  # fmt: skip
KEY = VerifySettings(scheme="api-key", secrets=(Secret("k1"),), header="X-Key")
SOURCES = (
    GENESYS,
    replace(GENESYS, name="near", verify=KEY, allow_from=(ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))),
    replace(GENESYS, name="paced", verify=KEY, rate=2.0),
    replace(GENESYS, name="plain", verify=KEY, success_status=200),
    replace(GENESYS, name="engage", format="engage", verify=KEY, success_status=200),
    replace(GENESYS, name="actions", format="data-action", verify=KEY),
)
SERVER = ServerSettings(max_body_bytes=2000, trusted_proxies=(ip_network("127.0.0.0/8"), ip_network("192.0.2.7/32")))


def signature(body: bytes, secret: str = SECRET) -> dict[str, str]:
    digest = hmac.digest(secret.encode(), body, "sha256")
    return {"X-Hub-Signature-256": "sha256=" + base64.b64encode(digest).decode()}


class Door:
    """Posts to the application, and reads what it kept."""

    def __init__(self, client: FlaskClient, database: Database) -> None:
        self.client, self.database = client, database

    def post(self, document: object, *, source: str = "genesys", **headers: str) -> TestResponse:
        return self.send(json.dumps(document).encode(), source=source, **headers)

    def send(self, body: bytes, *, source: str = "genesys", method: str = "POST", **headers: str) -> TestResponse:
        proof = signature(body) if source == "genesys" else {"X-Key": "k1"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        fields = {"Content-Type": "application/json", **proof, **named}
        return self.client.open(f"/webhooks/{source}", method=method, data=body, headers=fields)

    def events(self) -> list[EventRow]:
        with self.database.read() as session:
            return opened_events(session, session.scalars(select(EventRow).order_by(EventRow.id)))

    def rejections(self) -> list[RejectionRow]:
        with self.database.read() as session:
            return opened_rejections(session, session.scalars(select(RejectionRow).order_by(RejectionRow.id)))


@pytest.fixture
def receiver(database: Database, clock: FakeClock) -> Iterator[Receiver]:
    receiver = build_receiver(database, clock, SOURCES, SERVER)
    yield receiver
    receiver.stop()


@pytest.fixture
def door(receiver: Receiver, database: Database) -> Door:
    return Door(build_app(receiver).test_client(), database)


@pytest.fixture
def rejected() -> Iterator[list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []

    def hear(_sender: object, *, source: str, cause: str) -> None:
        told.append((source, cause))

    with signals.request_rejected.connected_to(hear):
        yield told


def problem(response: TestResponse) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = json.loads(response.data)
    assert body["status"] == response.status_code
    assert {"type", "title", "detail", "instance"} <= body.keys()
    return body


def test_a_new_event_is_answered_202_with_its_id_and_what_is_owed(door: Door, destinations: list[str]) -> None:
    destinations += ["erp", "crm"]
    response = door.post(CHANGE)
    (row,) = door.events()
    assert response.status_code == 202
    assert response.content_type == "application/json"
    assert response.get_json() == {
        "id": row.id, "type": "custom_object.record.updated", "subject": "record:Item/r-1", "duplicate": False,
        "deliveries": ["crm", "erp"],
    }  # fmt: skip
    assert row.body == json.dumps(CHANGE).encode()


def test_the_same_again_is_answered_200_with_the_same_id(door: Door, destinations: list[str]) -> None:
    destinations.append("erp")
    first, again = door.post(CHANGE), door.post(CHANGE)
    assert again.status_code == 200
    assert again.get_json() == {**first.get_json(), "duplicate": True, "deliveries": []}


def test_a_change_of_what_changes_per_sending_is_the_same(door: Door) -> None:
    door.post({**CHANGE, "metadata": {"CorrelationId": "1"}, "id": "a", "time": "t"})
    assert door.post({**CHANGE, "metadata": {"CorrelationId": "2"}, "id": "b", "time": "u"}).status_code == 200


def test_an_unknown_event_type_and_one_that_nobody_wants_are_recorded(door: Door) -> None:
    response = door.post({"eventType": "NEW_THING", "payload": {"a": 1}})
    assert (response.status_code, response.get_json()["deliveries"]) == (202, [])
    assert door.post(CHANGE).get_json()["deliveries"] == []
    assert [row.type for row in door.events()] == ["genesys.new_thing", "custom_object.record.updated"]


def test_a_source_may_be_answered_200(door: Door) -> None:
    assert door.post(CHANGE, source="plain").status_code == 200


def test_json_that_is_not_of_the_format_is_kept_as_unreadable_and_answered_422(
    door: Door, rejected: list[tuple[str, str]]
) -> None:
    broken = {"action": "update", "schemaName": "Item", "record": {"id": "", "fields": {}}}
    for _ in range(2):
        response = door.post(broken)
        assert response.status_code == 422
        fields = {(error["field"], error["rule"]) for error in problem(response)["errors"]}
        assert fields == {("record.id", "length"), ("record.modifiedTime", "required")}
    (row,) = door.events()
    assert (row.state, row.type, row.payload, row.duplicates) == ("unreadable", "unreadable", {}, 1)
    assert row.subject.startswith("unreadable:")
    assert row.body == json.dumps(broken).encode()
    assert {error["field"] for error in row.errors} == {"record.id", "record.modifiedTime"}
    assert (door.rejections(), rejected) == ([], [])


def test_what_is_not_json_is_a_rejection_with_its_bytes_because_the_sender_is_known(
    door: Door, rejected: list[tuple[str, str]]
) -> None:
    response = door.send(b'{"a":1,"a":2}')
    assert response.status_code == 400
    assert "two" not in problem(response)["detail"]
    (row,) = door.rejections()
    assert (row.cause, row.status, row.body, row.size) == ("duplicate-key", 400, b'{"a":1,"a":2}', 13)
    assert (row.source, row.address) == ("genesys", "127.0.0.1")
    assert door.events() == []
    assert rejected == [("genesys", "duplicate-key")]


@pytest.mark.parametrize(
    ("value", "cause"),
    [
        (signature(b"x")["X-Hub-Signature-256"], "signature-mismatch"),
        ("", "signature-missing"),
        ("x", "signature-malformed"),
    ],
)
def test_an_unproven_sender_is_refused_and_nothing_of_its_body_kept(door: Door, value: str, cause: str) -> None:
    response = door.post(CHANGE, **{"X-Hub-Signature-256": value})
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"]
    assert value not in response.text or not value
    (row,) = door.rejections()
    assert (row.cause, row.status, row.body, row.size) == (cause, 401, None, len(json.dumps(CHANGE)))
    assert door.events() == []


def test_an_unknown_source_is_404_whatever_the_method_and_only_counted(
    door: Door, rejected: list[tuple[str, str]]
) -> None:
    for method in ("POST", "GET", "PUT"):
        response = door.send(b"{}", source="nobody", method=method)
        assert response.status_code == 404
        assert "nobody" not in response.text
    assert rejected == [("unknown", "unknown-source")] * 3
    assert door.rejections() == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_only_post_is_allowed(door: Door, method: str) -> None:
    response = door.send(b"", method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == "POST"
    assert [row.cause for row in door.rejections()] == ["method"]


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"',
     "application/cloudevents+json", "application/json; profile=x ; charset=utf-8"],
)  # fmt: skip
def test_json_media_types_are_taken(door: Door, media_type: str) -> None:
    assert door.post(CHANGE, **{"Content-Type": media_type}).status_code == 202


@pytest.mark.parametrize(
    "media_type",
    ["", "text/plain", "application/jsonp", "application/json-seq", "application/x-www-form-urlencoded",
     "application/json; charset=latin-1", "application/json, text/plain", "application/json; charset =utf-16",
     "text/json+application/json"],
)  # fmt: skip
def test_other_media_types_are_415(door: Door, media_type: str) -> None:
    assert door.post(CHANGE, **{"Content-Type": media_type}).status_code == 415
    assert [row.cause for row in door.rejections()] == ["content-type"]


def test_any_content_encoding_is_415(door: Door) -> None:
    for encoding in ("gzip", "identity"):
        assert door.post(CHANGE, **{"Content-Encoding": encoding}).status_code == 415


def test_a_body_over_the_limit_is_413_before_anything_else_is_looked_at(door: Door) -> None:
    response = door.send(b" " * 2001, **{"Content-Type": "text/plain", "X-Hub-Signature-256": ""})
    assert response.status_code == 413
    assert [(row.cause, row.body) for row in door.rejections()] == [("too-large", None)]
    assert door.send(b'"' + b"x" * 1998 + b'"').status_code == 422


@pytest.mark.parametrize(
    ("remote", "forwarded", "status"),
    [
        ("10.1.2.3", None, 202),
        ("11.1.2.3", None, 403),
        ("11.1.2.3", "10.1.2.3", 403),  # not a trusted proxy
        ("127.0.0.1", "10.1.2.3", 202),
        ("::ffff:127.0.0.1", "10.1.2.3:4711", 202),
        ("127.0.0.1", "[2001:db8::1]:443", 202),
        ("127.0.0.1", "10.1.2.3, 11.1.2.3", 403),  # the nearest that is no proxy counts
        ("127.0.0.1", "11.1.2.3, 10.1.2.3, 192.0.2.7", 202),
        ("127.0.0.1", "garbage, 192.0.2.7", 403),
        ("127.0.0.1", "10.1.2.3, garbage", 403),
        ("127.0.0.1", "", 403),
        ("", "10.1.2.3", 403),
    ],
)
def test_a_source_may_be_open_to_some_addresses_only(
    door: Door, remote: str, forwarded: str | None, status: int
) -> None:
    door.client.environ_base["REMOTE_ADDR"] = remote
    headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
    assert door.post(CHANGE, source="near", **headers).status_code == status
    assert [row.cause for row in door.rejections()] == ([] if status == 202 else ["address"])


def test_the_address_is_looked_at_before_the_proof(door: Door) -> None:
    assert door.post(CHANGE, source="near", **{"X-Key": "wrong"}).status_code == 403


def test_a_source_over_its_rate_is_told_when_to_come_back(
    door: Door, clock: FakeClock, rejected: list[tuple[str, str]]
) -> None:
    assert [door.post(CHANGE, source="paced").status_code for _ in range(3)] == [202, 200, 429]
    response = door.post(CHANGE, source="paced", **{"X-Key": "wrong"})
    assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
    assert rejected == [("paced", "rate")] * 2
    assert door.rejections() == []
    clock.advance(0.5)
    assert door.post(CHANGE, source="paced").status_code == 200


def test_a_webhook_id_is_the_senders_delivery_id(door: Door) -> None:
    alarms: list[tuple[str, str]] = []

    def hear(_sender: object, *, cause: str, message: str, **_rest: object) -> None:
        alarms.append((cause, message))

    with signals.needs_attention.connected_to(hear):
        first = door.post(CHANGE, webhook_id="d-1")
        assert door.post(CHANGE, webhook_id="d-1").status_code == 200
        assert alarms == []
        other = door.post({**CHANGE, "schemaName": "Other"}, webhook_id="d-1")
    assert (other.status_code, other.get_json()["id"]) == (200, first.get_json()["id"])
    assert [cause for cause, _ in alarms] == ["delivery-id-reused"]
    assert first.get_json()["id"] in alarms[0][1]


def test_an_unreadable_body_does_not_use_its_delivery_id_up(door: Door) -> None:
    assert door.post({"hello": 1}, webhook_id="d-1").status_code == 422
    assert door.post(CHANGE, webhook_id="d-1").status_code == 202


class Upgraded:
    """A format that can read nothing yet."""

    can_read = False

    def parse(self, document: object, *, source: str) -> list[Event]:
        if not self.can_read:
            raise Invalid("Not yet.")
        return [Event(type="t", subject="s", payload={}, content_key=document_key(source, document))]


def test_what_was_unreadable_is_no_repeat_once_it_can_be_read(database: Database, clock: FakeClock) -> None:
    upgraded = Upgraded()
    register("upgraded", upgraded)
    receiver = build_receiver(database, clock, [replace(GENESYS, format="upgraded")])
    door = Door(build_app(receiver).test_client(), database)
    assert door.post({"new": 1}).status_code == 422
    upgraded.can_read = True
    assert door.post({"new": 1}).status_code == 202
    assert [row.state for row in door.events()] == ["unreadable", "recorded"]
    receiver.stop()


TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.mark.parametrize(
    ("headers", "correlation_id", "traceparent"),
    [
        ({"X-Correlation-ID": "c-1", "ININ-Correlation-Id": "i-1", "traceparent": TRACE}, "c-1", TRACE),
        ({"ININ-Correlation-Id": "i-1"}, "i-1", None),
        ({"traceparent": TRACE}, TRACE[3:35], TRACE),
        ({"X-Correlation-ID": "a b", "traceparent": TRACE.replace("00-", "ff-", 1)}, None, None),
        ({"X-Correlation-ID": "x" * 129, "traceparent": TRACE.upper()}, None, None),
        ({"X-Correlation-ID": "<script>"}, None, None),
    ],
)
def test_an_event_keeps_what_ties_it_to_its_journey(
    door: Door, headers: dict[str, str], correlation_id: str | None, traceparent: str | None
) -> None:
    door.post(CHANGE, **headers)
    (row,) = door.events()
    assert row.traceparent == traceparent
    assert row.correlation_id == correlation_id or (correlation_id is None and len(row.correlation_id or "") == 36)


def test_rejections_are_kept_only_so_many_at_once_but_all_are_told_of(
    door: Door, clock: FakeClock, rejected: list[tuple[str, str]]
) -> None:
    for _ in range(105):
        assert door.post(CHANGE, **{"X-Hub-Signature-256": "x"}).status_code == 401
    assert (len(door.rejections()), len(rejected)) == (100, 105)
    clock.advance(0.1)
    door.post(CHANGE, **{"X-Hub-Signature-256": "x"})
    assert len(door.rejections()) == 101


def test_while_nothing_can_be_stored_the_answer_is_503_and_refusals_stay_what_they_are(
    door: Door, receiver: Receiver, rejected: list[tuple[str, str]]
) -> None:
    receiver.stop()
    response = door.post(CHANGE)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert door.post(CHANGE, **{"X-Hub-Signature-256": "x"}).status_code == 401
    assert rejected == [("genesys", "overloaded"), ("genesys", "signature-malformed")]


def test_a_fault_of_ours_is_answered_500_without_detail(
    door: Door, destinations: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_sender: object, **_keywords: object) -> None:
        raise LookupError("jane@example.com")

    with signals.event_recorded.connected_to(broken):
        response = door.post(CHANGE)
    assert response.status_code == 500
    body = problem(response)
    assert "Lookup" not in response.text
    assert "jane" not in response.text + caplog.text
    assert body["instance"] in caplog.text
    assert "LookupError" in caplog.text
    assert door.events() == []
    assert door.post(CHANGE).status_code == 202


def test_a_verified_sender_without_body_gets_400(door: Door) -> None:
    assert door.send(b"").status_code == 400


def test_a_body_may_hold_several_events(door: Door, destinations: list[str]) -> None:
    destinations.append("crm")
    document = {"operationId": "op", "data": {"entities": [{"id": "e-1"}, {"id": "e-2"}]}}
    first = door.post(document, source="engage", webhook_id="d-1")
    assert first.status_code == 200
    assert [(event["subject"], event["duplicate"]) for event in first.get_json()["events"]] == [
        ("engage:e-1", False),
        ("engage:e-2", False),
    ]
    again = door.post(document, source="engage", webhook_id="d-1").get_json()["events"]
    assert [event["duplicate"] for event in again] == [True, True]
    assert [event["id"] for event in again] == [event["id"] for event in first.get_json()["events"]]


def test_a_body_may_not_hold_any_number_of_events(door: Door) -> None:
    for count, status in ((100, 200), (101, 422)):
        document = {"operationId": f"op{count}", "data": {"entities": [{"n": n} for n in range(count)]}}
        assert door.post(document, source="engage").status_code == status


def test_no_source_gives_a_command(door: Door) -> None:
    action = {
        "source": "genesys-data-action", "topic": "interactions.purge", "eventTime": "2026-05-01T10:00:00Z",
        "conversationId": "c-1",
    }  # fmt: skip
    assert door.post(action, source="actions").status_code == 422
    assert [row.state for row in door.events()] == ["unreadable"]
    assert door.post({**action, "topic": "interactions.seen"}, source="actions").status_code == 202
