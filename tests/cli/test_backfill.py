"""`bridge backfill`: who is configured later is owed what was recorded before."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from bridge.clock import SystemClock
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, INTERACTION_UPDATE, RECORD_UPDATED
from bridge.intake.ledger import BRIDGE
from bridge.tables import EventRow
from tests.cli.conftest import Commands
from tests.outbox.yard import actions, count, owe

WHY = ("--reason", "the CRM is new")


def record(bridge: Commands, event_type: str, *, hours_ago: int = 1, to: tuple[str, ...] = ()) -> None:
    now = SystemClock().now()
    owe(bridge.database, now - timedelta(hours=hours_ago), event_type=event_type, destinations=to)


def test_each_destination_is_owed_what_it_wants_and_never_was(bridge: Commands) -> None:
    record(bridge, RECORD_UPDATED)
    record(bridge, CONVERSATION_ATTRIBUTES_UPDATED)
    record(bridge, CONVERSATION_ATTRIBUTES_UPDATED, to=("crm",))
    record(bridge, RECORD_UPDATED, hours_ago=48)
    seen = bridge.json("backfill", "--since", "24h", "--dry-run")["items"]
    assert [(one["destination"], one["matched"], one["replay"]) for one in seen] == [("erp", 1, None), ("crm", 1, None)]
    assert count(bridge.database, "replay") == 0
    done = bridge.json("backfill", "--since", "24h", *WHY)["items"]
    assert [(one["destination"], one["by_type"]) for one in done] == [
        ("erp", {RECORD_UPDATED: 1}),
        ("crm", {CONVERSATION_ATTRIBUTES_UPDATED: 1}),
    ]
    shown = bridge.json("replays", "show", done[0]["replay"])
    assert (shown["filter"]["state"], shown["filter"]["destination"], shown["reason"]) == ("none", "erp", WHY[1])
    assert actions(bridge.database) == ["replay.ordered", "replay.ordered"]


def test_one_destination_alone_is_filled_where_it_is_named(bridge: Commands) -> None:
    record(bridge, RECORD_UPDATED)
    record(bridge, CONVERSATION_ATTRIBUTES_UPDATED)
    told = bridge("backfill", "--since", "24h", "--destination", "crm", *WHY).stdout
    assert told.startswith("1 events to crm: bridge replays show ")
    assert "erp" not in told


def test_where_nothing_was_left_out_it_says_so(bridge: Commands) -> None:
    result = bridge("backfill", "--since", "24h", *WHY)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing was left out" in result.stderr


def test_commands_are_never_given_by_a_backfill(bridge: Commands) -> None:
    config = bridge.folder / "bridge.toml"
    config.write_text(
        config.read_text() + '[destinations.genesys]\nkind = "genesys"\n[genesys]\nclient_id = "x"\n'
        'client_secret = "file:secrets/erp_token"\nregion = "mypurecloud.de"\n'
    )
    record(bridge, INTERACTION_UPDATE)
    with bridge.database.write() as session:
        session.execute(update(EventRow).values(source=BRIDGE))
    assert bridge.json("backfill", "--since", "24h", "--dry-run")["items"] == []
    refused = bridge("backfill", "--since", "24h", "--destination", "genesys", "--dry-run")
    assert refused.exit_code == 1
    assert "commands are never given later" in refused.stderr


def test_a_reason_and_a_beginning_are_needed_and_names_are_known(bridge: Commands) -> None:
    assert bridge("backfill", "--since", "24h").exit_code == 2
    assert bridge("backfill", *WHY).exit_code == 2
    unknown = bridge("backfill", "--since", "24h", "--destination", "epr", *WHY)
    assert unknown.exit_code == 1
    assert "known: erp, crm" in unknown.stderr


def test_the_help_says_what_cannot_be_filled(bridge: Commands) -> None:
    assert "What Genesys has not sent cannot be" in bridge("backfill", "--help").stdout
