"""`bridge events reparse`: unreadable events, named or chosen, read again one by one."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

from sqlalchemy import select

from bridge.clock import new_id
from bridge.tables import EventRow
from tests.cli.conftest import Commands
from tests.outbox.yard import actions, states

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CHANGE = {"action": "update", "schemaName": "Item"}
RECORD = {"id": "r-1", "version": 3, "modifiedTime": "2026-05-01T10:00:00Z", "fields": {"qty": 5}}
READABLE = {**CHANGE, "record": RECORD}
REASON = ("--reason", "the upgrade is in")


def keep(bridge: Commands, document: object, source: str = "genesys") -> str:
    """An event as the version before kept it, that could not read `document`."""
    event_id = new_id()
    with bridge.database.write() as session:
        session.add(
            EventRow(
                id=event_id, source=source, type="unreadable", subject=f"unreadable:{event_id}", received_at=NOW,
                state="unreadable", payload={}, body=json.dumps(document).encode(), duplicates=0,
                errors=[{"field": "record", "rule": "form", "message": "Not known yet."}],
            )
        )  # fmt: skip
    return event_id


def test_a_named_event_is_parsed_again(bridge: Commands) -> None:
    event_id = keep(bridge, READABLE)
    result = bridge("events", "reparse", event_id, *REASON)
    assert (result.exit_code, result.stdout) == (0, f"{event_id}  custom_object.record.updated, owed to erp\n")
    assert states(bridge.database) == ["pending"]
    again = bridge("events", "reparse", event_id, *REASON)
    assert again.exit_code == 1
    assert "was read already" in again.stdout


def test_all_of_a_source_are_parsed_and_what_cannot_be_is_named(bridge: Commands) -> None:
    readable, wrong = keep(bridge, READABLE), keep(bridge, {**CHANGE, "record": {**RECORD, "id": ""}})
    elsewhere = keep(bridge, READABLE, source="gone")
    result = bridge("events", "reparse", "--source", "genesys", *REASON)
    assert result.exit_code == 1
    assert f"{readable}  custom_object.record.updated, owed to erp\n" in result.stdout
    assert f"{wrong}  still unreadable\n  record.id: Must have 1 to 255 characters.\n" in result.stdout
    assert elsewhere not in result.stdout
    assert actions(bridge.database).count("event.reparsed") == 2
    with bridge.database.read() as session:
        assert set(session.scalars(select(EventRow.id).where(EventRow.state == "unreadable"))) == {wrong, elsewhere}


def test_a_source_that_is_gone_does_not_stop_the_others(bridge: Commands) -> None:
    gone, readable = keep(bridge, READABLE, source="gone"), keep(bridge, READABLE)
    result = bridge("events", "reparse", "--since", "2026-01-01", *REASON, "--json")
    assert result.exit_code == 1
    told = {one["id"]: one for one in json.loads(result.stdout)["items"]}
    assert told[readable]["result"] == "recorded"
    assert "source gone is not configured" in told[gone]["errors"][0]["message"]


def test_more_than_a_page_of_them_are_all_parsed(bridge: Commands) -> None:
    kept = [keep(bridge, {**CHANGE, "record": {**RECORD, "id": f"r-{number}"}}) for number in range(201)]
    told = bridge.json("events", "reparse", "--source", "genesys", *REASON)["items"]
    assert [one["id"] for one in told] == kept
    assert {one["result"] for one in told} == {"recorded"}


def test_ids_or_a_choice_have_to_be_given_but_not_both(bridge: Commands) -> None:
    assert bridge("events", "reparse", *REASON).exit_code == 2
    assert bridge("events", "reparse", new_id(), "--source", "genesys", *REASON).exit_code == 2
    assert bridge("events", "reparse", new_id()).exit_code == 2
    assert bridge("events", "reparse", new_id(), *REASON).exit_code == 1
    assert bridge("events", "reparse", "--source", "genesys", *REASON).stderr == "nothing found\n"


def test_drift_is_told_with_what_to_do_about_it(bridge: Commands) -> None:
    assert "all is as the formats know it" in bridge("events", "drift").stdout
    event_id = keep(bridge, READABLE)
    told = bridge("events", "drift", "--since", "2026-01-01")
    assert told.exit_code == 0
    assert re.search(rf"^1 +genesys +unreadable +unreadable +record +form .*{event_id}$", told.stdout, re.MULTILINE)
    assert "bridge events reparse" in told.stdout
    assert bridge.json("events", "drift", "--since", "2026-01-01")["found"][0]["sample"] == event_id
