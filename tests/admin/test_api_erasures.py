"""Erasing a person over the API: counted first, then done and told, never over a hold."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.admin.access import Role
from bridge.database import Database
from bridge.settings.model import LegalHold
from tests.admin.desk import Desk, make_desk
from tests.fakes import FakeClock
from tests.keeping.file_room import EVA, FileRoom
from tests.outbox.yard import actions

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WHY = "she asked us to"
CUSTOMER = "eva@example.com"


@pytest.fixture
def room(desk: Desk) -> FileRoom:
    """Two events about Eva, the first delivered; and one about somebody else."""
    return filled(desk)


def filled(desk: Desk) -> FileRoom:
    room = FileRoom(desk.database, desk.clock)
    room.record(payload={"customer": {"email": CUSTOMER}})
    room.deliver_due()
    room.record(payload={"customer": {"email": CUSTOMER}}, to=("crm", "erp"))
    room.record("conversation:adam", payload={"customer": {"email": "adam@example.com"}})
    return room


def order(desk: Desk, **wanted: Any) -> Any:
    return desk.sits(Role.ADMIN).post("/erasures", wanted)


@pytest.mark.parametrize("whom", [{"subject": EVA}, {"customer": "mailto:EVA@example.com"}])
def test_a_person_is_erased_after_a_look_at_what_would_go(desk: Desk, room: FileRoom, whom: dict[str, str]) -> None:
    told = {
        "subjects": [EVA], "events": 2, "erased_before": 0, "cancelled": {"crm": 1, "erp": 1}, "in_flight": {},
        "delivered": [{
            "destination": "crm", "deliveries": 1,
            "first_at": "2026-05-01T12:00:00Z", "last_at": "2026-05-01T12:00:00Z",
        }],
    }  # fmt: skip
    look = order(desk, **whom, dry_run=True)
    assert (look.status_code, look.get_json()) == (200, {"dry_run": True, **told})
    assert [action for action in actions(desk.database) if action.startswith("erasure")] == []
    done = order(desk, **whom, reason=WHY)
    assert (done.status_code, done.get_json()) == (200, {"dry_run": False, **told})
    admin = desk.sits(Role.ADMIN)
    events = admin.get("/events", subject=EVA).get_json()["items"]
    assert [event["payload"] for event in events] == [None, None]
    assert admin.get(f"/events/{events[0]['id']}/raw").status_code == 410
    assert [one["state"] for one in events[0]["deliveries"]] == ["cancelled"] * 2
    adam = admin.get("/events", subject="conversation:adam").get_json()["items"][0]
    assert adam["payload"]["customer"]["email"] == "a***@example.com"


def test_the_audit_says_why_and_what_was_delivered_and_not_who_it_was(desk: Desk, room: FileRoom) -> None:
    assert order(desk, customer=CUSTOMER, reason=f"{CUSTOMER} asked us to").status_code == 200
    entries = desk.sits(Role.ADMIN).get("/audit").get_json()["items"]
    assert CUSTOMER not in json.dumps(entries)
    (done,) = [one for one in entries if one["action"] == "erasure.completed"]
    assert (done["subject"], done["reason"]) == (EVA, "e***@example.com asked us to")
    assert {name: done["details"][name] for name in ("events", "cancelled", "delivered")} == {
        "events": 2, "cancelled": 2, "delivered": {"crm": 1},
    }  # fmt: skip


@pytest.mark.parametrize("held", [{"subject": EVA}, {"customer": CUSTOMER}])
def test_a_placed_hold_refuses_it_and_names_itself(desk: Desk, room: FileRoom, held: dict[str, str]) -> None:
    admin = desk.sits(Role.ADMIN)
    hold = admin.post("/holds", {**held, "reason": "case 7"}).get_json()["id"]
    for whom in ({"subject": EVA}, {"customer": CUSTOMER}):
        look, refused = order(desk, **whom, dry_run=True), order(desk, **whom, reason=WHY)
        for answer in (look, refused):
            assert (answer.status_code, f"Legal hold {hold} on a" in answer.get_json()["detail"]) == (409, True)
    assert actions(desk.database).count("erasure.refused") == 2  # a look is no order
    assert order(desk, subject="conversation:adam", reason=WHY).status_code == 200
    admin.post(f"/holds/{hold}/release", {"reason": "closed"})
    assert order(desk, subject=EVA, reason=WHY).get_json()["events"] == 2


@sqlite_only
def test_a_hold_on_a_type_refuses_to_erase_any_interaction_of_its_range(desk: Desk, room: FileRoom) -> None:
    """An event does not tell the interaction's type."""
    admin = desk.sits(Role.ADMIN)
    admin.post("/holds", {"type": "voice", "from": "2026-04-01", "to": "2026-04-30", "reason": "another month"})
    assert order(desk, subject="conversation:adam", reason=WHY).status_code == 200
    admin.post("/holds", {"type": "voice", "from": "2026-05-01", "to": "2026-05-01", "reason": "case 7"})
    assert order(desk, subject=EVA, reason=WHY).status_code == 409


@sqlite_only
def test_a_hold_of_bridge_toml_refuses_it_as_well(database: Database, clock: FakeClock) -> None:
    desk = make_desk(database, clock, declared=[LegalHold(customer=CUSTOMER, reason="case 7")])
    filled(desk)
    refused = order(desk, subject=EVA, reason=WHY)
    assert refused.status_code == 409
    assert "Legal hold 1 of bridge.toml on a customer (case 7)" in refused.get_json()["detail"]


@sqlite_only
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"reason": WHY}, "subject"),
        ({"subject": EVA, "customer": CUSTOMER, "reason": WHY}, "subject"),
        ({"subject": EVA}, "reason"),
        ({"subject": EVA, "reason": " "}, "reason"),
        ({"subject": "", "reason": WHY}, "subject"),
        ({"subject": EVA, "reason": WHY, "dry_run": "yes"}, "dry_run"),
        ({"dry_run": True}, "subject"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_by_its_field(desk: Desk, wrong: dict[str, Any], field: str) -> None:
    answer = order(desk, **wrong)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.get_json()["errors"]] == [field]


@sqlite_only
@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_an_admin_erases_or_looks_at_what_would_go(desk: Desk, room: FileRoom, role: Role) -> None:
    for body in ({"subject": EVA, "reason": WHY}, {"subject": EVA, "dry_run": True}):
        assert desk.sits(role).post("/erasures", body).status_code == 403
    assert all(event.key_id for event in room.events())
