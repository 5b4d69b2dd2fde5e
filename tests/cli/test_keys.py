"""`bridge keys rotate`, from the first secret to the day on which the old one is gone."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import orjson
import pytest

from bridge.audit.seal import LONGEST_WAIT, seal
from bridge.cli.opened import opened_bridge
from bridge.errors import ConfigurationError
from bridge.events import Event
from bridge.intake.recorder import Arrival, record
from bridge.reloading.presence import Presence
from tests.cli.conftest import Commands

BODY = {"note": "kept"}


def test_a_secret_is_replaced_step_by_step_and_nothing_is_lost(bridge: Commands) -> None:
    file = bridge.folder / "secrets/bridge_secret_key"
    event_id = _record_and_seal()
    assert "There is one secret" in bridge("keys", "rotate").stdout

    old = file.read_text().strip()
    steps = bridge.json("keys", "rotate", "--new")["steps"]
    assert any("Restart" in step for step in steps)
    assert [len(line) for line in file.read_text().split()] == [44, 44]
    assert file.stat().st_mode & 0o777 == 0o600
    assert bridge("keys", "rotate", "--new").exit_code == 1  # one rotation at a time

    told = bridge.json("keys", "rotate")
    assert (told["rewrapped"], told["left"], told["complete"]) == (1, 0, True)
    assert bridge("audit", "verify").exit_code == 0
    trusting = next(step for step in told["steps"] if "--trust" in step).rpartition(" ")[2]

    file.write_text(file.read_text().replace(old, ""))
    assert bridge.json("events", "show", event_id)["payload"] == BODY
    with opened_bridge() as opened:
        opened.require_current()
    # Whose the old signatures are can only be told by who kept the key.
    assert "not trusted" in bridge("audit", "verify").stderr
    assert bridge("audit", "verify", "--trust", trusting).exit_code == 0
    actions = [one["action"] for one in bridge.json("audit", "list")["items"]]
    assert actions[:2] == ["keys.rotated", "keys.added"]


def test_no_key_is_wrapped_by_a_secret_that_a_running_program_does_not_know(bridge: Commands) -> None:
    bridge("keys", "rotate", "--new")
    web = Presence.sign_in(bridge.folder, "web", secret="the name of the old one")
    refused = bridge("keys", "rotate")
    assert refused.exit_code == 1
    assert f"web (pid {os.getpid()}" in refused.stderr
    web.leave()
    assert bridge("keys", "rotate").exit_code == 0


def test_without_the_secret_that_something_needs_nothing_starts(bridge: Commands) -> None:
    file = bridge.folder / "secrets/bridge_secret_key"
    _record_and_seal()
    file.write_text("n" * 44)
    with opened_bridge() as opened, pytest.raises(ConfigurationError, match="BRIDGE_SECRET_KEY: lacks"):
        opened.require_current()
    told = bridge("keys", "rotate")
    assert told.exit_code == 1
    assert "1 keys need a secret" in told.stdout


def test_a_secret_in_the_environment_is_nothing_that_we_can_write(
    bridge: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_SECRET_KEY", "e" * 44)
    told = bridge("keys", "rotate", "--new")
    assert told.exit_code == 1
    assert "only you can put a new secret in front" in told.stderr
    assert not Path("e" * 44).exists()


def _record_and_seal() -> str:
    """An event under the first secret, and a signed head of the audit."""
    with opened_bridge() as bridge:
        now = bridge.clock.now() - 2 * LONGEST_WAIT
        event = Event(type="conversation.attributes.updated", subject="conversation:eva", payload=BODY)
        arrival = Arrival(event=event, source="genesys", body=orjson.dumps(BODY), received_at=now)
        with bridge.database.write() as session:
            (receipt,) = record(
                session,
                [arrival],
                notes=bridge.notes,
                vault=bridge.vault,
                now=now,
                dedupe_window=timedelta(minutes=10),
            )
        with bridge.database.write() as session:
            assert seal(session, bridge.signer, now=bridge.clock.now()) is not None
        return receipt.event_id
