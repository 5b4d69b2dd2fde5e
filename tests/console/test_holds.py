"""Legal holds in the console: nothing on one click, nothing typed twice, nobody told whom they hold."""

from __future__ import annotations

import re

import pytest

from bridge.admin.access import Role
from bridge.database import Database
from bridge.settings.model import LegalHold
from tests.admin.desk import Desk
from tests.console import scenes
from tests.console.visitors import Page, make_console_desk, sign_in
from tests.fakes import FakeClock
from tests.outbox.yard import actions

# What the pages show does not depend on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ORDER = {"customer": "C-4711", "reason": "case 7"}


def test_looking_at_what_follows_places_nothing_and_keeps_what_was_typed(desk: Desk) -> None:
    purge = scenes.planned_purge(desk.database, desk.clock.now())
    admin = sign_in(desk, Role.ADMIN)
    page = admin.post("/holds/check", **ORDER).text
    assert "hold.placed" not in actions(desk.database)
    hidden = {field["name"]: field["value"] for field in Page(page).all("input") if field.get("type") == "hidden"}
    assert hidden.items() >= ORDER.items()
    assert f"/console/purges/{purge}" in page
    assert "It will be refused." in page


def test_a_hold_is_placed_for_its_days_and_found_in_the_list(desk: Desk) -> None:
    admin = sign_in(desk, Role.ADMIN)
    answer = admin.post("/holds", **{"type": "voice", "from": "2026-03-01", "to": "2026-03-31", "reason": "case 7"})
    assert answer.status_code == 303
    page = admin.client.get(answer.location).text
    assert "The hold is in force" in page
    assert "2026-04-01 00:00:00" in page
    assert "Every voice interaction" in admin.text("/holds", active="true")
    assert "No hold is released." in admin.text("/holds", active="false")
    address = answer.location.partition("?")[0]
    assert admin.get("/find", q=address.rpartition("/")[2]).location == address


def test_what_is_wrong_is_said_beside_its_field_and_the_rest_is_kept(desk: Desk) -> None:
    admin = sign_in(desk, Role.ADMIN)
    assert "Say why" in admin.post("/holds/check", customer="C-4711").text
    answer = admin.post("/holds/check", subject="c-1", customer="C-4711", reason="case 7")
    assert answer.status_code == 422
    fields = {field.get("name"): field for field in Page(answer.text).all("input")}
    assert (fields["subject"].get("aria-invalid"), fields["subject"]["value"]) == ("true", "c-1")
    assert fields["customer"]["value"] == "C-4711"
    for said in ("must be a subject like", "say exactly one of"):
        assert said in answer.text


def test_a_hold_is_released_after_a_question_and_with_a_reason(desk: Desk) -> None:
    hold, admin = scenes.held(desk.database, desk.clock.now())[1], sign_in(desk, Role.ADMIN)
    assert "forgotten for good" in admin.text(f"/holds/{hold}/release")
    assert admin.post(f"/holds/{hold}/release").status_code == 422
    assert admin.post(f"/holds/{hold}/release", reason="closed").status_code == 303
    assert admin.post(f"/holds/{hold}/release", reason="closed").status_code == 409
    assert "Release it…" not in admin.text(f"/holds/{hold}")


def test_no_page_tells_the_customer(desk: Desk) -> None:
    ids, admin = scenes.held(desk.database, desk.clock.now()), sign_in(desk, Role.ADMIN)
    for path in ("/holds", f"/holds/{ids[1]}", f"/holds/{ids[1]}/release", "/audit"):
        assert "C-4711" not in admin.text(path)
    assert "Customer C***" in admin.text("/holds")


def test_what_stands_in_bridge_toml_is_released_there(database: Database, clock: FakeClock) -> None:
    desk = make_console_desk(database, clock, declared=[LegalHold(customer="C-1", reason=scenes.SCRIPT)])
    admin = sign_in(desk, Role.ADMIN)
    (hold,) = re.findall(r'class="row-link" href="/console/holds/([0-9a-f-]{36})"', admin.text("/holds"))
    page = admin.text(f"/holds/{hold}")
    assert "It stands in <code>bridge.toml</code>" in page
    assert "Release it…" not in page
    assert Page(page).all("img") == []
    assert admin.post(f"/holds/{hold}/release", reason="closed").status_code == 409
