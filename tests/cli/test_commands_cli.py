"""Commands from the command line: given, waited for, looked at; purges with two keys; the sandbox."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.sandbox.config import connection
from tests.cli.conftest import Commands
from tests.commands.office import purge_policy
from tests.processes import BridgeFolder, Running

NOW_WAIT = "--no-wait"
UPDATE = ("conversations", "update", "conv-2001", "--attributes", "tier=gold")
MERGE = ("interactions", "merge", "--interactions", "voice-1001:voice", "--interactions", "chat-1002:chat")


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig(merge_polls=1)) as server:
        yield server


@pytest.fixture
def organisation(bridge: Commands, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment that connects the folder's bridge to the sandbox."""
    environment = connection(sandbox.url, SandboxConfig())
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return environment


@pytest.fixture
def worker(bridge: Commands, organisation: dict[str, str]) -> Iterator[Running]:
    with BridgeFolder(bridge.folder, {**organisation, "DATABASE_URL": "sqlite:///bridge.db"}) as folder:
        running = folder.start("worker")
        running.wait_output("worker.started")
        yield running


def policy_file(bridge: Commands, **changes: object) -> str:
    path = bridge.folder / "policy.json"
    path.write_text(json.dumps(purge_policy(**changes)))
    return str(path)


def token(bridge: Commands, role: str, person: str) -> str:
    made: str = bridge.json("token", "create", "--name", f"{person}'s", "--role", role, "--person", person)["token"]
    return made


def kept(sandbox: SandboxServer, what: str, key: str) -> dict[str, Any]:
    state: dict[str, Any] = requests.get(f"{sandbox.url}/_sandbox/state", timeout=5).json()[what]
    found: dict[str, Any] = state[key]
    return found


@pytest.mark.usefixtures("worker")
def test_a_command_is_followed_to_its_end(bridge: Commands, sandbox: SandboxServer) -> None:
    done = bridge(*UPDATE, "--attributes", "score:=7", "--attributes", '{"vip": true}')
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("succeeded\n")
    assert json.loads(done.stdout.partition("\n")[2])["version"] == 2
    assert "conversation.attributes.update succeeded: step 1 done" in done.stderr
    shown = kept(sandbox, "conversations", "conv-2001")["attributes"]
    assert {name: shown[name] for name in ("tier", "score", "vip")} == {"tier": "gold", "score": 7, "vip": True}
    (listed,) = bridge.json("commands", "list", "--state", "succeeded")["items"]
    told = bridge("commands", "show", listed["id"]).stdout
    for word in ("latency_ms", "retries", "conflicts", "violations", "STEP AT", "succeeded"):
        assert word in told


@pytest.mark.usefixtures("worker")
def test_a_command_that_fails_ends_with_1_and_says_why(bridge: Commands) -> None:
    fields = ("--fields", '{"sku": "AB-1234", "quantity": 41, "price": 19.99, "status": "available"}')
    failed = bridge("records", "update", "InventoryItem", "item-3001", "--version", "9", *fields)
    assert failed.exit_code == 1
    assert failed.stdout == "failed: the record has version 1: read it again and decide\n"
    (listed,) = bridge.json("commands", "list", "--operation", "record.update")["items"]
    assert bridge("commands", "show", listed["id"]).exit_code == 0, "to look is no failure"
    assert bridge("commands", "show", listed["id"], "--follow").exit_code == 1


@pytest.mark.usefixtures("worker")
def test_a_merge_is_followed_through_its_polls(bridge: Commands) -> None:
    order = bridge.json(*MERGE, NOW_WAIT)
    assert order["state"] in ("accepted", "running")
    followed = bridge("commands", "show", order["id"], "--follow")
    assert followed.exit_code == 0, followed.output
    assert "merged_id" in followed.stderr
    assert bridge.json("commands", "show", order["id"])["result"]["metrics"]["priorityScore"] == 9


@pytest.mark.usefixtures("organisation")
def test_a_command_that_nobody_waits_for_is_printed_as_it_stands(bridge: Commands) -> None:
    given = bridge.json(*UPDATE, NOW_WAIT, "--idempotency-key", "k-1")
    assert (given["state"], given["subject"], given["repeated"]) == ("accepted", "conversation:conv-2001", False)
    again = bridge.json(*UPDATE, NOW_WAIT, "--idempotency-key", "k-1")
    assert (again["id"], again["repeated"]) == (given["id"], True)
    other = bridge("conversations", "update", "conv-2002", "--attributes", "a=b", "--idempotency-key", "k-1", NOW_WAIT)
    assert (other.exit_code, "Idempotency-Key" in other.stderr) == (1, True)


@pytest.mark.usefixtures("organisation")
def test_every_violation_has_its_line(bridge: Commands) -> None:
    refused = bridge("interactions", "update", "i-1", "--customer-id", "", "--attributes", "id=x", NOW_WAIT)
    assert refused.exit_code == 1
    assert refused.stderr.splitlines() == [
        "bridge: The command breaks rules:",
        "bridge:   customer_id: Must have 1 to 255 characters.",
        "bridge:   attributes.id: Cannot be changed: leave it out.",
    ]
    merge = bridge("interactions", "merge", "--interactions", "a:voice", "--window-seconds", "-1", NOW_WAIT)
    assert "dedupe.window_seconds" in merge.stderr
    assert "interactions: Must name 2 to 100." in merge.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("conversations", "update", "c-1", "--attributes", "tier"),
        ("conversations", "update", "c-1", "--attributes", "{broken"),
        ("conversations", "update", "c-1", "--attributes", "score:=seven"),
        ("interactions", "merge", "--interactions", "voice-1001"),
        ("records", "update", "S", "r-1", "--fields", "a=b"),
        ("records", "update", "S", "r-1", "--version", "1", "--on-conflict", "win"),
        ("purge", "approve", "p-1"),
    ],
)
@pytest.mark.usefixtures("organisation")
def test_wrong_usage_ends_with_2(bridge: Commands, arguments: tuple[str, ...]) -> None:
    assert bridge(*arguments).exit_code == 2


def test_without_an_organisation_the_way_out_is_named(bridge: Commands) -> None:
    for arguments in (UPDATE, MERGE, ("records", "history", "S", "r-1"), ("purge", "plan", policy_file(bridge))):
        refused = bridge(*arguments)
        assert (refused.exit_code, "GENESYS_CLIENT_ID" in refused.stderr) == (1, True)


@pytest.mark.usefixtures("organisation")
def test_the_history_of_a_record_is_printed(bridge: Commands, sandbox: SandboxServer) -> None:
    requests.put(
        f"{sandbox.url}/_sandbox/records/InventoryItem/item-3001", json={"fields": {"quantity": 39}}, timeout=5
    ).raise_for_status()
    (entry,) = bridge.json("records", "history", "InventoryItem", "item-3001")["items"]
    assert (entry["action"], entry["version"]) == ("update", 2)
    assert "quantity: 40 → 39" in bridge("records", "history", "InventoryItem", "item-3001").stdout


def test_a_policy_is_checked_without_planning_it(bridge: Commands) -> None:
    assert bridge("purge", "validate", policy_file(bridge)).exit_code == 0
    assert bridge.json("purge", "validate", policy_file(bridge)) == {"ok": True}
    wrong = bridge("purge", "validate", policy_file(bridge, classification="hipaa", retentionDays=10, reason="short"))
    assert wrong.exit_code == 1
    assert [line.split(":")[1].strip() for line in wrong.stderr.splitlines()[1:]] == ["reason", "retentionDays"]
    for text in ("[]", "{broken", '{"reason": 1, "reason": 2}'):
        (bridge.folder / "policy.json").write_text(text)
        assert bridge("purge", "validate", "policy.json").exit_code == 1
    assert bridge.json("purge", "status")["items"] == []


@pytest.mark.usefixtures("organisation")
def test_a_purge_is_approved_with_somebody_elses_token_only(bridge: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    planned = bridge.json("purge", "plan", policy_file(bridge))
    assert (planned["state"], planned["command_id"]) == ("awaiting_approval", None)
    own = token(bridge, "approver", planned["planner"])
    refused = bridge("purge", "approve", planned["id"], "--token", own)
    assert (refused.exit_code, "two persons" in refused.stderr) == (1, True)
    operator = bridge("purge", "approve", planned["id"], "--token", token(bridge, "operator", "otto"))
    assert (operator.exit_code, "approver" in operator.stderr) == (1, True)
    assert bridge("purge", "approve", planned["id"], "--token", "gbr_nonsense").exit_code == 1
    monkeypatch.setenv("BRIDGE_TOKEN", token(bridge, "approver", "otto"))
    approved = bridge.json("purge", "approve", planned["id"])
    assert (approved["operation"], approved["state"]) == ("interactions.purge", "accepted")
    told = bridge.json("purge", "status", planned["id"])
    assert (told["state"], told["approver"], told["command_id"]) == ("accepted", "otto", approved["id"])
    cancelled = bridge("purge", "cancel", planned["id"], "--reason", "legal asked us")
    assert cancelled.exit_code == 0, cancelled.output
    assert bridge.json("purge", "status")["items"][0]["state"] == "cancelled"
    actions = [entry["action"] for entry in bridge.json("audit", "list")["items"]]
    assert {"purge.planned", "purge.approved", "purge.cancelled"} <= set(actions)


@pytest.mark.usefixtures("organisation")
def test_a_policy_is_printed_without_personal_data(bridge: Commands) -> None:
    filters = {"attributes": {"email": "ada@example.com"}}
    file = policy_file(bridge, filters=filters, everything=False)
    planned = bridge.json("purge", "plan", file)
    printed = [
        bridge("purge", "status", planned["id"]),
        bridge("purge", "status", "--json"),
        bridge("purge", "cancel", planned["id"], "--reason", "a test", "--json"),
    ]
    assert not any("ada@example.com" in one.output for one in printed)
    assert "ada@example.com" not in json.dumps(planned)


@pytest.mark.usefixtures("organisation")
def test_the_summary_has_a_line_per_operation(bridge: Commands) -> None:
    bridge(*UPDATE, NOW_WAIT)
    told = bridge.json("commands", "list", "--summary")
    asked = {one["operation"]: one["asked"] for one in told["operations"]}
    assert asked == {
        "conversation.attributes.update": 1,
        "interaction.merge": 0,
        "interaction.update": 0,
        "interactions.purge": 0,
        "record.update": 0,
    }
    lines = bridge("commands", "list", "--summary", "--since", "1h").stdout.splitlines()
    assert lines[0].split()[:4] == ["OPERATION", "ASKED", "OPEN", "SUCCEEDED"]
    assert lines[1].split()[:3] == ["conversation.attributes.update", "1", "1"]


@pytest.mark.usefixtures("organisation")
def test_commands_are_listed_in_pages(bridge: Commands) -> None:
    given = [bridge.json(*UPDATE, NOW_WAIT)["id"] for _ in range(3)]
    first = bridge.json("commands", "list", "--limit", "2")
    assert [one["id"] for one in first["items"]] == given[:0:-1]
    rest = bridge.json("commands", "list", "--limit", "2", "--cursor", first["next"])
    assert ([one["id"] for one in rest["items"]], rest["next"]) == ([given[0]], None)
    assert bridge("commands", "show", "nobody").exit_code == 1


def test_the_sandbox_is_a_command_of_the_bridge(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("a webhook secret\n")
    with BridgeFolder(tmp_path) as folder:
        running = folder.start(
            "sandbox", "--port", "0", "--webhook-url", "http://127.0.0.1:9/hook", "--webhook-secret-file", "secret"
        )
        running.wait_output("GENESYS_CLIENT_SECRET=")
        url = next(line for line in running.output().splitlines() if "GENESYS_API_URL" in line).partition("=")[2]
        assert requests.get(f"{url}/_sandbox/state", timeout=5).json()["sandbox"] is True
        assert running.stop() == 0
        refused = folder.run("sandbox", "--webhook-url", "http://127.0.0.1:9/hook")
    assert refused.code == 1
    assert refused.stderr.startswith("bridge: sandbox: webhook_secret: required")
