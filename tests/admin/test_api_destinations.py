"""Destinations over the API: how each is doing, and what an operator may do with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update

from bridge import signals
from bridge.admin.access import Role
from bridge.clock import new_id
from bridge.database import Database
from bridge.outbox.contract import DeliveryPolicy, RetryLater
from bridge.tables import AuditEntryRow, DestinationStateRow, EventRow
from tests.admin.desk import MASKING, Desk, make_desk
from tests.admin.harbour import lookout
from tests.fakes import FakeClock
from tests.outbox.yard import FakeDestination, count, dispatcher, owe
from tests.receivers import Answer, Receiver

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WHY = {"reason": "the ERP is moved"}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def desk(database: Database, clock: FakeClock, receiver: Receiver) -> Iterator[Desk]:
    seen = lookout(database, clock, MASKING, receiver.url + "/hook?key=hidden")
    yield make_desk(database, clock, seen=seen)
    for one in seen.known.values():
        one.forwarder.close()


def noted(desk: Desk, action: str) -> list[tuple[str, str, str | None, Any]]:
    with desk.database.read() as session:
        rows = session.scalars(select(AuditEntryRow).where(AuditEntryRow.action == action).order_by(AuditEntryRow.id))
        return [(row.actor, row.subject, row.reason, row.details) for row in rows]


def record_event(desk: Desk, **changes: Any) -> str:
    """An event that an ERP has a request for, with somebody's number in it."""
    event_id = new_id()
    payload = {
        "schemaName": "Item",
        "recordId": "1",
        "version": 1,
        "modifiedTime": "2026-05-01T10:00:00Z",
        "modifiedBy": "user-1",
        "fields": {"contactPhone": "+4915112345689", "phoneNumber": "+4915112345689"},
        "action": "update",
    }
    row = {"type": "custom_object.record.updated", "payload": payload, "state": "recorded", **changes}
    with desk.database.write() as session:
        session.add(
            EventRow(
                id=event_id, source="genesys", subject="record:Item/1", received_at=desk.clock.now(), body=b"", **row
            )
        )
    return event_id


def test_a_destination_has_its_shape(desk: Desk, receiver: Receiver) -> None:
    owe(desk.database, desk.clock.now())
    desk.clock.advance(90)
    seat = desk.sits(Role.VIEWER)
    erp, crm = seat.get("/destinations").get_json()["items"]
    assert erp == {
        "name": "erp",
        "kind": "erp",
        "url": receiver.url + "/hook?key=…",
        "state": "active",
        "paused_at": None,
        "paused_reason": None,
        "breaker": "closed",
        "breaker_until": None,
        "backlog": 1,
        "oldest_seconds": 90.0,
        "dead": 0,
        "blocked_lanes": 0,
        "rate_1m": 0.0,
        "success_rate_1h": None,
        "latency_ms": None,
        "last_error": None,
        "last_error_at": None,
    }
    assert seat.get("/destinations/erp").get_json() == erp
    assert (crm["name"], crm["backlog"], crm["oldest_seconds"]) == ("crm", 0, 0.0)


def test_what_was_tried_shows_in_the_figures(desk: Desk) -> None:
    owe(desk.database, desk.clock.now())
    dispatcher(desk.database, desk.clock, FakeDestination()).deliver_due()
    erp = desk.sits(Role.VIEWER).get("/destinations/erp").get_json()
    assert (erp["backlog"], erp["success_rate_1h"], erp["rate_1m"]) == (0, 1.0, 0.017)


@sqlite_only
def test_destinations_come_page_by_page(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)
    assert [[one["name"] for one in page] for page in seat.pages("/destinations", limit=1)] == [["erp"], ["crm"]]
    assert seat.get("/destinations", limit=0).status_code == 422
    assert seat.get("/destinations", state="paused").status_code == 422


@sqlite_only
def test_a_destination_that_is_not_there_is_a_404(desk: Desk) -> None:
    seat = desk.sits(Role.OPERATOR)
    assert seat.get("/destinations/epr").status_code == 404
    assert "erp, crm" in seat.get("/destinations/epr").get_json()["detail"]
    for what in ("pause", "resume", "test"):
        assert seat.post(f"/destinations/epr/{what}", WHY).status_code == 404
    assert seat.post("/destinations/epr/preview", {"event_id": new_id()}).status_code == 404


def test_a_paused_destination_is_sent_nothing_until_it_is_resumed(desk: Desk) -> None:
    seat = desk.sits(Role.OPERATOR)
    paused = seat.post("/destinations/erp/pause", {"reason": "call +4915112345689"})
    assert (paused.status_code, paused.get_json()["state"]) == (200, "paused")
    assert paused.get_json()["paused_at"] == "2026-05-01T12:00:00Z"
    assert "5112345689" not in paused.get_json()["paused_reason"]
    owe(desk.database, desk.clock.now())
    worker = dispatcher(desk.database, desk.clock, erp := FakeDestination())
    assert worker.deliver_due() == 0
    resumed = seat.post("/destinations/erp/resume", WHY)
    assert (resumed.status_code, resumed.get_json()["state"]) == (200, "active")
    assert worker.deliver_due() == 1
    assert len(erp.sent) == 1
    assert noted(desk, "destination.resumed") == [(seat.actor, "destination:erp", WHY["reason"], {"name": "erp"})]
    ((actor, _, reason, _),) = noted(desk, "destination.paused")
    assert actor == seat.actor
    assert "5112345689" not in str(reason)


def test_pausing_twice_and_resuming_what_is_not_paused_are_conflicts(desk: Desk) -> None:
    seat = desk.sits(Role.OPERATOR)
    assert seat.post("/destinations/erp/resume", WHY).status_code == 409
    assert seat.post("/destinations/erp/pause", WHY).status_code == 200
    assert seat.post("/destinations/erp/pause", WHY).status_code == 409
    assert len(noted(desk, "destination.paused")) == 1


@sqlite_only
def test_a_reason_has_to_be_given_even_where_no_body_is(desk: Desk) -> None:
    headers = {"Authorization": f"Bearer {desk.token(Role.OPERATOR)}"}
    answer = desk.app.test_client().post("/api/v1/destinations/erp/pause", headers=headers)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.get_json()["errors"]] == ["reason"]


@sqlite_only
def test_what_the_configuration_switches_off_is_disabled(database: Database, clock: FakeClock) -> None:
    desk = make_desk(database, clock, seen=lookout(database, clock, MASKING, paused=True))
    seat = desk.sits(Role.OPERATOR)
    assert seat.get("/destinations/erp").get_json()["state"] == "disabled"
    refused = seat.post("/destinations/erp/resume", WHY)
    assert refused.status_code == 409
    assert "paused = true" in refused.get_json()["detail"]


def test_resuming_wakes_the_dispatcher(desk: Desk) -> None:
    seat = desk.sits(Role.OPERATOR)
    seat.post("/destinations/erp/pause", WHY)
    states = []

    def hear(_: object) -> None:
        states.append(seat.get("/destinations/erp").get_json()["state"])

    with signals.work_recorded.connected_to(hear):
        seat.post("/destinations/erp/resume", WHY)
    assert states == ["active"]


def test_the_breaker_is_closed_open_and_half_open(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)
    for number in range(2):
        owe(desk.database, desk.clock.now(), subject=f"conversation:{number}")
    down = RetryLater(reason="refused", error_class="connect")
    policy = DeliveryPolicy(breaker_failures=2, breaker_cooldown=30)
    dispatcher(desk.database, desk.clock, FakeDestination(answer=lambda _: down, policy=policy)).deliver_due()
    erp = seat.get("/destinations/erp").get_json()
    assert erp["breaker"] == "open"
    assert erp["breaker_until"] is not None
    desk.clock.advance(30)
    assert seat.get("/destinations/erp").get_json()["breaker"] == "half-open"
    with desk.database.write() as session:  # as `take_probe` leaves it
        until = desk.clock.now() + timedelta(seconds=10)
        session.execute(update(DestinationStateRow).values(probing=True, open_until=until))
    assert seat.get("/destinations/erp").get_json()["breaker"] == "half-open"


def test_a_test_sends_one_harmless_request_that_nobody_is_owed(desk: Desk, receiver: Receiver) -> None:
    receiver.answers(Answer(200, body=b'{"phone": "+4915112345689"}'))
    seat = desk.sits(Role.OPERATOR)
    answer = seat.post("/destinations/erp/test", {"reason": "new certificate"})
    assert answer.status_code == 200
    trial = answer.get_json()
    assert (trial["outcome"], trial["status"], trial["error"]) == ("delivered", 200, None)
    assert "5112345689" not in trial["answer_excerpt"]
    (request,) = receiver.requests
    assert (request.path, request.headers["X-Bridge-Test"]) == ("/hook?key=hidden", "true")
    assert request.headers["webhook-id"].startswith("test_")
    assert (request.json()["recordId"], request.json()["fields"]) == ("bridge-test", {})
    assert (count(desk.database, "delivery"), count(desk.database, "event"), count(desk.database, "attempt")) == (
        0,
        0,
        0,
    )
    ((actor, subject, reason, details),) = noted(desk, "destination.tested")
    assert (actor, subject, reason) == (seat.actor, "destination:erp", "new certificate")
    assert (details["outcome"], details["status"]) == ("delivered", 200)


@pytest.mark.parametrize(("scripted", "outcome", "kind"), [(503, "retry_later", "status"), (422, "rejected", "status")])
def test_a_test_that_fails_says_what_would_become_of_a_delivery(
    desk: Desk, receiver: Receiver, scripted: int, outcome: str, kind: str
) -> None:
    receiver.answers(scripted)
    seat = desk.sits(Role.OPERATOR)
    trial = seat.post("/destinations/crm/test", {}).get_json()
    assert (trial["outcome"], trial["status"], trial["error_class"]) == (outcome, scripted, kind)
    assert str(scripted) in trial["error"]
    assert noted(desk, "destination.tested")[0][3]["outcome"] == outcome
    assert seat.get("/destinations/crm").get_json()["breaker"] == "closed", "a test is no try"


@sqlite_only
def test_a_test_needs_no_body_and_works_while_paused(desk: Desk, receiver: Receiver) -> None:
    seat = desk.sits(Role.OPERATOR)
    seat.post("/destinations/erp/pause", WHY)
    headers = {"Authorization": f"Bearer {seat.token}"}
    assert desk.app.test_client().post("/api/v1/destinations/erp/test", headers=headers).status_code == 200
    assert len(receiver.requests) == 1


@sqlite_only
def test_a_test_where_nobody_listens_is_told(database: Database, clock: FakeClock) -> None:
    desk = make_desk(database, clock)
    trial = desk.sits(Role.OPERATOR).post("/destinations/erp/test", {}).get_json()
    assert (trial["outcome"], trial["status"], trial["error_class"]) == ("retry_later", None, "connect")


@sqlite_only
def test_one_test_of_a_destination_runs_at_a_time_and_holds_no_connection(desk: Desk, receiver: Receiver) -> None:
    asked, go_on = threading.Event(), threading.Event()
    in_use: list[int] = []

    def answer(_: object) -> int:
        in_use.append(desk.database.engine.pool.checkedout())  # type: ignore[attr-defined]
        asked.set()
        go_on.wait(5)
        return 204

    receiver.answer = answer
    seat = desk.sits(Role.OPERATOR)
    statuses: list[int] = []
    first = threading.Thread(target=lambda: statuses.append(seat.post("/destinations/erp/test", {}).status_code))
    first.start()
    assert asked.wait(5)
    assert seat.post("/destinations/erp/test", {}).status_code == 409
    go_on.set()
    first.join()
    assert (statuses, in_use) == ([200], [0])
    assert seat.post("/destinations/erp/test", {}).status_code == 200, "and then it is free again"


def test_a_preview_shows_the_request_masked_and_sends_nothing(desk: Desk, receiver: Receiver) -> None:
    event_id = record_event(desk)
    answer = desk.sits(Role.VIEWER).post("/destinations/erp/preview", {"event_id": event_id})
    assert answer.status_code == 200
    shown = answer.get_json()
    assert (shown["method"], shown["url"], shown["owed"]) == ("POST", receiver.url + "/hook?key=…", True)
    assert (shown["body"]["schemaName"], shown["revealed"]) == ("Item", False)
    assert shown["headers"]["Idempotency-Key"]
    assert "5112345689" not in answer.text
    assert receiver.requests == []


def test_a_preview_is_revealed_only_with_the_right_and_a_reason(desk: Desk) -> None:
    event_id = record_event(desk)
    asked = {"event_id": event_id, "reveal": True, "reason": "the ERP asks why"}
    assert desk.sits(Role.OPERATOR).post("/destinations/erp/preview", asked).status_code == 403
    approver = desk.sits(Role.APPROVER)
    assert approver.post("/destinations/erp/preview", {**asked, "reason": None}).status_code == 422
    assert noted(desk, "event.revealed") == []
    shown = approver.post("/destinations/erp/preview", asked).get_json()
    assert (shown["body"]["fields"]["phoneNumber"], shown["revealed"]) == ("+4915112345689", True)
    assert noted(desk, "event.revealed") == [
        (approver.actor, f"event:{event_id}", asked["reason"], {"eventId": event_id, "destination": "erp"})
    ]
    assert approver.post("/destinations/erp/preview", {"event_id": event_id}).get_json()["revealed"] is False


@sqlite_only
def test_what_an_auditor_previews_is_noted_like_every_look(desk: Desk) -> None:
    event_id, auditor = record_event(desk), desk.sits(Role.AUDITOR)
    assert auditor.post("/destinations/erp/preview", {"event_id": event_id}).status_code == 200
    expected = (auditor.actor, f"event:{event_id}", None, {"eventId": event_id, "destination": "erp"})
    assert noted(desk, "access.read") == [expected]


@sqlite_only
def test_what_becomes_no_request_is_said(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)

    def status(path: str, body: object) -> int:
        return seat.post(path, body).status_code

    assert status("/destinations/erp/preview", {"event_id": new_id()}) == 404
    assert status("/destinations/erp/preview", {}) == 422
    assert status("/destinations/erp/preview", {"event_id": record_event(desk, state="unreadable")}) == 409
    assert status("/destinations/erp/preview", {"event_id": record_event(desk, type="interaction.purged")}) == 422
    command = record_event(desk, type="record.update", payload={"body": {}})
    assert status("/destinations/crm/preview", {"event_id": command}) == 422


def test_the_overview_tells_it_all(desk: Desk) -> None:
    now = desk.clock.now()
    owe(desk.database, now)
    body = orjson.loads(desk.sits(Role.VIEWER).get("/overview").data)
    assert body["at"] == "2026-05-01T12:00:00Z"
    assert [one["name"] for one in body["destinations"]] == ["erp", "crm"]
    assert (body["backlog"], body["dead"], body["blocked_lanes"]) == (1, 0, 0)
    assert len(body["minutes"]) == 60
    assert body["minutes"][-1]["at"] == "2026-05-01T12:00:00Z"
    (genesys,) = body["sources"]
    assert genesys["last_event_at"] == "2026-05-01T12:00:00Z"
    assert genesys["silent"] is False
    assert body["audit"]["unsealed"] >= 1
