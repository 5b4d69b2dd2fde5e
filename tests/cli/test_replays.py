"""What an operator does to many deliveries at a terminal: replay, follow, pause, resume, cancel."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

from tests.cli.conftest import Commands
from tests.fakes import FakeClock
from tests.outbox.replays import kill
from tests.outbox.yard import owe

NOW = FakeClock().now()


def test_a_replay_is_steered_and_followed_to_its_end(bridge: Commands) -> None:
    kill(bridge.database, FakeClock(), "record:S/1")
    replay = bridge.json("replay", "--state", "dead", "--reason", "up again", "--no-wait")["id"]
    assert bridge("replays", "pause", replay).exit_code == 2
    assert bridge("replays", "pause", replay, "--reason", "wait").stdout == "paused; 0 in their lanes are still sent\n"
    refused = bridge("replays", "pause", replay, "--reason", "wait")
    assert (refused.exit_code, "the replay is paused" in refused.stderr) == (1, True)
    assert bridge.json("replays", "resume", replay, "--reason", "on")["state"] == "running"
    cancelled = bridge("replays", "cancel", replay, "--reason", "enough")
    assert cancelled.stdout == "cancelled: 0 were sent already, 0 will not be\n"
    followed = bridge("replays", "show", replay, "--follow", "--json")
    assert (followed.exit_code, json.loads(followed.stdout)["state"]) == (1, "cancelled")
    assert bridge("replays", "show", replay, "--follow").stdout == "cancelled: 0 of 1 ended\n"
    actions = [one["action"] for one in bridge.json("audit", "list", "--subject", f"replay:{replay}")["items"]]
    assert actions == ["replay.swept", "replay.cancelled", "replay.resumed", "replay.paused", "replay.ordered"]


def test_ctrl_c_stops_looking_and_leaves_the_replay_running(bridge: Commands) -> None:
    kill(bridge.database, FakeClock(), "record:S/1")
    replay = bridge.json("replay", "--state", "dead", "--reason", "up again", "--no-wait")["id"]
    command = [sys.executable, "-m", "bridge.cli", "replays", "show", replay, "--follow"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as looking:
        assert looking.stderr is not None
        assert looking.stderr.readline() == "running: 0 of 1 ended\n"
        looking.send_signal(signal.SIGINT)
        assert looking.wait(10) == 130
        assert "the replay goes on without you" in looking.stderr.read()
    assert bridge.json("replays", "show", replay)["state"] == "running"


def test_a_dry_run_tells_what_latest_leaves_out_and_who_replays_a_row_already(bridge: Commands) -> None:
    kill(bridge.database, FakeClock(), *["record:S/1"] * 3)
    one = bridge.json("deliveries", "list")["items"][0]["id"]
    bridge("deliveries", "replay", one, "--reason", "first")
    shown = bridge("replay", "--state", "dead", "--mode", "latest", "--dry-run")
    assert shown.stdout.splitlines() == [
        "0 matched",
        "       2 older versions are left out (--mode latest)",
        "       1 already being replayed by an order for one delivery, and left to it",
    ]


def test_all_that_options_select_are_counted_and_cancelled(bridge: Commands) -> None:
    for number in range(3):
        owe(bridge.database, NOW, subject=f"record:S/{number}", destinations=["erp", "crm"])
    assert bridge("deliveries", "cancel", "--reason", "x").exit_code == 2
    assert bridge("deliveries", "cancel", "--destination", "erp").exit_code == 2
    counted = bridge("deliveries", "cancel", "--destination", "erp", "--dry-run")
    assert counted.stdout.splitlines() == ["3 pending, not being sent", "       3 to erp"]
    done = bridge("deliveries", "cancel", "--destination", "erp", "--reason", "replaced")
    assert done.stdout.splitlines()[-1] == "3 cancelled"
    assert bridge.json("deliveries", "cancel", "--destination", "erp", "--reason", "x")["cancelled"] == 0
    left = bridge.json("deliveries", "list", "--state", "pending")["items"]
    assert {one["destination"] for one in left} == {"crm"}
    both = [one["id"] for one in left[:2]]
    assert bridge("deliveries", "cancel", *both, "--reason", "x").stdout.count("is cancelled") == 2
    assert bridge("deliveries", "cancel", *both, "--reason", "x").exit_code == 1
