"""What can be done at the console: it leaves the audit that the API leaves, and happens by no single click."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from bridge.admin.access import Role
from bridge.database import Database
from bridge.tables import AuditEntryRow
from tests.admin.desk import Desk
from tests.admin.stock import Stock, stock
from tests.console import scenes
from tests.console.traffic import Traffic, record_payload
from tests.console.visitors import Page, Visitor, make_console_desk, sign_in
from tests.fakes import FakeClock
from tests.intake.webhook_app import GENESYS
from tests.outbox.yard import actions, delivery, lane

# The orders themselves are tried on both databases beside the API.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

WHY = "the receiver is mended"


def test_a_dead_delivery_is_replayed_with_a_reason(desk: Desk) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))[0]
    visitor = sign_in(desk, Role.OPERATOR)
    answer = visitor.post(f"/deliveries/{dead}/replay", reason=WHY)
    assert answer.status_code == 303
    carrier = answer.location.split("/")[3].split("?")[0]
    assert delivery(desk.database, carrier).replay_of == dead
    assert "This is the replay" in visitor.client.get(answer.location).text
    _assert_noted(desk, visitor, "replay.delivery", WHY)


def test_a_second_replay_of_the_same_is_told_of_the_first(desk: Desk) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))[0]
    visitor = sign_in(desk, Role.OPERATOR)
    visitor.post(f"/deliveries/{dead}/replay", reason=WHY)
    answer = visitor.post(f"/deliveries/{dead}/replay", reason=WHY)
    assert answer.status_code == 409
    assert "is owed to erp again already" in answer.text


@pytest.mark.parametrize("reason", ["", "  ", "x" * 1001])
def test_an_order_without_a_proper_reason_is_refused_by_name(desk: Desk, reason: str) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))[0]
    answer = sign_in(desk, Role.OPERATOR).post(f"/deliveries/{dead}/replay", reason=reason)
    assert answer.status_code == 422
    assert "<b>reason</b>" in answer.text


def test_a_pending_delivery_is_cancelled(desk: Desk) -> None:
    made = scenes.normal(desk.database, desk.clock.now())
    pending = str([one["id"] for one in made.deliveries if one["state"] == "pending"][-1])
    visitor = sign_in(desk, Role.OPERATOR)
    assert visitor.post(f"/deliveries/{pending}/cancel", reason=WHY).status_code == 303
    assert delivery(desk.database, pending).state == "cancelled"
    _assert_noted(desk, visitor, "delivery.cancelled", WHY)


def test_a_selection_is_counted_before_anything_happens(desk: Desk) -> None:
    made = scenes.normal(desk.database, desk.clock.now())
    dead = scenes.dead(made)
    pending = str(next(one["id"] for one in made.deliveries if one["state"] == "pending"))
    visitor = sign_in(desk, Role.OPERATOR)
    before = actions(desk.database)
    page = visitor.post("/deliveries/selection", action="replay", id=[*dead, pending]).text
    assert f"Replay {len(dead)} deliveries?" in page
    assert "1 delivery of the selection" in page
    assert actions(desk.database) == before


def test_a_selection_is_carried_out_one_by_one_and_refusals_are_told(desk: Desk) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))
    visitor = sign_in(desk, Role.OPERATOR)
    visitor.post(f"/deliveries/{dead[0]}/replay", reason=WHY)
    page = visitor.post("/deliveries/selection/order", action="replay", id=dead, reason=WHY).text
    assert f"{len(dead) - 1} of {len(dead)} deliveries on their way again" in page
    assert "is owed to erp again already" in page
    assert actions(desk.database).count("replay.delivery") == len(dead)


@pytest.mark.parametrize("ids", [[], ["x"], ["00000000-0000-7000-8000-00000000000G"]])
def test_an_empty_or_made_up_selection_is_refused(desk: Desk, ids: list[str]) -> None:
    answer = sign_in(desk, Role.OPERATOR).post("/deliveries/selection", action="replay", id=ids)
    assert answer.status_code == 422
    assert "Tick at least one delivery" in answer.text


def test_everything_that_a_filter_selects_is_counted_then_ordered_then_followed(desk: Desk) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))
    visitor = sign_in(desk, Role.OPERATOR)
    counted = visitor.text("/replays/new", count="1", destination="erp", state="dead", mode="every")
    matched = int(re.findall(r"<b>(\d+)</b> deliver", counted)[0])
    assert 0 < matched <= len(dead)
    assert "replay.ordered" not in actions(desk.database)
    order = {"destination": "erp", "state": "dead", "mode": "every", "reason": WHY, "rate": "20"}
    answer = visitor.post("/replays/order", **order)
    assert answer.status_code == 303
    progress = visitor.client.get(answer.location).text
    assert f"0 of {matched} deliver" in progress
    assert WHY in visitor.text("/replays")
    _assert_noted(desk, visitor, "replay.ordered", WHY)


def test_a_replay_is_paused_resumed_and_cancelled_with_reasons(desk: Desk) -> None:
    scenes.dead(scenes.normal(desk.database, desk.clock.now()))
    desk.clock.advance(1)
    visitor = sign_in(desk, Role.OPERATOR)
    order = {"destination": "erp", "state": "dead", "mode": "latest", "reason": WHY, "rate": "20"}
    path = visitor.post("/replays/order", **order).location.removeprefix("/console")
    assert visitor.post(f"{path}/steer", action="pause", reason="").status_code == 422
    assert visitor.post(f"{path}/steer", action="burn", reason=WHY).status_code == 422
    for action, offers in (("pause", ["resume", "cancel"]), ("resume", ["pause", "cancel"]), ("cancel", [])):
        assert visitor.post(f"{path}/steer", action=action, reason=f"to {action}").status_code == 303
        forms = [one["value"] for one in Page(visitor.text(path)).all("input") if one.get("name") == "action"]
        assert forms == offers
    assert visitor.post(f"{path}/steer", action="resume", reason=WHY).status_code == 409
    _assert_noted(desk, visitor, "replay.cancelled", "to cancel")


def test_the_count_tells_what_is_left_out_and_who_sends_it_already(desk: Desk) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))
    visitor = sign_in(desk, Role.OPERATOR)
    visitor.post(f"/deliveries/{dead[0]}/replay", reason=WHY)
    desk.clock.advance(1)
    counted = visitor.text("/replays/new", count="1", destination="erp", state="dead", mode="every")
    assert "1 row was being replayed already, by an order for one delivery" in counted


def test_all_that_match_are_counted_then_cancelled(desk: Desk) -> None:
    made = scenes.normal(desk.database, desk.clock.now())
    wanted = {"destination": "erp", "state": "pending"}
    visitor = sign_in(desk, Role.OPERATOR)
    assert "Cancel all that match…" in visitor.text("/deliveries", **wanted)
    assert "Cancel all that match…" not in visitor.text("/deliveries", destination="erp")
    page = visitor.text("/deliveries/cancellation", **wanted)
    matched = int(re.findall(r"<h1>Cancel (\d+) deliver", page)[0])
    assert 0 < matched <= len(made.deliveries)
    inputs = [one for one in Page(page).all("input") if one.get("type") == "hidden" and one.get("name") != "form_key"]
    fields = {str(one["name"]): str(one["value"]) for one in inputs}
    assert visitor.post("/deliveries/cancellation", **fields).status_code == 422
    answered = visitor.post("/deliveries/cancellation", **fields, status="503", reason=WHY).text
    assert "0 deliver" in answered
    done = visitor.post("/deliveries/cancellation", **fields, reason=WHY).text
    assert f"{matched} deliver" in done
    assert "Go on" not in done
    assert actions(desk.database).count("delivery.cancelled") == matched
    assert "Nothing that matches can be cancelled." in visitor.text("/deliveries/cancellation", **wanted)


@pytest.mark.parametrize("rate", ["0", "-1", "lots", "nan", "1e9"])
def test_a_replay_without_a_proper_rate_is_refused_by_name(desk: Desk, rate: str) -> None:
    answer = sign_in(desk, Role.OPERATOR).post("/replays/order", destination="erp", reason=WHY, rate=rate)
    assert answer.status_code == 422
    assert "<b>rate</b>" in answer.text


def test_a_destination_is_paused_and_resumed(desk: Desk) -> None:
    visitor = sign_in(desk, Role.OPERATOR)
    assert visitor.post("/destinations/erp/pause", reason=WHY).status_code == 303
    page = visitor.text("/destinations/erp")
    assert WHY in page
    assert "Resume it…" in page
    assert visitor.post("/destinations/erp/pause", reason=WHY).status_code == 409
    assert visitor.post("/destinations/erp/resume", reason=WHY).status_code == 303
    assert "Pause it…" in visitor.text("/destinations/erp")
    _assert_noted(desk, visitor, "destination.resumed", WHY)


def test_a_trial_tells_what_came_of_it(desk: Desk) -> None:
    visitor = sign_in(desk, Role.OPERATOR)
    page = visitor.post("/destinations/erp/test", reason=WHY).text  # nobody listens there
    assert "The trial: failed, try again" in page
    _assert_noted(desk, visitor, "destination.tested", WHY)


def test_a_preview_shows_the_request_and_sends_nothing(desk: Desk) -> None:
    made = scenes.normal(desk.database, desk.clock.now())
    event = next(one["id"] for one in made.events if one["state"] == "recorded")
    page = sign_in(desk, Role.VIEWER).post("/destinations/crm/preview", event_id=str(event)).text
    assert "POST http://127.0.0.1:9/hook" in page
    assert "+4915112345689" not in page
    assert "hidden" not in page.split("The request")[1].split("</pre>")[0]


def test_a_preview_is_unmasked_for_an_approver_with_a_reason(desk: Desk) -> None:
    traffic = Traffic(desk.clock.now())
    payload = record_payload("Item", "1", desk.clock.now(), {"phoneNumber": "+4915112345689"})
    owed = traffic.happen(desk.clock.now(), "custom_object.record.updated", "record:Item/1", payload, ("erp",))
    traffic.put(desk.database)
    visitor, path, event = sign_in(desk, Role.APPROVER), "/destinations/erp/preview", str(owed["id"])
    assert "+4915112345689" not in visitor.post(path, event_id=event, reason=WHY).text  # not ticked
    assert visitor.post(path, event_id=event, reveal="yes", reason="").status_code == 422
    assert "+4915112345689" in visitor.post(path, event_id=event, reveal="yes", reason=WHY).text
    _assert_noted(desk, visitor, "event.revealed", WHY)
    operator = sign_in(desk, Role.OPERATOR)
    assert 'name="reveal"' not in operator.text("/destinations/crm")
    assert operator.post(path, event_id=event, reveal="yes", reason=WHY).status_code == 403


@pytest.mark.parametrize(("way_out", "state"), [("skip", "dead"), ("release", "pending")])
def test_a_blocked_lane_goes_on(desk: Desk, way_out: str, state: str) -> None:
    scenes.trouble(desk.database, desk.clock.now())
    visitor = sign_in(desk, Role.OPERATOR)
    head = re.findall(r'name="head" value="([^"]+)"', visitor.text("/lanes"))[0]
    fields = {"destination": "erp", "subject": "record:Item/1", "head": head, "reason": WHY}
    assert visitor.post("/lanes", **fields).status_code == 422  # no way out chosen
    assert visitor.post("/lanes", **fields, way_out=way_out).status_code == 303
    assert lane(desk.database, "record:Item/1").blocked_at is None
    assert delivery(desk.database, head).state == state
    assert "No lane is blocked." in visitor.text("/lanes")


def test_a_purge_is_shown_in_full_and_approved_by_nobody_but_another_person(desk: Desk) -> None:
    purge = scenes.planned_purge(desk.database, desk.clock.now(), planner="paul")
    planner, other = sign_in(desk, Role.APPROVER, person="paul"), sign_in(desk, Role.APPROVER, person="ada")
    assert "Approve it…" not in planner.text(f"/purges/{purge}")
    assert planner.post(f"/purges/{purge}/approve", read="yes").status_code == 403
    page = other.text(f"/purges/{purge}")
    for part in ("chat", "2023-01-01T00:00:00Z", "2023-02-01T00:00:00Z", "permanent", "Everything", "Approve it…"):
        assert part in page
    assert other.post(f"/purges/{purge}/approve").status_code == 422  # unread
    assert other.post(f"/purges/{purge}/approve", read="yes").status_code == 503  # no organisation is configured


def test_a_purge_is_called_off_with_a_reason(desk: Desk) -> None:
    purge = scenes.planned_purge(desk.database, desk.clock.now())
    visitor = sign_in(desk, Role.OPERATOR)
    assert visitor.post(f"/purges/{purge}/cancel", reason=WHY).status_code == 303
    assert "cancelled" in visitor.text(f"/purges/{purge}")
    _assert_noted(desk, visitor, "purge.cancelled", WHY)


def test_a_body_is_masked_until_an_approver_says_why_it_is_shown(desk: Desk) -> None:
    event = scenes.normal(desk.database, desk.clock.now()).events[0]["id"]
    visitor = sign_in(desk, Role.APPROVER)
    assert "+4915112345689" not in visitor.text(f"/events/{event}")
    assert "+4915112345689" in visitor.post(f"/events/{event}/reveal", reason=WHY).text
    _assert_noted(desk, visitor, "event.revealed", WHY)


def test_an_auditor_verifies_the_chain_and_takes_it_along(desk: Desk) -> None:
    scenes.normal(desk.database, desk.clock.now())
    visitor = sign_in(desk, Role.AUDITOR)
    scenes.seal(desk.database)
    assert "The chain holds:" in visitor.post("/audit/verify").text
    export = visitor.get("/audit/export")
    assert export.headers["Content-Disposition"].startswith("attachment")
    assert b'"export":"genesys-bridge audit 1"' in export.data


def _assert_noted(desk: Desk, visitor: Visitor, action: str, reason: str) -> None:
    with desk.database.read() as session:
        wanted = (AuditEntryRow.action == action, AuditEntryRow.actor == visitor.actor)
        entries = session.scalars(select(AuditEntryRow).where(*wanted)).all()
    assert [entry.reason for entry in entries] == [reason]


def test_an_unreadable_event_is_parsed_again_with_a_reason(database: Database, clock: FakeClock) -> None:
    desk = make_console_desk(database, clock, sources=[GENESYS])
    event_id = unreadable(desk, b'{"eventType": "QUEUE_OPENED", "payload": {"version": 1}}')
    visitor = sign_in(desk, Role.OPERATOR)
    assert "Parse it again" in visitor.get(f"/events/{event_id}").text
    assert "Parse it again…" not in sign_in(desk, Role.VIEWER).get(f"/events/{event_id}").text
    answer = visitor.post(f"/events/{event_id}/reparse", reason=WHY)
    assert answer.status_code == 303
    page = visitor.client.get(answer.location).text
    assert "genesys.queue_opened" in page
    assert "Parse it again" not in page
    _assert_noted(desk, visitor, "event.reparsed", WHY)
    assert visitor.post(f"/events/{event_id}/reparse", reason=WHY).status_code == 409


def test_what_still_cannot_be_read_is_told_at_the_console(database: Database, clock: FakeClock) -> None:
    desk = make_console_desk(database, clock, sources=[GENESYS])
    event_id = unreadable(desk, b"{}")
    visitor = sign_in(desk, Role.OPERATOR)
    answer = visitor.post(f"/events/{event_id}/reparse", reason=WHY)
    assert answer.status_code == 303
    page = visitor.client.get(answer.location).text
    assert "It was parsed again, and still cannot be read" in page
    assert "Send an object with action, schemaName and record" in page, "what is wrong today"
    assert visitor.post(f"/events/{event_id}/reparse", reason=" ").status_code == 422


def unreadable(desk: Desk, body: bytes) -> str:
    """An event of the source `genesys` that the version before could not read; gives its id."""
    (row,) = stock(desk.clock.now(), events=1).events
    errors = [{"field": "body", "rule": "form", "message": "Not known yet."}]
    row.update(source="genesys", state="unreadable", body=body, errors=errors)
    Stock(events=[row]).put(desk.database)
    return str(row["id"])
