"""Operation 2: attributes of a conversation, under its version."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests

from bridge.genesys.errors import Invalid, Unavailable, VersionConflict
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox
from tests.genesys.fake_genesys import FakeGenesys, Says

READ = "/api/v2/conversations/c-1"
WRITE = "/api/v2/conversations/c-1/attributes"
OPERATION = "conversation.attributes.update"


def body(**attributes: object) -> dict[str, Any]:
    return {"conversation_id": "c-1", "attributes": attributes or {"tier": "gold"}}


def conversation(version: int = 3, state: str = "connected", **shown: object) -> Says:
    return Says(200, {"id": "c-1", "state": state, "version": version, **({"attributes": shown} if shown else {})})


@pytest.fixture(autouse=True)
def there(genesys: FakeGenesys) -> None:
    genesys.on("GET", READ, conversation())
    genesys.on("PATCH", WRITE, Says(200, {"id": "c-1", "version": 4}))


def if_match(genesys: FakeGenesys) -> list[str]:
    return [request.headers["If-Match"] for request in genesys.sent_to("PATCH", WRITE)]


def test_it_writes_under_the_version_that_it_read(genesys: FakeGenesys, outbox: Outbox) -> None:
    done = outbox.takes(OPERATION, body()).run()
    assert if_match(genesys) == ['"3"']
    metadata = {"source": "external-integration", "timestamp": "2026-05-01T12:00:00Z"}
    assert genesys.sent("PATCH", WRITE) == [{"attributes": {"tier": "gold"}, "metadata": metadata}]
    [fact] = done.facts
    assert (fact.type, fact.subject, fact.version) == (
        "conversation.attributes.updated",
        "conversation:c-1",
        "4",
    )
    assert fact.payload == {
        "conversationId": "c-1",
        "updatedAttributes": {"tier": "gold"},
        "version": 4,
        "processedAt": "2026-05-01T12:00:00Z",
    }
    assert done.result["locking"] == "if_match"


def test_the_new_version_may_stand_in_the_etag(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("PATCH", WRITE, Says(204, headers={"ETag": '"9"'}))
    assert outbox.takes(OPERATION, body()).run().facts[0].version == "9"


@pytest.mark.parametrize(
    ("key", "rule"), [("k", None), ("k" * 128, None), ("k" * 129, "key"), ("", "key"), ("schlüssel", None)]
)
def test_a_key_has_1_to_128_characters(outbox: Outbox, key: str, rule: str | None) -> None:
    check(outbox, {key: "x"}, rule)


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", None),
        ("x" * 1024, None),
        ("x" * 1025, "max_length"),
        (0, None),
        (-1, "range"),
        (999_999_999, None),
        (1_000_000_000, "range"),
        (True, None),
        (False, None),
        ("2026-05-01T12:00:00+02:00", None),
        (1.5, "type"),
        (1.0, "type"),
        (None, "type"),
        ([], "type"),
        ({}, "type"),
    ],
)
def test_a_value_is_a_text_a_number_a_boolean_or_a_date_time(outbox: Outbox, value: object, rule: str | None) -> None:
    check(outbox, {"key": value}, rule)


def check(outbox: Outbox, attributes: dict[str, object], rule: str | None) -> None:
    takes = outbox.takes(OPERATION, {"conversation_id": "c-1", "attributes": attributes})
    if rule is None:
        takes.run()
        return
    with pytest.raises(Invalid) as refused:
        takes.run()
    assert [wrong.rule for wrong in refused.value.errors] == [rule]


def test_every_violation_is_told_at_once(genesys: FakeGenesys, outbox: Outbox) -> None:
    with pytest.raises(Invalid) as refused:
        outbox.takes(
            OPERATION, {"conversation_id": "", "attributes": {"a": 1.5, "b": -1, "c": "ok"}, "participant": "p"}
        ).run()
    assert {(wrong.field, wrong.rule) for wrong in refused.value.errors} == {
        ("conversation_id", "length"),
        ("attributes.a", "type"),
        ("attributes.b", "range"),
        ("participant", "unsupported"),
    }
    assert genesys.requests == []


@pytest.mark.parametrize("attributes", [{}, None, [], "x"])
def test_attributes_are_required(outbox: Outbox, attributes: object) -> None:
    with pytest.raises(Invalid):
        outbox.takes(OPERATION, {"conversation_id": "c-1", "attributes": attributes}).run()


@pytest.mark.parametrize("state", ["terminated", "abandoned", "TERMINATED"])
def test_system_keys_of_an_ended_conversation_are_immutable(genesys: FakeGenesys, outbox: Outbox, state: str) -> None:
    genesys.on("GET", READ, conversation(state=state))
    with pytest.raises(Invalid) as refused:
        outbox.takes(OPERATION, body(**{"system.a": "x", "system.b": "y", "systematic": "z"})).run()
    assert [wrong.field for wrong in refused.value.errors] == ["attributes.system.a", "attributes.system.b"]
    assert genesys.sent("PATCH", WRITE) == []


def test_system_keys_of_a_running_conversation_may_change(outbox: Outbox) -> None:
    outbox.takes(OPERATION, body(**{"system.a": "x"})).run()


def test_other_keys_of_an_ended_conversation_may_change(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", READ, conversation(state="terminated"))
    outbox.takes(OPERATION, body()).run()


def test_after_a_412_it_reads_again_and_sends_under_the_new_version(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", READ, conversation(3), conversation(5))
    genesys.on("PATCH", WRITE, Says(412, {"version": 5}), Says(200, {"version": 6}))
    done = outbox.takes(OPERATION, body()).run()
    assert if_match(genesys) == ['"3"', '"5"']
    assert done.measures.conflicts == 1
    assert done.facts[0].version == "6"


def test_after_a_412_it_checks_again(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", READ, conversation(3), conversation(5, state="terminated"))
    genesys.on("PATCH", WRITE, Says(412, {"version": 5}))
    with pytest.raises(Invalid):
        outbox.takes(OPERATION, body(**{"system.a": "x"})).run()
    assert len(if_match(genesys)) == 1


@pytest.mark.parametrize(("conflicts", "succeeds"), [(3, True), (4, False)])
def test_three_conflicts_are_tried_again_and_a_fourth_ends_it(
    genesys: FakeGenesys, outbox: Outbox, conflicts: int, succeeds: bool
) -> None:
    genesys.on("PATCH", WRITE, *[Says(412, {"version": 4})] * conflicts, Says(200, {"version": 9}))
    outbox.takes(OPERATION, body())
    if succeeds:
        assert outbox.run().measures.conflicts == 3
        return
    with pytest.raises(VersionConflict) as conflict:
        outbox.run()
    assert conflict.value.measures.conflicts == 4
    assert (conflict.value.sent_version, conflict.value.current_version) == (3, 4)
    assert not conflict.value.retryable


def test_conflicts_are_remembered_over_a_restart(genesys: FakeGenesys, outbox: Outbox, make_client: MakeClient) -> None:
    genesys.on("PATCH", WRITE, Says(412))
    outbox.takes(OPERATION, body())
    for _ in range(3):
        outbox.step()
        outbox.client = make_client()
    with pytest.raises(VersionConflict):
        outbox.step()
    assert outbox.delays == [timedelta(milliseconds=100 * number) for number in (1, 2, 3)]


def test_a_reply_lost_after_it_was_applied_is_found_by_reading(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", READ, conversation(3, tier="silver"), conversation(4, tier="gold", more="x"))
    genesys.on("PATCH", WRITE, requests.ReadTimeout())
    outbox.takes(OPERATION, body())
    with pytest.raises(Unavailable):
        outbox.step()
    done = outbox.run()
    assert len(if_match(genesys)) == 1
    assert done.result["already_applied"] is True
    assert done.result["maybe_doubled"] is False
    assert done.facts[0].version == "4"


def test_after_a_crash_the_version_that_stands_is_not_taken_for_ours(genesys: FakeGenesys, outbox: Outbox) -> None:
    """Its fact would make Genesys's news of the other change look like a repeat."""
    genesys.on("GET", READ, conversation(9, tier="gold"))
    done = outbox.takes(OPERATION, body()).run()
    assert if_match(genesys) == []
    assert done.facts[0].version is None


def test_a_version_that_others_have_raised_since_is_not_taken_for_ours(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", READ, conversation(3, tier="silver"), conversation(5, tier="gold"))
    genesys.on("PATCH", WRITE, requests.ReadTimeout())
    outbox.takes(OPERATION, body())
    with pytest.raises(Unavailable):
        outbox.step()
    assert outbox.run().facts[0].version is None


def test_a_lost_reply_that_was_not_applied_is_sent_again(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", READ, conversation(3, tier="silver"))
    genesys.on("PATCH", WRITE, requests.ReadTimeout(), Says(200, {"version": 4}))
    outbox.takes(OPERATION, body())
    with pytest.raises(Unavailable):
        outbox.step()
    assert outbox.run().result["maybe_doubled"] is False
    assert if_match(genesys) == ['"3"', '"3"']


@pytest.mark.parametrize("shown", [{}, {"tier": "bronze"}])
def test_a_lost_reply_of_unknown_end_is_said_to_be_maybe_doubled(
    genesys: FakeGenesys, outbox: Outbox, shown: dict[str, str]
) -> None:
    genesys.on("GET", READ, conversation(3), conversation(5, **shown))
    genesys.on("PATCH", WRITE, requests.ReadTimeout(), Says(200, {"version": 6}))
    outbox.takes(OPERATION, body())
    with pytest.raises(Unavailable):
        outbox.step()
    assert outbox.run().result["maybe_doubled"] is True
    assert if_match(genesys) == ['"3"', '"5"']


def test_a_connect_that_failed_leaves_no_doubt(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("GET", READ, conversation(3), conversation(5))
    genesys.on("PATCH", WRITE, requests.ConnectTimeout(), Says(200, {"version": 6}))
    outbox.takes(OPERATION, body())
    with pytest.raises(Unavailable):
        outbox.step()
    assert outbox.run().result["maybe_doubled"] is False


@pytest.mark.parametrize("shown", [1, "true"])
def test_true_is_not_one_when_values_are_compared(genesys: FakeGenesys, outbox: Outbox, shown: object) -> None:
    genesys.on("GET", READ, conversation(3, vip=shown))
    outbox.takes(OPERATION, body(vip=True)).run()
    assert len(if_match(genesys)) == 1


class VersionedConversation:
    """One conversation that keeps its lock, as Genesys would."""

    def __init__(self, genesys: FakeGenesys) -> None:
        self._lock = threading.Lock()
        self.version, self.attributes = 1, dict[str, object]()
        genesys.on("GET", READ, lambda _request: self._read())
        genesys.on("PATCH", WRITE, self._write)

    def _read(self) -> Says:
        with self._lock:
            shown = dict(self.attributes)
            return Says(200, {"id": "c-1", "state": "connected", "version": self.version, "attributes": shown})

    def _write(self, request: requests.PreparedRequest) -> Says:
        with self._lock:
            if request.headers["If-Match"] != f'"{self.version}"':
                return Says(412, {"version": self.version})
            self.attributes.update(json.loads(request.body or b"")["attributes"])
            self.version += 1
            return Says(200, {"version": self.version})


def test_eight_writers_lose_no_update(genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock) -> None:
    conversation = VersionedConversation(genesys)
    client = make_client(conflict_tries=50, max_writes=8)
    at_once = threading.Barrier(8)

    def write(number: int) -> int:
        outbox = Outbox(client, clock).takes(OPERATION, body(**{f"k{number}": number}), command_id=f"cmd-{number}")
        at_once.wait(5)
        return outbox.run().measures.conflicts

    with ThreadPoolExecutor(8) as threads:
        conflicts = sum(threads.map(write, range(8)))
    assert conversation.attributes == {f"k{number}": number for number in range(8)}
    assert conversation.version == 9
    assert len(genesys.sent_to("PATCH", WRITE)) == 8 + conflicts
