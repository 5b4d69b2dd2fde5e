"""What each command prints and how it ends."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from bridge import __version__
from bridge.migrate import head
from bridge.tables import DeliveryRow, LaneRow
from tests.cli.conftest import Commands
from tests.outbox.yard import owe

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def test_the_version_is_printed(bridge: Commands) -> None:
    assert bridge("--version").output == f"bridge, version {__version__}\n"


def test_help_names_every_command_and_how_to_complete_them(bridge: Commands) -> None:
    shown = bridge("--help").output
    for name in ("up", "init", "check", "db", "web", "worker", "token", "events", "deliveries", "replay", "audit"):
        assert f"\n  {name} " in shown
    assert "bridge completion bash" in shown


@pytest.mark.parametrize("arguments", [["nonsense"], ["token", "create"], ["events", "list", "--limit", "0"]])
def test_wrong_usage_ends_with_2(bridge: Commands, arguments: list[str]) -> None:
    assert bridge(*arguments).exit_code == 2


def test_a_refusal_ends_with_1_and_one_line(bridge: Commands) -> None:
    result = bridge("events", "show", "nobody")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("bridge: no event has this id")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("debug", "trace"), [(False, False), (True, True)])
def test_an_unexpected_error_is_one_line_unless_asked_for(debug: bool, trace: bool) -> None:
    failing = (
        "from bridge.cli.edge import one_line_for_each_error\n"
        f"with one_line_for_each_error(debug={debug}):\n    raise KeyError('personal')"
    )
    done = subprocess.run([sys.executable, "-c", failing], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "KeyError" in done.stderr
    assert ("Traceback" in done.stderr) is trace
    assert ("personal" in done.stderr) is trace


def test_an_unmigrated_database_names_the_way_out(bridge: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///empty.db")
    for arguments in (["events", "list"], ["worker"], ["db", "check"]):
        result = bridge(*arguments)
        assert result.exit_code == 1
        assert "run `bridge db upgrade`" in result.stderr


def test_a_database_that_cannot_be_opened_names_the_key(bridge: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///no/such/folder/bridge.db")
    result = bridge("events", "list")
    assert result.exit_code == 1
    assert result.stderr.startswith("bridge: DATABASE_URL: ")


def test_the_database_is_upgraded_once(bridge: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///new.db")
    assert bridge("db", "current").output == "none\n"
    assert bridge("db", "upgrade").output == f"upgraded to {head()}\n"
    assert bridge("db", "upgrade").output == f"the database is at {head()} already\n"
    assert bridge("db", "current").output == f"{head()}\n"
    assert bridge("db", "check").exit_code == 0


def test_check_names_every_problem_with_its_key(bridge: Commands) -> None:
    configure(bridge, '[privcy]\n[destinations.other]\nkind = "epr"\nurl = "https://example.com"')
    result = bridge("check")
    assert result.exit_code == 1
    assert "wrong    destinations.other.kind: " in result.stdout
    assert "wrong    privcy: " in result.stdout


def test_check_goes_on_without_a_key(bridge: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    (bridge.folder / "secrets/bridge_secret_key").unlink()
    monkeypatch.setenv("DATABASE_URL", "sqlite:///no/such/folder/bridge.db")
    shown = bridge("check").stdout
    assert "wrong    BRIDGE_SECRET_KEY: " in shown
    assert "wrong    DATABASE_URL: " in shown


def test_check_accepts_literal_secrets_only_when_told_to(bridge: Commands) -> None:
    literal = 'auth = { type = "bearer", token = "a literal token" }'
    configure(bridge, f'[destinations.other]\nkind = "crm"\nurl = "https://example.com"\n{literal}')
    refused = bridge("check")
    assert refused.exit_code == 1
    assert "a literal token" not in refused.output
    assert bridge("check", "--allow-literals").exit_code == 0


def test_check_makes_no_database(bridge: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///new.db")
    assert "nothing is in the database yet" in bridge("check").output
    assert not (bridge.folder / "new.db").exists()


def test_a_token_is_printed_once_and_listed_without_its_secret(bridge: Commands) -> None:
    created = bridge.json("token", "create", "--name", "ops", "--role", "operator", "--expires", "90d")
    assert list(created) == ["token"]
    (listed,) = bridge.json("token", "list")["items"]
    assert (listed["name"], listed["person"], listed["role"]) == ("ops", "ops", "operator")
    assert created["token"].startswith(f"gbr_{listed['id']}_")
    assert created["token"].split("_", 2)[2] not in bridge("token", "list").output
    assert datetime.fromisoformat(listed["expires_at"]) > datetime.now(UTC) + timedelta(days=89)


def test_a_token_is_made_for_a_reason_that_the_audit_keeps(bridge: Commands) -> None:
    arguments = ("--name", "erp", "--role", "sender", "--destination", "erp", "--reason", "the new warehouse")
    assert bridge("token", "create", *arguments).exit_code == 0
    (entry,) = bridge.json("audit", "list", "--action", "token.created")["items"]
    assert entry["reason"] == "the new warehouse"
    (listed,) = bridge.json("token", "list")["items"]
    assert listed["destination"] == "erp"
    assert bridge("token", "create", *arguments[:-1], "  ").exit_code == 1


def test_a_status_that_no_answer_has_is_wrong_usage_as_for_the_api(bridge: Commands) -> None:
    assert bridge("deliveries", "list", "--status", "99").exit_code == 2
    assert bridge("deliveries", "list", "--status", "599").exit_code == 0


def test_a_revoked_token_cannot_be_revoked_again(bridge: Commands) -> None:
    bridge("token", "create", "--name", "ops", "--role", "operator")
    token_id = bridge.json("token", "list")["items"][0]["id"]
    assert bridge("token", "revoke", token_id).exit_code == 0
    assert bridge("token", "revoke", token_id).exit_code == 1


def test_a_sender_can_only_name_a_destination_that_is_there(bridge: Commands) -> None:
    arguments = ["token", "create", "--name", "erp", "--role", "sender", "--destination"]
    assert "known: erp, crm" in bridge(*arguments, "epr").stderr
    assert bridge(*arguments, "erp").exit_code == 0


def test_the_audit_says_which_system_user_it_was(bridge: Commands) -> None:
    bridge("token", "create", "--name", "ops", "--role", "operator")
    (entry,) = bridge.json("audit", "list", "--action", "token.created")["items"]
    assert entry["actor"] == f"cli:{pwd.getpwuid(os.getuid()).pw_name}"


def test_lists_go_on_where_the_page_before_ended(bridge: Commands) -> None:
    owed = [owe(bridge.database, NOW, subject=f"record:S/{number}")[0] for number in range(3)]
    first = bridge.json("deliveries", "list", "--limit", "2")
    second = bridge.json("deliveries", "list", "--limit", "2", "--cursor", first["next"])
    assert [one["id"] for one in [*first["items"], *second["items"]]] == owed[::-1]
    assert second["next"] is None


def test_a_cursor_of_another_list_is_refused(bridge: Commands) -> None:
    for number in range(2):
        owe(bridge.database, NOW, subject=f"record:S/{number}")
    cursor = bridge.json("deliveries", "list", "--limit", "1")["next"]
    assert bridge("events", "list", "--cursor", cursor).exit_code == 1


def test_lists_narrow_by_their_options(bridge: Commands) -> None:
    owe(bridge.database, NOW, subject="record:S/1", destinations=["erp", "crm"])
    owe(bridge.database, NOW, subject="record:S/2")
    assert len(bridge.json("deliveries", "list", "--destination", "crm", "--state", "pending")["items"]) == 1
    (event,) = bridge.json("events", "list", "--text", "s/2")["items"]
    assert event["subject"] == "record:S/2"
    assert bridge.json("events", "list", "--since", "1h")["items"] == []
    assert len(bridge.json("events", "list", "--until", "2026-05-01T12:00:01")["items"]) == 2


def test_a_wrong_time_is_wrong_usage(bridge: Commands) -> None:
    result = bridge("events", "list", "--since", "yesterday")
    assert result.exit_code == 2
    assert "24h" in result.stderr


def test_a_list_in_a_pipe_has_plain_columns(bridge: Commands) -> None:
    (delivery_id,) = owe(bridge.database, NOW)
    head, row = bridge("deliveries", "list").stdout.splitlines()
    assert head.split()[:4] == ["ID", "CREATED", "DESTINATION", "STATE"]
    assert row.split()[:4] == [delivery_id, "2026-05-01T12:00:00Z", "erp", "pending"]


def test_what_others_sent_cannot_steer_the_terminal(bridge: Commands) -> None:
    owe(bridge.database, NOW, subject="record:S/\x1b[31mred\nline")
    shown = bridge("events", "list").stdout
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2
    event_id = bridge.json("events", "list")["items"][0]["id"]
    assert "\x1b" not in bridge("events", "show", event_id).stdout


def test_one_event_is_shown_with_its_deliveries(bridge: Commands) -> None:
    (delivery_id,) = owe(bridge.database, NOW)
    event_id = bridge.json("events", "list")["items"][0]["id"]
    assert bridge.json("events", "show", event_id)["deliveries"][0]["id"] == delivery_id
    assert f"id              {event_id}" in bridge("events", "show", event_id).stdout


def test_a_pending_delivery_can_be_cancelled_and_then_replayed(bridge: Commands) -> None:
    (delivery_id,) = owe(bridge.database, NOW)
    assert bridge("deliveries", "replay", delivery_id, "--reason", "try").exit_code == 1
    assert bridge("deliveries", "cancel", delivery_id, "--reason", "wrong").exit_code == 0
    replayed = bridge.json("deliveries", "replay", delivery_id, "--reason", "right after all")
    shown = bridge.json("deliveries", "show", replayed["id"])
    assert (shown["replay_of"], shown["state"], shown["attempt_log"]) == (delivery_id, "pending", [])
    assert bridge.json("audit", "list", "--action", "delivery.cancelled")["items"][0]["reason"] == "wrong"


def test_acting_on_a_delivery_needs_a_reason(bridge: Commands) -> None:
    (delivery_id,) = owe(bridge.database, NOW)
    assert bridge("deliveries", "cancel", delivery_id).exit_code == 2
    assert bridge("replay", "--state", "dead").exit_code == 2


def test_a_dry_run_counts_and_orders_nothing(bridge: Commands) -> None:
    kill(bridge, owe(bridge.database, NOW, subject="record:S/1", destinations=["erp", "crm"]))
    shown = bridge("replay", "--state", "dead", "--dry-run")
    assert shown.stdout.splitlines() == [
        "2 matched",
        "       1 to crm",
        "       1 to erp",
        "       2 of type custom_object.record.updated",
    ]
    assert bridge.json("replays", "list")["items"] == []


def test_an_order_that_nobody_waits_for_is_printed_as_it_stands(bridge: Commands) -> None:
    kill(bridge, owe(bridge.database, NOW))
    order = bridge.json("replay", "--state", "dead", "--destination", "erp", "--reason", "up again", "--no-wait")
    assert (order["state"], order["matched"], order["mode"]) == ("running", 1, "every")
    assert bridge.json("replays", "show", order["id"])["reason"] == "up again"
    assert bridge.json("replays", "list")["items"][0]["id"] == order["id"]


def test_a_replay_to_nobody_known_is_refused(bridge: Commands) -> None:
    result = bridge("replay", "--destination", "epr", "--dry-run")
    assert result.exit_code == 1
    assert "filter.destination: known destinations: crm, erp" in result.stderr


def configure(bridge: Commands, more: str) -> None:
    """Write `more` at the end of the configuration."""
    with (bridge.folder / "bridge.toml").open("a") as file:
        file.write(f"\n{more}\n")


def kill(bridge: Commands, delivery_ids: list[str]) -> None:
    """Make them dead, as the dispatcher would after the last try."""
    with bridge.database.write() as session:
        session.execute(
            update(DeliveryRow)
            .where(DeliveryRow.id.in_(delivery_ids))
            .values(state="dead", finished_at=NOW, last_error="gave up")
        )
        session.execute(update(LaneRow).values(head_seq=LaneRow.last_seq + 1, due_at=None))
