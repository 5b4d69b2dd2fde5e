"""What an operator does at a terminal: see how destinations are doing, steer them, let blocked lanes go on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED
from bridge.tables import DeliveryRow, LaneRow
from tests.cli.conftest import Commands
from tests.outbox.yard import count, owe
from tests.receivers import Receiver

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
LANE = "record:Item/a b/c"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def bridge(bridge: Commands, receiver: Receiver) -> Commands:
    """Its destinations stand where the receiver is."""
    config = bridge.folder / "bridge.toml"
    config.write_text(re.sub(r"http://127\.0\.0\.1:\d+", receiver.url, config.read_text()))
    return bridge


def block(bridge: Commands) -> str:
    """Leave the lane as a dead head does; returns the head."""
    head, _ = (owe(bridge.database, NOW, subject=LANE, event_type=CONVERSATION_ATTRIBUTES_UPDATED)[0] for _ in range(2))
    with bridge.database.write() as session:
        dead = update(DeliveryRow).where(DeliveryRow.id == head)
        session.execute(dead.values(state="dead", finished_at=NOW, last_error="422: no", error_class="status"))
        session.execute(update(LaneRow).values(due_at=None, blocked_at=NOW))
    return head


def test_destinations_are_listed_with_their_state_and_figures(bridge: Commands) -> None:
    owe(bridge.database, NOW, destinations=["crm"])
    shown = bridge("destinations", "list").stdout.splitlines()
    assert shown[0].split()[:6] == ["NAME", "KIND", "STATE", "BREAKER", "BACKLOG", "OLDEST"]
    listed = {one["name"]: one for one in bridge.json("destinations", "list")["items"]}
    assert (listed["erp"]["backlog"], listed["crm"]["backlog"], listed["crm"]["state"]) == (0, 1, "active")
    assert bridge.json("destinations", "show", "crm")["kind"] == "crm"
    assert "breaker" in bridge("destinations", "show", "crm").stdout


def test_a_destination_is_paused_and_resumed_with_a_reason(bridge: Commands) -> None:
    assert bridge("destinations", "pause", "erp").exit_code == 2
    assert bridge("destinations", "pause", "erp", "--reason", " ").exit_code == 1
    assert bridge("destinations", "pause", "erp", "--reason", "moved").output == "destination erp is paused\n"
    assert bridge.json("destinations", "show", "erp")["paused_reason"] == "moved"
    assert bridge("destinations", "pause", "erp", "--reason", "again").exit_code == 1
    assert bridge.json("destinations", "resume", "erp", "--reason", "is there")["state"] == "active"
    assert bridge("destinations", "resume", "erp", "--reason", "again").exit_code == 1
    actions = [one["action"] for one in bridge.json("audit", "list")["items"]]
    assert actions == ["destination.resumed", "destination.paused"]


def test_an_unknown_destination_is_refused_by_a_line_that_names_the_known(bridge: Commands) -> None:
    for what in (["show", "epr"], ["pause", "epr", "--reason", "x"], ["test", "epr"]):
        result = bridge("destinations", *what)
        assert result.exit_code == 1
        assert "known: erp, crm" in result.stderr


def test_a_test_ends_with_0_where_it_was_taken_and_else_with_1(bridge: Commands, receiver: Receiver) -> None:
    taken = bridge("destinations", "test", "erp", "--reason", "new certificate")
    assert taken.exit_code == 0
    assert re.fullmatch(r"erp took it with 204 in \d+ ms\n", taken.stdout)
    assert receiver.requests[0].headers["X-Bridge-Test"] == "true"
    receiver.answers(503, 422)
    again = bridge("destinations", "test", "erp")
    assert again.exit_code == 1
    assert "would be tried again" in again.stdout
    dead = bridge("destinations", "test", "erp", "--json")
    assert dead.exit_code == 1
    assert '"outcome": "rejected"' in dead.stdout
    assert len(bridge.json("audit", "list", "--action", "destination.tested")["items"]) == 3
    assert count(bridge.database, "delivery") == 0


def test_a_preview_shows_a_request_without_sending_it(bridge: Commands, receiver: Receiver) -> None:
    owe(bridge.database, NOW, event_type="interaction.updated", destinations=["crm"])
    event_id = bridge.json("events", "list")["items"][0]["id"]
    shown = bridge("destinations", "preview", "crm", event_id)
    assert shown.stdout.startswith(f"POST {receiver.url}/")
    assert '"eventType": "INTERACTION_UPDATED"' in shown.stdout
    assert bridge.json("destinations", "preview", "crm", event_id)["owed"] is True
    assert bridge("destinations", "preview", "erp", event_id).exit_code == 1
    assert receiver.requests == []


def test_revealing_needs_a_reason_which_the_audit_keeps(bridge: Commands) -> None:
    owe(bridge.database, NOW, event_type="interaction.updated", destinations=["crm"])
    event_id = bridge.json("events", "list")["items"][0]["id"]
    assert bridge("destinations", "preview", "crm", event_id, "--reveal").exit_code == 2
    assert bridge("destinations", "preview", "crm", event_id, "--reveal", "--reason", "asked").exit_code == 0
    (entry,) = bridge.json("audit", "list", "--action", "event.revealed")["items"]
    assert (entry["reason"], entry["details"]["destination"]) == ("asked", "crm")


def test_blocked_lanes_are_listed_and_can_be_skipped(bridge: Commands) -> None:
    head = block(bridge)
    (lane,) = bridge.json("lanes", "list", "--destination", "erp")["items"]
    assert (lane["subject"], lane["waiting"], lane["head"]) == (LANE, 1, {"delivery": head, "error": "422: no"})
    assert head in bridge("lanes", "list").stdout
    assert bridge("lanes", "skip", "erp", LANE).exit_code == 2
    assert bridge("lanes", "skip", "erp", LANE, "--reason", "x", "--head", "another").exit_code == 1
    skipped = bridge("lanes", "skip", "erp", LANE, "--reason", "wrong data")
    assert f"bridge deliveries replay {head}" in skipped.stdout
    assert bridge("lanes", "skip", "erp", LANE, "--reason", "x").exit_code == 1
    assert bridge.json("lanes", "list")["items"] == []
    (entry,) = bridge.json("audit", "list", "--action", "lane.skipped")["items"]
    assert (entry["subject"], entry["reason"]) == (LANE, "wrong data")


def test_a_blocked_lane_can_be_released(bridge: Commands) -> None:
    head = block(bridge)
    released = bridge.json("lanes", "release", "erp", LANE, "--reason", "mended", "--head", head)
    assert released == {"destination": "erp", "subject": LANE, "delivery": head, "state": "pending"}
    assert bridge.json("deliveries", "show", head)["state"] == "pending"
