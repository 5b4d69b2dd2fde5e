"""Erasures in the console: nothing on one click, nothing over a hold, nothing typed twice."""

from __future__ import annotations

import pytest

from bridge.admin.access import Role
from tests.admin.desk import Desk
from tests.console import scenes
from tests.console.visitors import Page, sign_in
from tests.keeping.file_room import EVA, FileRoom
from tests.privacy.placing import place

# What the pages show does not depend on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ORDER = {"customer": "C-4711", "reason": "she asked us to"}


@pytest.fixture
def room(desk: Desk) -> FileRoom:
    room = FileRoom(desk.database, desk.clock)
    room.record(payload={"customer": {"id": "C-4711"}})
    return room


def test_looking_at_what_would_go_erases_nothing_and_keeps_what_was_typed(desk: Desk, room: FileRoom) -> None:
    page = sign_in(desk, Role.ADMIN).post("/erasures/check", **ORDER).text
    assert "Erase 1 event?" in page
    hidden = {field["name"]: field["value"] for field in Page(page).all("input") if field.get("type") == "hidden"}
    assert hidden.items() >= ORDER.items()
    assert room.audited("erasure.") == []


def test_it_is_erased_once_somebody_says_that_they_have_read_it(desk: Desk, room: FileRoom) -> None:
    admin = sign_in(desk, Role.ADMIN)
    assert admin.post("/erasures", **ORDER).status_code == 422
    assert room.audited("erasure.") == []
    page = admin.post("/erasures", **ORDER, read="yes").text
    assert "1 event erased" in page
    assert "Of 1 more it was gone before." in admin.post("/erasures", subject=EVA, reason="again", read="yes").text
    assert [one.reason for one in room.audited("erasure.begun")] == ["she asked us to", "again"]


def test_a_hold_is_named_where_it_can_be_looked_at(desk: Desk, room: FileRoom) -> None:
    hold = place(desk.database, desk.clock.now(), customer="C-4711").hold.id
    answer = sign_in(desk, Role.ADMIN).post("/erasures/check", **ORDER)
    assert answer.status_code == 409
    assert f"Legal hold {hold}" in answer.text
    assert "/console/holds?active=true" in answer.text
    assert 'value="C-4711"' in answer.text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reason": "asked"}, "name one of the two"),
        ({"subject": EVA, "customer": "C-1", "reason": "asked"}, "name one of the two"),
        ({"subject": EVA}, "Say why"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_counted(desk: Desk, fields: dict[str, str], said: str) -> None:
    answer = sign_in(desk, Role.ADMIN).post("/erasures/check", **fields)
    assert (answer.status_code, said in answer.text) == (422, True)


def test_a_hostile_subject_stays_text(desk: Desk) -> None:
    hostile = f"conversation:{scenes.SCRIPT}"
    FileRoom(desk.database, desk.clock).record(hostile)
    admin = sign_in(desk, Role.ADMIN)
    for page in (
        admin.post("/erasures/check", subject=hostile, reason=scenes.SCRIPT).text,
        admin.post("/erasures", subject=hostile, reason=scenes.SCRIPT, read="yes").text,
    ):
        assert Page(page).all("img") == []
        assert len(Page(page).all("script")) == 1


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.ADMIN, Role.SENDER)])
def test_only_an_admin_is_offered_it(desk: Desk, role: Role) -> None:
    visitor = sign_in(desk, role)
    assert "/console/erasures" not in visitor.text("/holds")
    assert visitor.get("/erasures").status_code == 403
