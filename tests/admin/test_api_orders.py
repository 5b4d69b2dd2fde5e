"""Orders over the API: replay, cancel, tokens, revealing. Each is carried out, noted with its reason, or refused."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from sqlalchemy import select

from bridge import signals
from bridge.admin.access import Role
from bridge.clock import new_id
from bridge.outbox.contract import ClaimedDelivery, Outcome, Rejected
from bridge.tables import AuditEntryRow
from tests.admin.desk import Desk, Seat
from tests.admin.stock import stock
from tests.outbox.yard import FakeDestination, delivery, dispatcher, owe

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def reject(_: ClaimedDelivery) -> Outcome:
    return Rejected(reason="answered 422", error_class="status")


def dead_delivery(desk: Desk, subject: str = "record:Item/1") -> str:
    (owed,) = owe(desk.database, desk.clock.now(), subject=subject)
    dispatcher(desk.database, desk.clock, FakeDestination(answer=reject)).deliver_due()
    return owed


def noted(desk: Desk, seat: Seat) -> list[tuple[str, str, str | None]]:
    """What the audit says that the seat did."""
    with desk.database.read() as session:
        rows = session.scalars(
            select(AuditEntryRow).where(AuditEntryRow.actor == seat.actor).order_by(AuditEntryRow.id)
        ).all()
    return [(row.action, row.subject, row.reason) for row in rows]


def test_a_replay_is_answered_with_the_delivery_that_carries_it_and_arrives(desk: Desk) -> None:
    dead = dead_delivery(desk)
    seat = desk.sits(Role.OPERATOR)
    answer = seat.post(f"/deliveries/{dead}/replay", {"reason": "ERP is mended"})
    assert answer.status_code == 202
    carrier = answer.get_json()
    assert (carrier["replay_of"], carrier["state"], carrier["webhook_id"]) == (dead, "pending", dead)
    assert carrier["newer_delivered"] is False
    dispatcher(desk.database, desk.clock, FakeDestination()).deliver_due()
    assert seat.get(f"/deliveries/{carrier['id']}").get_json()["state"] == "delivered"
    assert noted(desk, seat) == [("replay.delivery", "record:Item/1", "ERP is mended")]


def test_a_replay_with_a_fresh_id_is_new_to_the_receiver(desk: Desk) -> None:
    dead = dead_delivery(desk)
    answer = desk.sits(Role.OPERATOR).post(f"/deliveries/{dead}/replay", {"reason": "lost there", "fresh_id": True})
    carrier = answer.get_json()
    assert carrier["webhook_id"] == carrier["id"]


def test_what_cannot_be_replayed_or_cancelled_is_a_conflict(desk: Desk) -> None:
    dead = dead_delivery(desk)
    (pending,) = owe(desk.database, desk.clock.now(), subject="record:Item/2")
    seat, reason = desk.sits(Role.OPERATOR), {"reason": "to try"}
    assert seat.post(f"/deliveries/{pending}/replay", reason).status_code == 409
    assert seat.post(f"/deliveries/{dead}/cancel", reason).status_code == 409
    assert seat.post(f"/deliveries/{new_id()}/replay", reason).status_code == 404
    assert seat.post(f"/deliveries/{new_id()}/cancel", reason).status_code == 404
    assert noted(desk, seat) == [], "what did not happen is not noted"


def test_a_cancelled_delivery_is_never_sent(desk: Desk) -> None:
    (owed,) = owe(desk.database, desk.clock.now())
    seat = desk.sits(Role.OPERATOR)
    answer = seat.post(f"/deliveries/{owed}/cancel", {"reason": "sent by hand"})
    assert (answer.status_code, answer.get_json()["state"]) == (200, "cancelled")
    dispatcher(desk.database, desk.clock, erp := FakeDestination()).deliver_due()
    assert erp.sent == []
    assert noted(desk, seat) == [("delivery.cancelled", "record:InventoryItem/r-1", "sent by hand")]


#: Body, the field that is wrong in it, and the rule.
WRONG_ORDERS: tuple[tuple[object, str, str], ...] = (
    ({}, "reason", "required"),
    ({"reason": None}, "reason", "required"),
    ({"reason": "  "}, "reason", "required"),
    ({"reason": 7}, "reason", "type"),
    ({"reason": "x" * 1001}, "reason", "text"),
    ({"reason": "a\x1bb"}, "reason", "text"),
    ({"reason": "why", "fresh_id": "yes"}, "fresh_id", "type"),
    ({"reason": "why", "fresh_id": 1}, "fresh_id", "type"),
    ({"reason": "why", "frob": 1}, "frob", "unknown"),
    ([], "body", "type"),
)


@sqlite_only
def test_an_order_that_is_wrong_is_refused_by_its_field(desk: Desk) -> None:
    seat = desk.sits(Role.OPERATOR)
    for body, field, rule in WRONG_ORDERS:
        answer = seat.post(f"/deliveries/{new_id()}/replay", body)
        assert answer.status_code == 422, body
        assert [(one["field"], one["rule"]) for one in answer.get_json()["errors"]] == [(field, rule)], body


@sqlite_only
def test_a_body_that_is_no_json_is_refused_before_it_is_read(desk: Desk) -> None:
    seat = desk.sits(Role.OPERATOR)
    headers = {"Authorization": f"Bearer {seat.token}"}

    def status(data: bytes, content_type: str = "application/json") -> int:
        path = f"/api/v1/deliveries/{new_id()}/cancel"
        return desk.app.test_client().post(path, data=data, content_type=content_type, headers=headers).status_code

    assert status(b'{"reason": "why"}') == 404
    assert status(b"") == 400
    assert status(b'{"reason": "why"') == 400
    assert status(b'{"reason": "a", "reason": "b"}') == 400
    assert status(b'{"reason": "\\ud800"}') == 400
    assert status(b'{"reason": "\\u0000"}') == 400
    assert status(b"reason=why", "application/x-www-form-urlencoded") == 415
    assert status(b'{"reason": "' + b"x" * 70_000 + b'"}') == 413


def test_a_dry_run_counts_by_destination_and_type_and_does_nothing(desk: Desk) -> None:
    dead_delivery(desk, "record:Item/1")
    dead_delivery(desk, "record:Item/2")
    seat = desk.sits(Role.OPERATOR)
    answer = seat.post("/replays", {"filter": {"destination": "erp", "state": "dead"}, "dry_run": True})
    assert answer.status_code == 200
    assert answer.get_json() == {
        "matched": 2,
        "by_destination": {"erp": 2},
        "by_type": {"custom_object.record.updated": 2},
        "skipped": 0,
        "skipped_for": {},
        "left_out": 0,
    }
    assert seat.get("/replays").get_json()["items"] == []
    assert noted(desk, seat) == []


def test_an_order_to_replay_is_recorded_and_can_be_followed(desk: Desk) -> None:
    dead_delivery(desk)
    seat = desk.sits(Role.OPERATOR)
    asked: dict[str, Any] = {
        "filter": {"destination": "erp", "state": "dead", "since": "2026-05-01T00:00:00Z"},
        "reason": "after the outage",
        "mode": "every",
        "rate": 20,
    }
    answer = seat.post("/replays", asked)
    assert answer.status_code == 202
    ordered = answer.get_json()
    assert ordered.keys() >= {"id", "state", "matched", "sent", "delivered", "failed"}
    assert (ordered["state"], ordered["matched"], ordered["rate"], ordered["mode"]) == ("running", 1, 20.0, "every")
    assert ordered["created_by"] == seat.actor
    assert seat.get(f"/replays/{ordered['id']}").get_json() == ordered
    assert seat.get("/replays").get_json() == {"items": [ordered], "next": None}
    assert noted(desk, seat) == [("replay.ordered", f"replay:{ordered['id']}", "after the outage")]


def test_replays_come_page_by_page(desk: Desk) -> None:
    dead_delivery(desk)
    seat = desk.sits(Role.OPERATOR)
    order = {"filter": {"state": "dead"}, "reason": "again"}
    made = [seat.post("/replays", order).get_json()["id"] for _ in range(3)]
    assert [[one["id"] for one in page] for page in seat.pages("/replays", limit=2)] == [made[:0:-1], made[:1]]


#: What is changed in an order that is right, and the field that is wrong then.
WRONG_REPLAYS: tuple[tuple[dict[str, Any], str], ...] = (
    ({"reason": None}, "reason"),
    ({"mode": "all"}, "mode"),
    ({"rate": 0}, "rate"),
    ({"rate": "50"}, "rate"),
    ({"rate": True}, "rate"),
    ({"rate": 1001}, "rate"),
    ({"dry_run": "no"}, "dry_run"),
    ({"filter": None}, "filter"),
    ({"filter": {"destination": "nobody"}}, "filter.destination"),
    ({"filter": {"state": "pending"}}, "filter.state"),
    ({"filter": {"state": "none"}}, "filter.destination"),
    ({"filter": {"as_of": "2026-05-01T00:00:00Z"}}, "filter.as_of"),
    ({"filter": {"since": "2026-05-02T00:00:00Z", "until": "2026-05-01T00:00:00Z"}}, "filter.until"),
)


@sqlite_only
def test_a_replay_that_is_wrong_is_refused_by_its_field(desk: Desk) -> None:
    seat = desk.sits(Role.OPERATOR)
    for change, field in WRONG_REPLAYS:
        answer = seat.post("/replays", {"filter": {"destination": "erp"}, "reason": "why", **change})
        assert answer.status_code == 422, change
        assert [one["field"] for one in answer.get_json()["errors"]] == [field], change


def test_an_order_wakes_the_dispatcher_after_its_commit(desk: Desk) -> None:
    dead = dead_delivery(desk)
    (owed,) = owe(desk.database, desk.clock.now(), subject="record:Item/2")
    states: list[str] = []

    def hear(_: object) -> None:
        states.append(delivery(desk.database, owed).state)

    seat, reason = desk.sits(Role.OPERATOR), {"reason": "to try"}
    with signals.work_recorded.connected_to(hear):
        seat.post(f"/deliveries/{dead}/replay", reason)
        seat.post("/replays", {"filter": {}, "reason": "to try"})
        seat.post(f"/deliveries/{owed}/cancel", reason)
    assert states == ["pending", "pending", "cancelled"]


def test_a_raw_body_is_shown_masked_and_revealed_only_with_a_reason(desk: Desk) -> None:
    (row,) = stock(desk.clock.now(), events=1).put(desk.database).events
    body = row["body"]
    assert isinstance(body, bytes)
    viewer, approver = desk.sits(Role.VIEWER), desk.sits(Role.APPROVER)
    masked = viewer.get(f"/events/{row['id']}/raw")
    assert "15112345689" not in masked.text
    assert (masked.get_json()["revealed"], masked.get_json()["text"]) == (False, None)
    assert masked.get_json()["body"]["n"] == 1.5
    reason = {"reason": "the customer asked what we hold"}
    assert viewer.post(f"/events/{row['id']}/reveal", reason).status_code == 403
    assert desk.sits(Role.ADMIN).post(f"/events/{row['id']}/reveal", reason).status_code == 403
    assert approver.post(f"/events/{row['id']}/reveal", {}).status_code == 422
    revealed = approver.post(f"/events/{row['id']}/reveal", reason).get_json()
    assert (revealed["text"], revealed["revealed"]) == (body.decode(), True)
    assert (revealed["size"], revealed["sha256"]) == (len(body), hashlib.sha256(body).hexdigest())
    assert noted(desk, approver) == [("event.revealed", f"event:{row['id']}", reason["reason"])]


def test_a_token_is_made_shown_once_and_revoked(desk: Desk) -> None:
    admin = desk.sits(Role.ADMIN)
    asked = {"name": "ERP", "role": "sender", "destination": "erp", "expires_at": "2026-06-01T00:00:00Z"}
    answer = admin.post("/tokens", {**asked, "reason": "new partner"})
    assert answer.status_code == 201
    made = answer.get_json()
    token = made.pop("token")
    assert made.keys() == {
        *("id", "name", "person", "role", "destination", "created_at", "expires_at", "last_used_at", "revoked_at")
    }
    assert {**asked, "person": "ERP"}.items() <= made.items()
    assert Seat(desk, token).get("/events").status_code == 403, "it is known, and may not look"
    listed = admin.get("/tokens")
    assert token.split("_", 2)[2] not in listed.text
    assert admin.delete(f"/tokens/{made['id']}", reason="it leaked").status_code == 204
    assert Seat(desk, token).get("/events").status_code == 401
    assert admin.delete(f"/tokens/{made['id']}").status_code == 409
    assert admin.delete(f"/tokens/{new_id()}").status_code == 404
    subject = f"token:{made['id']}"
    assert noted(desk, admin) == [
        ("token.created", subject, "new partner"),
        ("token.revoked", subject, "it leaked"),
    ]


#: As WRONG_REPLAYS.
WRONG_TOKENS: tuple[tuple[dict[str, str], str], ...] = (
    ({"role": "root"}, "role"),
    ({"name": ""}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"expires_at": "2026-05-01T12:00:00Z"}, "expires_at"),
    ({"destination": "erp"}, "destination"),
    ({"role": "sender", "destination": "epr"}, "destination"),
    ({"token": "of my own"}, "token"),
)


@sqlite_only
def test_a_token_that_makes_no_sense_is_refused_by_its_field(desk: Desk) -> None:
    seat = desk.sits(Role.ADMIN)
    for change, field in WRONG_TOKENS:
        answer = seat.post("/tokens", {"name": "night watch", "role": "viewer", **change})
        assert answer.status_code == 422, change
        assert [one["field"] for one in answer.get_json()["errors"]] == [field], change
