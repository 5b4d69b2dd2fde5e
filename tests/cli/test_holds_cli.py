"""Legal holds from the command line."""

from __future__ import annotations

import pytest

from bridge.clock import new_id
from tests.cli.conftest import Commands
from tests.outbox.yard import actions

WHY = ("--reason", "case 7")


def test_a_hold_is_placed_seen_and_released(bridge: Commands) -> None:
    placed = bridge("holds", "add", "--subject", "conversation:c-1", *WHY)
    assert placed.exit_code == 0, placed.output
    (listed,) = bridge.json("holds", "list", "--active")["items"]
    assert placed.stdout == f"hold {listed['id']} is in force\n"
    assert (listed["subject"], listed["reason"], listed["active"]) == ("conversation:c-1", "case 7", True)
    assert bridge.json("holds", "show", listed["id"]) == {**listed, "purges": []}
    assert "conversation:c-1" in bridge("holds", "list").stdout
    done = bridge("holds", "release", listed["id"], "--reason", "closed")
    assert (done.exit_code, done.stdout) == (0, f"hold {listed['id']} is released\n")
    assert bridge.json("holds", "list", "--active")["items"] == []
    assert bridge.json("holds", "list", "--released")["items"][0]["release_reason"] == "closed"
    again = bridge("holds", "release", listed["id"], "--reason", "closed")
    assert (again.exit_code, "released already" in again.stderr) == (1, True)
    assert actions(bridge.database) == ["hold.placed", "hold.released"]


def test_a_day_is_held_whole_and_a_customer_is_masked(bridge: Commands) -> None:
    days = bridge.json("holds", "add", "--type", "voice", "--from", "2026-05-01", "--to", "2026-05-31", *WHY)
    assert (days["from"], days["to"]) == ("2026-05-01T00:00:00Z", "2026-06-01T00:00:00Z")
    customer = bridge("holds", "add", "--customer", "+4915112345689", *WHY, "--json")
    assert '"customer": "+49******89"' in customer.stdout
    told = bridge("holds", "list").stdout
    assert "customer +49******89" in told
    assert "every voice" in told


@pytest.mark.parametrize(
    ("arguments", "exit_code", "said"),
    [
        (("add", *WHY), 1, "subject: say exactly one of"),
        (("add", "--subject", "c-1", *WHY), 1, "must be a subject like"),
        (("add", "--customer", "C-1", "--reason", " "), 1, "reason: say why"),
        (("add", "--customer", "C-1"), 2, "--reason"),
        (("add", "--type", "letter", *WHY), 2, "letter"),
        (("add", "--type", "voice", "--from", "soon", *WHY), 2, "must be a duration"),
        (("release", new_id(), *WHY), 1, "no hold has this id"),
    ],
)
def test_what_makes_no_sense_is_refused(
    bridge: Commands, arguments: tuple[str, ...], exit_code: int, said: str
) -> None:
    refused = bridge("holds", *arguments)
    assert (refused.exit_code, said in refused.stderr) == (exit_code, True), refused.output


def test_a_hold_of_bridge_toml_is_shown_and_released_there_only(bridge: Commands) -> None:
    with (bridge.folder / "bridge.toml").open("a") as file:
        file.write('\n[[legal_holds]]\ncustomer = "C-42"\nreason = "case 7"\n')
    (declared,) = bridge.json("holds", "list")["items"]
    assert (declared["origin"], declared["customer"]) == ("bridge.toml", "C***")
    refused = bridge("holds", "release", declared["id"], *WHY)
    assert (refused.exit_code, "take it out there" in refused.stderr) == (1, True)
