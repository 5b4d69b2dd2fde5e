"""Nobody comes in without a token, and nobody further than its role."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bridge.admin.access import RIGHTS, Right, Role
from bridge.admin.throttle import BURST
from bridge.clock import new_id
from bridge.tables import ApiTokenRow, AuditEntryRow
from tests.admin.desk import API, Desk

ID = new_id()
#: Every operation, and what it takes.
OPERATIONS = {
    ("GET", "/events"): Right.LOOK,
    ("GET", f"/events/{ID}"): Right.LOOK,
    ("GET", f"/events/{ID}/raw"): Right.LOOK,
    ("POST", f"/events/{ID}/reparse"): Right.STEER,
    ("POST", f"/events/{ID}/reveal"): Right.REVEAL,
    ("GET", "/deliveries"): Right.LOOK,
    ("GET", f"/deliveries/{ID}"): Right.LOOK,
    ("POST", f"/deliveries/{ID}/replay"): Right.STEER,
    ("POST", f"/deliveries/{ID}/cancel"): Right.STEER,
    ("GET", "/deliveries/cancellable"): Right.LOOK,
    ("POST", "/deliveries/cancel"): Right.STEER,
    ("GET", "/replays"): Right.LOOK,
    ("POST", "/replays"): Right.STEER,
    ("GET", f"/replays/{ID}"): Right.LOOK,
    ("POST", f"/replays/{ID}/pause"): Right.STEER,
    ("POST", f"/replays/{ID}/resume"): Right.STEER,
    ("POST", f"/replays/{ID}/cancel"): Right.STEER,
    ("GET", "/rejections"): Right.LOOK,
    ("GET", "/audit"): Right.LOOK,
    ("GET", f"/audit/{ID}"): Right.LOOK,
    ("POST", "/audit/verify"): Right.EXPORT,
    ("GET", "/audit/export"): Right.EXPORT,
    ("PATCH", "/interactions/i-1"): Right.COMMAND,
    ("PATCH", "/conversations/c-1/attributes"): Right.COMMAND,
    ("POST", "/merges"): Right.COMMAND,
    ("PUT", "/records/Item/r-1"): Right.COMMAND,
    ("GET", "/records/Item/r-1/history"): Right.LOOK,
    ("GET", "/commands"): Right.FOLLOW,
    ("GET", "/commands/summary"): Right.LOOK,
    ("GET", f"/commands/{ID}"): Right.FOLLOW,
    ("POST", "/purges"): Right.PLAN,
    ("GET", "/purges"): Right.LOOK,
    ("GET", f"/purges/{ID}"): Right.LOOK,
    ("POST", f"/purges/{ID}/approve"): Right.APPROVE,
    ("POST", f"/purges/{ID}/cancel"): Right.CALL_OFF,
    ("GET", "/overview"): Right.LOOK,
    ("GET", "/destinations"): Right.LOOK,
    ("GET", "/destinations/erp"): Right.LOOK,
    ("GET", "/destinations/erp/tries"): Right.LOOK,
    ("POST", "/destinations/erp/pause"): Right.STEER,
    ("POST", "/destinations/erp/resume"): Right.STEER,
    ("POST", "/destinations/erp/test"): Right.STEER,
    ("POST", "/destinations/erp/preview"): Right.LOOK,
    ("GET", "/lanes"): Right.LOOK,
    ("POST", "/lanes/erp/record:Item/1/skip"): Right.STEER,
    ("POST", "/lanes/erp/record:Item/1/release"): Right.STEER,
    ("GET", "/schemas"): Right.LOOK,
    ("GET", "/schemas/interaction.updated"): Right.LOOK,
    ("GET", "/tokens"): Right.MANAGE_TOKENS,
    ("POST", "/tokens"): Right.MANAGE_TOKENS,
    ("DELETE", f"/tokens/{ID}"): Right.MANAGE_TOKENS,
}

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@sqlite_only
def test_these_are_all_operations(desk: Desk) -> None:
    served = {
        (method, rule.rule.removeprefix(API))
        for rule in desk.app.url_map.iter_rules()
        if rule.rule.startswith(API)
        for method in rule.methods or ()
        if method not in ("HEAD", "OPTIONS")
    }
    assert len(served) == len(OPERATIONS)


@sqlite_only
@pytest.mark.parametrize("role", list(Role))
def test_a_role_may_what_its_rights_say_and_nothing_else(desk: Desk, role: Role) -> None:
    seat = desk.sits(role)
    client = desk.app.test_client()
    for (method, path), right in OPERATIONS.items():
        answer = client.open(API + path, method=method, headers={"Authorization": f"Bearer {seat.token}"})
        assert (answer.status_code == 403) == (right not in RIGHTS[role]), (role, method, path)
        if answer.status_code == 403:
            assert str(role) in answer.get_json()["detail"]


@sqlite_only
def test_without_a_token_every_operation_says_how_to_send_one(desk: Desk) -> None:
    client = desk.app.test_client()
    for method, path in OPERATIONS:
        answer = client.open(API + path, method=method, json={"wrong": True})
        assert answer.status_code == 401
        assert answer.content_type == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert "gbr_" in answer.get_json()["detail"]


@sqlite_only
def test_wrong_tokens_are_slowed_down_and_right_ones_still_pass(desk: Desk) -> None:
    client = desk.app.test_client()
    wrong = {"Authorization": f"Bearer gbr_{ID}_{'x' * 43}"}
    statuses = [client.get(f"{API}/events", headers=wrong).status_code for _ in range(int(BURST) + 1)]
    assert statuses == [401] * int(BURST) + [429]
    assert client.get(f"{API}/events", headers=wrong).headers["Retry-After"] == "8"
    assert client.get(f"{API}/events").status_code == 401, "no token is no wrong token"
    assert desk.sits(Role.VIEWER).get("/events").status_code == 200, "from the same address"
    elsewhere = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get(f"{API}/events", headers=wrong, environ_base=elsewhere).status_code == 401


def test_a_use_is_noted_but_not_of_a_wrong_token(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)
    desk.app.test_client().get(f"{API}/events", headers={"Authorization": f"Bearer {seat.token[:-1]}"})
    with desk.database.read() as session:
        assert session.scalars(select(ApiTokenRow.last_used_at)).one() is None
    seat.get("/events")
    with desk.database.read() as session:
        assert session.scalars(select(ApiTokenRow.last_used_at)).one() == desk.clock.now()


@sqlite_only
def test_a_database_that_takes_no_writes_can_still_be_looked_at(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)
    for connection in [desk.database.engine.connect() for _ in range(3)]:  # the pool gives these again
        connection.exec_driver_sql("PRAGMA query_only = ON")
        connection.close()
    assert seat.get("/events").status_code == 200


def test_what_an_auditor_looks_at_is_noted(desk: Desk) -> None:
    seat = desk.sits(Role.AUDITOR)
    assert seat.get("/events", text="4711").status_code == 200
    assert seat.get("/events", limit=0).status_code == 422
    with desk.database.read() as session:
        noted = session.scalars(select(AuditEntryRow).where(AuditEntryRow.actor == seat.actor)).all()
    assert [(one.action, one.subject, one.details) for one in noted] == [
        ("access.read", f"{API}/events", {"query": {"text": "4711"}})
    ]
    assert desk.sits(Role.VIEWER).get("/audit", actor=seat.actor).get_json()["items"][0]["action"] == "access.read"
