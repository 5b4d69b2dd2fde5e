"""What each role finds, and what it is not offered."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from bridge.admin.access import Role
from tests.admin.desk import Desk
from tests.console import scenes
from tests.console.visitors import LISTS, Page, sign_in
from tests.outbox.yard import actions

# What the pages show does not depend on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOBODY = "00000000-0000-7000-8000-000000000000"
#: Every form, with a role that may not send it.
FORBIDDEN = [
    (f"/deliveries/{NOBODY}/replay", Role.VIEWER),
    (f"/deliveries/{NOBODY}/cancel", Role.AUDITOR),
    ("/deliveries/selection", Role.VIEWER),
    ("/deliveries/selection/order", Role.APPROVER),
    ("/deliveries/cancellation", Role.VIEWER),
    ("/replays/order", Role.VIEWER),
    (f"/replays/{NOBODY}/steer", Role.APPROVER),
    ("/destinations/erp/pause", Role.VIEWER),
    ("/destinations/erp/resume", Role.APPROVER),
    ("/destinations/erp/test", Role.VIEWER),
    ("/destinations/erp/preview", Role.SENDER),
    ("/lanes", Role.AUDITOR),
    (f"/purges/{NOBODY}/approve", Role.ADMIN),
    (f"/purges/{NOBODY}/cancel", Role.VIEWER),
    ("/holds", Role.OPERATOR),
    ("/holds/check", Role.APPROVER),
    (f"/holds/{NOBODY}/release", Role.OPERATOR),
    ("/erasures", Role.OPERATOR),
    ("/erasures/check", Role.APPROVER),
    (f"/events/{NOBODY}/reparse", Role.VIEWER),
    (f"/events/{NOBODY}/reveal", Role.ADMIN),
    ("/audit/verify", Role.OPERATOR),
]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SENDER])
def test_whoever_may_look_sees_every_page_of_an_empty_bridge(desk: Desk, role: Role) -> None:
    visitor = sign_in(desk, role)
    for path in LISTS:
        assert "<h1>" in visitor.text(path), path


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SENDER])
def test_whoever_may_look_sees_every_page_of_a_bridge_in_trouble(desk: Desk, role: Role) -> None:
    made = scenes.trouble(desk.database, desk.clock.now())
    purge, command = (
        scenes.planned_purge(desk.database, desk.clock.now()),
        scenes.running_merge(desk.database, desk.clock.now()),
    )
    visitor = sign_in(desk, role)
    for one in made.deliveries[::30]:
        visitor.text(f"/deliveries/{one['id']}")
        visitor.text(f"/events/{one['event_id']}")
    for path in (*LISTS, "/destinations/erp", "/destinations/crm", f"/purges/{purge}", f"/commands/{command}"):
        visitor.text(path)


def test_a_sender_finds_its_commands_and_nothing_else(desk: Desk) -> None:
    scenes.running_merge(desk.database, desk.clock.now())
    visitor = sign_in(desk, Role.SENDER, destination="erp")
    assert visitor.get("/").location == "/console/commands"
    assert "merge:0f3a" not in visitor.text("/commands")  # another's
    for path in LISTS:
        assert visitor.get(path).status_code == (200 if path == "/commands" else 403), path
    assert "/console/events" not in visitor.text("/commands")


@pytest.mark.parametrize(("path", "role"), FORBIDDEN)
def test_a_form_that_the_role_may_not_send_is_refused_by_a_page_that_says_who_may(
    desk: Desk, path: str, role: Role
) -> None:
    answer = sign_in(desk, role).post(path, reason="because")
    assert answer.status_code == 403
    assert "use a token with one of these roles" in answer.text
    assert set(actions(desk.database)) <= {"token.created", "console.signed-in", "access.read"}


def test_a_viewer_is_offered_nothing_that_changes_anything(desk: Desk) -> None:
    made = scenes.trouble(desk.database, desk.clock.now())
    purge = scenes.planned_purge(desk.database, desk.clock.now())
    visitor = sign_in(desk, Role.VIEWER)
    dead = scenes.dead(made)[0]
    for path in (*LISTS, f"/deliveries/{dead}", "/destinations/erp", f"/purges/{purge}"):
        forms = [form for form in Page(visitor.text(path)).all("form") if form["method"] == "post"]
        assert {str(form["action"]).rpartition("/")[2] for form in forms} <= {"logout", "preview"}, path
    assert visitor.get("/replays/new").status_code == 403


def test_every_look_of_an_auditor_is_noted_and_pages_do_not_look_by_themselves(desk: Desk) -> None:
    visitor = sign_in(desk, Role.AUDITOR)
    assert "data-refresh-seconds" not in visitor.text("/events")
    assert actions(desk.database)[-1] == "access.read"
    assert "data-refresh-seconds" in sign_in(desk, Role.VIEWER).text("/events")


def test_an_address_that_is_none_says_so_within_the_console(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    for path in (
        "/nothing",
        f"/events/{NOBODY}",
        f"/deliveries/{NOBODY}",
        f"/purges/{NOBODY}",
        "/destinations/none",
        "/events/x",
    ):
        answer = visitor.get(path)
        assert answer.status_code == 404, path
        assert "There is nothing here" in answer.text
        assert answer.mimetype == "text/html"


def test_a_fault_of_ours_is_a_page_that_tells_nothing_of_it(desk: Desk) -> None:
    event = scenes.normal(desk.database, desk.clock.now()).events[0]["id"]
    visitor = sign_in(desk, Role.VIEWER)
    with desk.database.write() as session:
        session.execute(text("UPDATE event SET payload = '{broken'"))
    answer = visitor.get(f"/events/{event}")
    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert "urn:uuid:" in answer.text
    assert "broken" not in answer.text
    assert "Error" not in answer.text


def test_a_database_that_is_away_is_a_page_that_says_when_to_come_back(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    with desk.database.write() as session:
        session.execute(text("DROP TABLE rejection"))
    answer = visitor.get("/rejections")
    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert "The database cannot be used right now" in answer.text
    assert "no such table" not in answer.text
