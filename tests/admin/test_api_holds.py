"""Legal holds over the API: placed, seen beside those of bridge.toml, released once, and silent on whom they hold."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select, text

from bridge.admin.access import Role
from bridge.clock import new_id
from bridge.database import Database
from bridge.settings.model import LegalHold
from bridge.tables import AuditEntryRow, LegalHoldRow
from tests.admin.desk import Desk, make_desk
from tests.console.scenes import planned_purge
from tests.fakes import FakeClock
from tests.outbox.yard import actions

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WHY = "case 7, the court asks"
CUSTOMER = "anna.meier@example.com"


def place(desk: Desk, **wanted: Any) -> dict[str, Any]:
    answer = desk.sits(Role.ADMIN).post("/holds", {"reason": WHY, **wanted})
    assert answer.status_code == 201, answer.get_json()
    placed: dict[str, Any] = answer.get_json()
    return placed


def entries(database: Database, action: str) -> list[AuditEntryRow]:
    with database.read() as session:
        return list(session.scalars(select(AuditEntryRow).where(AuditEntryRow.action == action)))


def test_a_hold_has_its_shape_is_found_and_noted(desk: Desk) -> None:
    admin = desk.sits(Role.ADMIN)
    answer = admin.post("/holds", {"subject": "conversation:c-1", "reason": WHY})
    placed = answer.get_json()
    assert answer.headers["Location"] == f"/api/v1/holds/{placed['id']}"
    assert placed == {
        "id": placed["id"], "purges": [], "origin": "placed", "active": True,
        "subject": "conversation:c-1", "customer": None, "type": None,
        "from": None, "to": None, "reason": WHY, "placed_by": admin.actor,
        "placed_at": "2026-05-01T12:00:00Z", "released_by": None, "released_at": None, "release_reason": None,
    }  # fmt: skip
    viewer = desk.sits(Role.VIEWER)
    assert viewer.get(f"/holds/{placed['id']}").get_json() == placed
    placed.pop("purges")
    assert viewer.get("/holds").get_json() == {"items": [placed], "next": None}
    (noted,) = entries(desk.database, "hold.placed")
    assert (noted.actor, noted.subject, noted.reason) == (admin.actor, f"hold:{placed['id']}", WHY)
    assert noted.details == {"holdId": placed["id"], "subject": "conversation:c-1"}


def test_a_day_is_held_whole_and_a_time_to_the_moment(desk: Desk) -> None:
    days = place(desk, **{"type": "voice", "from": "2026-05-01", "to": "2026-05-31"})
    assert (days["from"], days["to"]) == ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")
    moments = place(desk, **{"type": "voice", "from": "2026-05-01T10:00:00+02:00", "to": "2026-05-01T08:00:01Z"})
    assert (moments["from"], moments["to"]) == ("2026-05-01T08:00:00Z", "2026-05-01T08:00:01Z")


def test_nobody_is_told_which_customer_is_held(desk: Desk) -> None:
    placed = place(desk, customer=CUSTOMER, reason=f"{CUSTOMER} sues us")
    assert placed["customer"] == "a***@example.com"
    told = [placed, desk.sits(Role.ADMIN).get("/holds").get_json(), entries(desk.database, "hold.placed")[0].details]
    assert CUSTOMER not in json.dumps(told)
    assert CUSTOMER not in str(entries(desk.database, "hold.placed")[0].reason)
    assert place(desk, customer="C-42")["customer"] == "C***"
    with desk.database.read() as session:
        rows = session.execute(text("SELECT * FROM legal_hold")).all()
    assert CUSTOMER not in repr(rows)


def test_with_its_release_a_hold_forgets_its_customer(desk: Desk) -> None:
    placed, admin = place(desk, customer=CUSTOMER), desk.sits(Role.ADMIN)
    desk.clock.advance(60)
    answer = admin.post(f"/holds/{placed['id']}/release", {"reason": "the case is closed"})
    assert answer.status_code == 200, answer.get_json()
    assert answer.get_json() == {
        **{name: value for name, value in placed.items() if name != "purges"},
        "active": False, "released_by": admin.actor, "released_at": "2026-05-01T12:01:00Z",
        "release_reason": "the case is closed",
    }  # fmt: skip
    with desk.database.read() as session:
        assert session.get_one(LegalHoldRow, placed["id"]).sealed_customer is None
    (noted,) = entries(desk.database, "hold.released")
    assert (noted.actor, noted.reason) == (admin.actor, "the case is closed")
    assert noted.details == {"holdId": placed["id"], "customer": "a***@example.com"}


def test_a_hold_is_released_once(desk: Desk) -> None:
    placed, admin = place(desk, subject="conversation:c-1"), desk.sits(Role.ADMIN)
    assert admin.post(f"/holds/{placed['id']}/release", {"reason": "done"}).status_code == 200
    again = admin.post(f"/holds/{placed['id']}/release", {"reason": "done"})
    assert (again.status_code, again.get_json()["detail"]) == (409, "the hold is released already")
    assert actions(desk.database).count("hold.released") == 1
    assert admin.post(f"/holds/{new_id()}/release", {"reason": "done"}).status_code == 404


@sqlite_only
@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({}, ["subject"]),
        ({"subject": "conversation:c", "customer": "C-42"}, ["customer"]),
        ({"subject": "c-1"}, ["subject"]),
        ({"customer": "  "}, ["customer"]),
        ({"customer": "x" * 256}, ["customer"]),
        ({"type": "voice"}, ["from", "to"]),
        ({"type": "voice", "from": "2026-05-01"}, ["to"]),
        ({"type": "voice", "from": "2026-05-02", "to": "2026-05-01"}, ["to"]),
        ({"type": "voice", "from": "2026-05-01", "to": "2026-02-30"}, ["to"]),
        ({"type": "voice", "from": "2026-05-01T00:00:00", "to": "soon"}, ["from", "to"]),
        ({"type": "letter", "from": "2026-05-01", "to": "2026-05-01"}, ["type"]),
        ({"customer": "C-42", "from": "2026-05-01"}, ["from"]),
        ({"customer": "C-42", "reason": " "}, ["reason"]),
        ({"customer": "C-42", "reason": None}, ["reason"]),
        ({"customer": "C-42", "until": "2027"}, ["until"]),
    ],
)
def test_a_hold_that_makes_no_sense_is_refused_by_its_field(
    desk: Desk, wrong: dict[str, Any], fields: list[str]
) -> None:
    answer = desk.sits(Role.ADMIN).post("/holds", {"reason": WHY, **wrong})
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == fields
    assert "hold.placed" not in actions(desk.database)


@sqlite_only
def test_a_hold_to_the_last_day_there_is_can_be_placed(desk: Desk) -> None:
    assert place(desk, **{"type": "voice", "from": "0001-01-01", "to": "9999-12-31"})["to"].startswith("9999-12-31")


@sqlite_only
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_an_admin_places_and_releases(desk: Desk, role: Role) -> None:
    placed, other = place(desk, subject="conversation:c-1"), desk.sits(role)
    assert other.post("/holds", {"customer": "C-42", "reason": WHY}).status_code == 403
    assert other.post(f"/holds/{placed['id']}/release", {"reason": WHY}).status_code == 403
    assert other.get("/holds").status_code == (403 if role is Role.SENDER else 200)


@sqlite_only
def test_those_of_bridge_toml_are_listed_behind_the_others_and_stay(database: Database, clock: FakeClock) -> None:
    declared = [
        LegalHold(customer=CUSTOMER, reason=f"asked by {CUSTOMER}"),
        LegalHold(type="voice", from_=date(2026, 5, 1), to=date(2026, 5, 1)),
    ]
    desk = make_desk(database, clock, declared=declared)
    placed = [place(desk, subject=f"conversation:{number}")["id"] for number in range(3)]
    admin = desk.sits(Role.ADMIN)
    pages = list(admin.pages("/holds", limit=2))
    listed = [one for page in pages for one in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one["origin"] for one in listed] == ["placed"] * 3 + ["bridge.toml"] * 2
    assert [one["id"] for one in listed[:3]] == placed[::-1]
    assert [one["type"] for one in listed[3:]] == ["voice", None]
    assert (listed[3]["from"], listed[3]["to"]) == ("2026-05-01T00:00:00Z", "2026-05-02T00:00:00Z")
    assert CUSTOMER not in json.dumps(listed)
    path = f"/holds/{listed[4]['id']}"
    assert admin.get(path).get_json() == {**listed[4], "purges": []}
    refused = admin.post(f"{path}/release", {"reason": "done"})
    assert (refused.status_code, "take it out there" in refused.get_json()["detail"]) == (409, True)


@sqlite_only
def test_holds_are_filtered_by_whether_they_are_in_force(database: Database, clock: FakeClock) -> None:
    desk = make_desk(database, clock, declared=[LegalHold(customer="C-1")])
    admin = desk.sits(Role.ADMIN)
    over, lasting = (place(desk, subject=f"conversation:{name}")["id"] for name in "ab")
    admin.post(f"/holds/{over}/release", {"reason": "done"})

    def listed(**query: str) -> list[str]:
        return [one["id"] for one in admin.get("/holds", **query).get_json()["items"]]

    declared = listed()[-1]
    assert listed() == [lasting, over, declared]
    assert listed(active="true") == [lasting, declared]
    assert listed(active="false") == [over]
    assert admin.get("/holds", active="yes").status_code == 422


def test_whoever_places_a_hold_is_told_of_the_open_purges_that_it_covers(desk: Desk) -> None:
    purge = planned_purge(desk.database, desk.clock.now())  # chats of January 2023
    told = [{"id": purge, "state": "awaiting_approval"}]
    assert place(desk, customer="C-42")["purges"] == told
    assert place(desk, **{"type": "chat", "from": "2023-01-31", "to": "2023-03-01"})["purges"] == told
    assert place(desk, **{"type": "voice", "from": "2023-01-31", "to": "2023-03-01"})["purges"] == []
    assert place(desk, **{"type": "chat", "from": "2023-02-01", "to": "2023-03-01"})["purges"] == []
    assert entries(desk.database, "hold.placed")[0].details["openPurges"] == told
    first = desk.sits(Role.VIEWER).get("/holds").get_json()["items"][-1]["id"]
    assert desk.sits(Role.VIEWER).get(f"/holds/{first}").get_json()["purges"] == told
    desk.sits(Role.ADMIN).post(f"/holds/{first}/release", {"reason": "done"})
    assert desk.sits(Role.VIEWER).get(f"/holds/{first}").get_json()["purges"] == []
