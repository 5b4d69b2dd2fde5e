"""Commands over the API: taken, refused with everything that is wrong, found again, waited for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from sqlalchemy import select

from bridge.admin.access import Role
from bridge.clock import new_id
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.tables import EventRow
from tests.admin.desk import Desk, Seat, make_desk
from tests.commands.office import ERP_TEAM, Office, opened, purge_policy, settings, wired_room
from tests.fakes import FakeClock

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ATTRIBUTES = {"attributes": {"tier": "gold"}}
ITEM = {"sku": "AB-1234", "quantity": 41, "price": 19.99, "status": "available"}
MERGE = {"interactions": [{"id": "voice-1001", "type": "voice"}, {"id": "chat-1002", "type": "chat"}]}
#: Method, path, body and the subject of the command that they give.
GIVEN: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("PATCH", "/interactions/i-1", {"customer_id": "c", **ATTRIBUTES}, "interaction:i-1"),
    ("PATCH", "/conversations/c-1/attributes", ATTRIBUTES, "conversation:c-1"),
    ("PATCH", "/conversations/a%2Fb/attributes", ATTRIBUTES, "conversation:a/b"),
    ("POST", "/merges", MERGE, "merge:"),
    ("PUT", "/records/Any/r-1", {"version": 0, "fields": {"a": 1}}, "record:Any/r-1"),
)


@pytest.fixture
def clock() -> FakeClock:
    """Today, so that the sandbox's retention examples are what they say."""
    return FakeClock(datetime.now(UTC))


@pytest.fixture
def sandbox(clock: FakeClock) -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(), clock=clock.now) as server:
        yield server


@pytest.fixture
def office(database_url: str, clock: FakeClock, sandbox: SandboxServer) -> Iterator[Office]:
    with opened(settings(database_url, sandbox.url), clock) as office:
        yield office


@pytest.fixture
def desk(office: Office, clock: FakeClock) -> Desk:
    """The API over an organisation; who waits lets time pass and commands be carried out."""

    def pause(seconds: float) -> None:
        clock.advance(seconds)
        office.carry_out()

    return make_desk(office.wiring.database, clock, wired_room(office.wiring, clock, pause=pause))


@pytest.fixture
def seat(desk: Desk) -> Seat:
    return desk.sits(Role.OPERATOR)


def violations(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 422, answer.get_json()
    return [(error["field"], error["rule"]) for error in answer.get_json()["errors"]]


@pytest.mark.parametrize(("method", "path", "body", "subject"), GIVEN)
@sqlite_only
def test_what_is_asked_becomes_a_command(
    seat: Seat, method: str, path: str, body: dict[str, Any], subject: str
) -> None:
    answer = seat._call(method, path, json=body)
    assert answer.status_code == 202, answer.get_json()
    told = answer.get_json()
    assert told == {
        "command": told["command"],
        "status_url": f"/api/v1/commands/{told['command']}",
        "repeated": False,
    }
    assert answer.headers["Location"] == told["status_url"]
    command = seat.get(f"/commands/{told['command']}").get_json()
    assert command["subject"].startswith(subject)
    assert (command["state"], command["steps"], command["result"], command["error"]) == ("accepted", [], None, None)


@sqlite_only
def test_everything_that_is_wrong_is_told_at_once_the_names_in_the_path_too(seat: Seat) -> None:
    update = {"attributes": {"id": "x", "n": 1}, "interaction_id": "i-2", "tier": "gold"}
    assert sorted(violations(seat.patch("/interactions/a%01b", update))) == [
        ("attributes.id", "immutable"),
        ("attributes.n", "type"),
        ("customer_id", "required"),
        ("interaction_id", "characters"),
        ("interaction_id", "unknown"),
        ("tier", "unknown"),
    ]
    record = {"version": -1, "fields": {}, "on_conflict": "win", "record_id": "r-2", "schema": "Other", "values": {}}
    assert sorted(violations(seat.put("/records/Any/r-1", record))) == [
        ("fields", "required"),
        ("on_conflict", "choice"),
        ("record_id", "unknown"),
        ("schema", "unknown"),
        ("values", "unknown"),
        ("version", "range"),
    ]
    ended = seat.put("/records/Any/r-1%0A", {"version": 0, "fields": {"a": 1}})
    assert violations(ended) == [("record_id", "characters")]
    attributes = {"attributes": {"a": 1_000_000_000, "": "x"}, "participant": "p-1"}
    assert sorted(violations(seat.patch("/conversations/c-1/attributes", attributes))) == [
        ("attributes.", "key"),
        ("attributes.a", "range"),
        ("participant", "unsupported"),
    ]
    merge = {"interactions": [{"id": "i-1"}], "dedupe": {"same_id": 1}, "merge_request_id": "mine"}
    assert ("merge_request_id", "unknown") in violations(seat.post("/merges", merge))


@sqlite_only
@pytest.mark.parametrize("body", [[], "text", 7])
def test_a_body_that_is_no_object_is_told_so(seat: Seat, body: object) -> None:
    assert violations(seat.post("/merges", body)) == [("body", "type")]


@sqlite_only
def test_a_rejected_value_is_not_repeated_in_the_answer(seat: Seat) -> None:
    answer = seat.patch("/interactions/i-1", {"customer_id": 4915112345689, "attributes": {"phone": 4915112345689}})
    assert "4915112345689" not in answer.get_data(as_text=True)


@sqlite_only
def test_the_same_idempotency_key_gives_the_same_command(seat: Seat, office: Office) -> None:
    path, key = "/conversations/conv-2001/attributes", {"Idempotency-Key": "k-1"}
    first = seat.patch(path, ATTRIBUTES, **key).get_json()
    again = seat.patch(path, ATTRIBUTES, **key)
    assert (again.status_code, again.get_json()) == (202, {**first, "repeated": True})
    office.carry_out()
    ended = seat.patch(path, ATTRIBUTES, **key)
    assert (ended.status_code, ended.get_json()["state"]) == (200, "succeeded")
    assert (ended.get_json()["command"], ended.get_json()["repeated"]) == (first["command"], True)
    assert seat.patch(path, {"attributes": {"tier": "silver"}}, **key).status_code == 409
    assert seat.patch(path, ATTRIBUTES, **{"Idempotency-Key": "k-2"}).get_json()["command"] != first["command"]


@sqlite_only
@pytest.mark.parametrize("key", ["", "ä", "a b", "x" * 256])
def test_an_idempotency_key_that_cannot_be_one_is_refused(seat: Seat, key: str) -> None:
    answer = seat.patch("/conversations/c-1/attributes", ATTRIBUTES, **{"Idempotency-Key": key})
    assert violations(answer) == [("Idempotency-Key", "characters")]


def test_who_prefers_to_wait_is_answered_with_the_end(seat: Seat) -> None:
    answer = seat.patch("/conversations/conv-2001/attributes", ATTRIBUTES, Prefer="wait=10")
    assert answer.status_code == 200, answer.get_json()
    assert answer.headers["Preference-Applied"] == "wait=10"
    told = answer.get_json()
    assert (told["state"], told["result"]["version"], told["repeated"]) == ("succeeded", 2, False)
    assert (told["id"], told["status_url"]) == (told["command"], answer.headers["Location"])


@sqlite_only
@pytest.mark.parametrize(("prefer", "seconds"), [("wait=2", 2), ("respond-async, Wait = 3", 3), ("wait=3600", 10)])
def test_who_waits_for_too_long_gets_the_command_to_follow(
    seat: Seat, clock: FakeClock, prefer: str, seconds: float
) -> None:
    began = clock.monotonic()
    answer = seat.post("/merges", MERGE, Prefer=prefer)
    if seconds < 5:
        assert (answer.status_code, answer.headers.get("Preference-Applied")) == (202, None)
        assert clock.monotonic() - began == pytest.approx(seconds)
    else:
        assert answer.headers["Preference-Applied"] == "wait=10", "more than ten seconds are not given"


@sqlite_only
@pytest.mark.parametrize("prefer", ["wait", "wait=soon", "wait=-1", "await=9", "wait=0"])
def test_a_preference_that_is_not_understood_is_ignored(seat: Seat, prefer: str) -> None:
    assert seat.patch("/conversations/conv-2001/attributes", ATTRIBUTES, Prefer=prefer).status_code == 202


@sqlite_only
def test_a_command_that_fails_says_why(seat: Seat) -> None:
    answer = seat.put("/records/InventoryItem/item-3001", {"version": 7, "fields": ITEM}, Prefer="wait=5")
    told = answer.get_json()
    assert (told["state"], told["conflicts"]) == ("failed", 1)
    assert told["error"] == "the record has version 1: read it again and decide"
    assert [step["outcome"] for step in told["steps"]] == ["waiting", "failed"]
    assert told["steps"][0]["status"] == 409


def test_an_open_merge_is_a_conflict(seat: Seat) -> None:
    first = seat.post("/merges", MERGE).get_json()["command"]
    answer = seat.post("/merges", MERGE)
    assert (answer.status_code, first in answer.get_json()["detail"]) == (409, True)


def test_a_sender_follows_the_commands_of_its_own_destination(desk: Desk) -> None:
    erp, crm = (desk.sits(Role.SENDER, destination=name) for name in ("erp", "crm"))
    of_erp = erp.patch("/conversations/c-1/attributes", ATTRIBUTES).get_json()["command"]
    of_crm = crm.patch("/conversations/c-1/attributes", ATTRIBUTES).get_json()["command"]
    of_nobody = desk.sits(Role.OPERATOR).patch("/conversations/c-1/attributes", ATTRIBUTES).get_json()["command"]
    assert [one["id"] for one in erp.get("/commands").get_json()["items"]] == [of_erp]
    assert [one["id"] for one in crm.get("/commands").get_json()["items"]] == [of_crm]
    assert erp.get(f"/commands/{of_erp}").status_code == 200
    assert erp.get(f"/commands/{of_crm}").status_code == 404
    assert erp.get(f"/commands/{of_nobody}").status_code == 404
    everything = desk.sits(Role.VIEWER).get("/commands").get_json()["items"]
    assert [one["id"] for one in everything] == [of_nobody, of_crm, of_erp]
    with desk.database.read() as session:
        assert session.get_one(EventRow, of_erp).caused_by == "erp"


def test_commands_are_found_by_everything_that_they_are(desk: Desk, office: Office, clock: FakeClock) -> None:
    seat = desk.sits(Role.OPERATOR)
    done = seat.patch("/conversations/conv-2001/attributes", ATTRIBUTES).get_json()["command"]
    failed = seat.patch("/conversations/nobody/attributes", ATTRIBUTES).get_json()["command"]
    office.carry_out()
    clock.advance(60)
    since = clock.now().isoformat()
    merging = seat.post("/merges", MERGE).get_json()["command"]
    office.carry_out()
    waiting = seat.put("/records/Any/r-1", {"version": 0, "fields": {"a": 1}}).get_json()["command"]

    def found(**query: str) -> list[str]:
        return [one["id"] for one in seat.get("/commands", **query).get_json()["items"]]

    assert found() == [waiting, merging, failed, done]
    assert found(state="succeeded") == [done]
    assert found(state="failed") == [failed]
    assert found(state="running") == [merging]
    assert found(state="accepted") == [waiting]
    assert found(state="cancelled") == []
    assert found(operation="interaction.merge") == [merging]
    assert found(subject="conversation:nobody") == [failed]
    assert found(since=since) == [waiting, merging]
    assert found(until=since, state="failed") == [failed]
    assert [[one["id"] for one in page] for page in seat.pages("/commands", limit=2)] == [
        [waiting, merging],
        [failed, done],
    ]


@sqlite_only
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"state": "done"}, "state"),
        ({"operation": "interaction.delete"}, "operation"),
        ({"who": "me"}, "who"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": "501"}, "limit"),
    ],
)
def test_a_wrong_query_is_named(seat: Seat, query: dict[str, str], field: str) -> None:
    assert [name for name, _ in violations(seat.get("/commands", **query))] == [field]


@sqlite_only
def test_a_command_that_is_not_there_is_not_found(seat: Seat) -> None:
    assert seat.get(f"/commands/{new_id()}").status_code == 404
    assert seat.get("/commands/nonsense").status_code == 404


def test_the_summary_counts_per_operation(desk: Desk, clock: FakeClock, sandbox: SandboxServer) -> None:
    fault = {"path": "/api/v2/conversations/*/attributes", "kind": "status", "status": 412, "times": 1}
    requests.post(f"{sandbox.url}/_sandbox/faults", json=fault, timeout=5)
    seat = desk.sits(Role.OPERATOR)
    seat.patch("/conversations/conv-2001/attributes", ATTRIBUTES, Prefer="wait=10")
    seat.patch("/conversations/nobody/attributes", ATTRIBUTES, Prefer="wait=10")
    seat.patch("/conversations/conv-2001/attributes", ATTRIBUTES)
    clock.advance(60)
    (told,) = [
        one
        for one in seat.get("/commands/summary").get_json()["operations"]
        if one["operation"] == "conversation.attributes.update"
    ]
    assert (told["asked"], told["succeeded"], told["failed"], told["open"]) == (3, 1, 1, 1)
    assert (told["conflicts"], told["retries"], told["purged"]) == (1, 0, 0)
    assert told["latency_ms"]["max"] >= told["latency_ms"]["p50"] >= 0
    assert violations(seat.get("/commands/summary", since="2026-05-02T00:00:00Z", until="2026-05-01T00:00:00Z"))


def test_the_history_of_a_record_is_read_masked(seat: Seat, sandbox: SandboxServer) -> None:
    fields = {**ITEM, "email": "ada@example.com"}
    requests.put(
        f"{sandbox.url}/_sandbox/records/InventoryItem/item-3001", json={"fields": fields}, timeout=5
    ).raise_for_status()
    answer = seat.get("/records/InventoryItem/item-3001/history")
    assert answer.status_code == 200
    (entry,) = answer.get_json()["items"]
    assert answer.get_json()["next"] is None
    assert entry["entityId"] == "item-3001"
    assert "ada@example.com" not in answer.get_data(as_text=True)
    assert [name for name, _ in violations(seat.get("/records/../item-3001/history"))] == ["schema"]


@sqlite_only
def test_a_history_that_genesys_does_not_give_now_says_when_to_come_back(seat: Seat, sandbox: SandboxServer) -> None:
    fault = {
        "path": "*/auditlogs",
        "kind": "status",
        "status": 429,
        "headers": {"Retry-After": "17"},
    }
    requests.post(f"{sandbox.url}/_sandbox/faults", json=fault, timeout=5).raise_for_status()
    answer = seat.get("/records/InventoryItem/item-3001/history")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "17")
    held_back = seat.get("/records/InventoryItem/item-3001/history")
    assert (held_back.status_code, held_back.headers["Retry-After"]) == (503, "17")
    assert seat.get("/records/Nothing/item-3001/history").status_code == 503


def test_two_persons_agree_on_a_purge(desk: Desk, office: Office) -> None:
    eva, otto = desk.sits(Role.OPERATOR, person="eva"), desk.sits(Role.APPROVER, person="otto")
    planned = eva.post("/purges", purge_policy())
    assert planned.status_code == 201, planned.get_json()
    plan = planned.get_json()
    assert (plan["state"], plan["expected"], plan["command"]) == ("awaiting_approval", None, None)
    assert (plan["planner"], plan["approver"], plan["policy"]["interactionType"]) == ("eva", None, "chat")
    path = f"/purges/{plan['id']}"
    assert planned.headers["Location"] == f"/api/v1{path}"
    assert eva.post(f"{path}/approve", None).status_code == 403, "an operator does not approve"
    as_eva = desk.sits(Role.APPROVER, person="eva").post(f"{path}/approve", None)
    assert (as_eva.status_code, "two persons" in as_eva.get_json()["detail"]) == (403, True)
    approved = otto.post(f"{path}/approve", None)
    assert approved.status_code == 202, approved.get_json()
    command = approved.get_json()["command"]
    assert approved.headers["Location"] == f"/api/v1/commands/{command}" == approved.get_json()["status_url"]
    told = otto.get(path).get_json()
    assert (told["state"], told["approver"], told["command"]) == ("accepted", "otto", command)
    assert otto.post(f"{path}/approve", None).status_code == 409
    office.carry_out()
    assert eva.get(path).get_json()["state"] == "running"
    assert eva.get(f"/commands/{command}").get_json()["progress"]["status"] == "queued"
    assert eva.post(f"{path}/cancel", {"reason": "too late"}).status_code == 409


def test_a_plan_is_called_off_by_either_person(desk: Desk) -> None:
    eva, otto = desk.sits(Role.OPERATOR, person="eva"), desk.sits(Role.APPROVER, person="otto")
    for seat in (eva, otto):
        path = f"/purges/{eva.post('/purges', purge_policy()).get_json()['id']}"
        assert violations(seat.post(f"{path}/cancel", {})) == [("reason", "required")]
        assert seat.post(f"{path}/cancel", {"reason": "planned wrongly"}).get_json()["state"] == "cancelled"
        assert seat.post(f"{path}/cancel", {"reason": "again"}).status_code == 409
        assert otto.post(f"{path}/approve", None).status_code == 409
    assert [one["state"] for one in otto.get("/purges").get_json()["items"]] == ["cancelled", "cancelled"]
    assert [len(page) for page in otto.pages("/purges", limit=1)] == [1, 1]


@sqlite_only
def test_what_stands_against_a_plan_is_told_at_once(desk: Desk) -> None:
    eva = desk.sits(Role.ADMIN)
    policy = purge_policy(classification="hipaa", retentionDays=100, reason="short", planner="me")
    assert sorted(violations(eva.post("/purges", policy))) == [
        ("planner", "unknown"),
        ("reason", "min_length"),
        ("retentionDays", "governance"),
    ]
    first = eva.post("/purges", purge_policy()).get_json()["id"]
    overlapping = eva.post("/purges", purge_policy())
    assert (overlapping.status_code, first in overlapping.get_json()["detail"]) == (409, True)
    assert desk.sits(Role.SENDER).post("/purges", purge_policy()).status_code == 403
    assert eva.post(f"/purges/{new_id()}/cancel", {"reason": "gone"}).status_code == 404
    assert desk.sits(Role.APPROVER).post(f"/purges/{new_id()}/approve", None).status_code == 404


@sqlite_only
def test_a_policy_is_shown_without_personal_data(desk: Desk) -> None:
    filters = {"attributes": {"email": "ada@example.com"}}
    policy = purge_policy(filters=filters)
    del policy["everything"]
    answer = desk.sits(Role.ADMIN).post("/purges", policy)
    assert answer.status_code == 201, answer.get_json()
    assert "ada@example.com" not in answer.get_data(as_text=True)


@sqlite_only
def test_without_an_organisation_nothing_can_be_asked(database_url: str, clock: FakeClock, office: Office) -> None:
    desk = make_desk(office.wiring.database, clock)
    seat = desk.sits(Role.OPERATOR)
    for method, path, body, _ in GIVEN:
        answer = seat._call(method, path, json=body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "300")
        assert "GENESYS_CLIENT_ID" in answer.get_json()["detail"]
    assert seat.post("/purges", purge_policy()).status_code == 503
    assert seat.get("/records/Any/r-1/history").status_code == 503
    planned = office.wiring.purges.plan(purge_policy(), person="eva", asker=ERP_TEAM)
    approver = desk.sits(Role.APPROVER, person="otto")
    assert approver.post(f"/purges/{planned.id}/approve", None).status_code == 503, "nobody would carry it out"
    with desk.database.read() as session:
        assert session.scalars(select(EventRow)).all() == []


@sqlite_only
def test_a_purge_that_is_planned_again_under_its_key_is_the_same_one(desk: Desk, seat: Seat) -> None:
    key = {"Idempotency-Key": "purge-4711"}
    first = seat.post("/purges", purge_policy(), **key)
    again = seat.post("/purges", purge_policy(), **key)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert again.headers["Location"] == first.headers["Location"]
    other = seat.post("/purges", purge_policy(interactionType="email"), **key)
    assert other.status_code == 409
    assert "Idempotency-Key" in other.get_json()["detail"]
    somebody = desk.sits(Role.OPERATOR, person="jo").post("/purges", purge_policy(interactionType="email"), **key)
    assert somebody.status_code == 201, "a key is its asker's own"
    assert len(seat.get("/purges").get_json()["items"]) == 2
