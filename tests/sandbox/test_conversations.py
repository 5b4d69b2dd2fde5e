"""Conversation attributes: versions, If-Match, states, values."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import RLock
from typing import Any

import pytest
import requests

from bridge.sandbox import SandboxConfig
from bridge.sandbox.conversations import update_attributes
from bridge.sandbox.refusals import Refused
from bridge.sandbox.repeats import Answer, Repeats
from bridge.sandbox.sandbox import build
from tests.fakes import FakeClock
from tests.sandbox.calling import Caller
from tests.sandbox.conftest import Serve

CONVERSATION = "/api/v2/conversations/conv-2001"


def write(
    caller: Caller,
    attributes: object,
    headers: Mapping[str, str] | None = None,
    *,
    version: int = 1,
    conversation: str = CONVERSATION,
) -> requests.Response:
    body = {"attributes": attributes, "metadata": {"source": "test", "timestamp": "2026-05-01T12:00:00Z"}}
    return caller.patch(f"{conversation}/attributes", body, {"If-Match": f'"{version}"', **(headers or {})})


def test_reading_gives_state_version_and_etag(caller: Caller) -> None:
    answer = caller.get(CONVERSATION)
    assert (answer.json()["state"], answer.json()["version"], answer.headers["ETag"]) == ("connected", 1, '"1"')
    assert caller.get("/api/v2/conversations/nobody").status_code == 404


def test_a_write_under_the_version_that_stands_raises_it(caller: Caller) -> None:
    answer = write(caller, {"crm.tier": "gold", "count": 7, "vip": True})
    assert answer.status_code == 200
    assert (answer.json()["version"], answer.headers["ETag"]) == (2, '"2"')
    assert caller.get(CONVERSATION).json()["attributes"] == {
        "language": "en",
        "system.queue": "support",
        "crm.tier": "gold",
        "count": 7,
        "vip": True,
    }


def test_a_write_under_an_older_version_is_412_with_the_current_one(caller: Caller) -> None:
    write(caller, {"a": 1})
    answer = write(caller, {"a": 2})
    assert answer.status_code == 412
    assert (answer.json()["version"], answer.headers["ETag"]) == (2, '"2"')
    assert caller.get(CONVERSATION).json()["attributes"]["a"] == 1


@pytest.mark.parametrize(("header", "status"), [(None, 428), ("1", 400), ('W/"1"', 400), ('"x"', 400), ("*", 200)])
def test_if_match_is_required_and_quoted(caller: Caller, header: str | None, status: int) -> None:
    headers = {} if header is None else {"If-Match": header}
    answer = caller.patch(f"{CONVERSATION}/attributes", {"attributes": {"a": 1}}, headers)
    assert answer.status_code == status


def test_eight_writers_lose_no_update(serve: Serve, quick_switches: None) -> None:
    caller = serve(SandboxConfig(rate_per_minute=100_000))

    def add_one(_: int) -> int:
        for tries in range(1, 1000):
            read = caller.get(CONVERSATION).json()
            answer = write(caller, {"sum": read["attributes"].get("sum", 0) + 1}, version=read["version"])
            if answer.status_code == 200:
                return tries
        raise AssertionError("no write got through")

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(add_one, range(24)))
    after = caller.get(CONVERSATION).json()
    assert (after["attributes"]["sum"], after["version"]) == (24, 25)


class Yielding(dict[str, object]):
    """Attributes that let other threads run in the middle of a write."""

    def update(self, *args: Any, **more: Any) -> None:
        time.sleep(0.0005)
        super().update(*args, **more)


def test_the_look_at_the_version_and_the_write_are_one_step(clock: FakeClock) -> None:
    world = build(SandboxConfig(), clock.now).world
    conversation = world.conversation("conv-2001")
    conversation.attributes = Yielding()
    written: list[int] = []

    def write_often(times: int) -> None:
        for _ in range(times):
            version = conversation.version
            with contextlib.suppress(Refused):
                update_attributes(world, "conv-2001", f'"{version}"', {"attributes": {"a": 1}})
                written.append(version)

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(write_often, [10] * 8))
    assert sorted(written) == list(range(1, conversation.version))


@pytest.mark.parametrize("conversation", ["conv-2003", "conv-2004"])
def test_system_keys_of_an_ended_conversation_are_immutable(caller: Caller, conversation: str) -> None:
    path = f"/api/v2/conversations/{conversation}"
    refused = write(caller, {"system.queue": "x", "other": "y"}, conversation=path)
    assert refused.status_code == 400
    assert [detail["fieldName"] for detail in refused.json()["details"]] == ["attributes.system.queue"]
    assert write(caller, {"other": "y"}, conversation=path).status_code == 200


def test_system_keys_of_a_running_conversation_may_change(caller: Caller) -> None:
    assert write(caller, {"system.queue": "sales"}).status_code == 200


@pytest.mark.parametrize("value", ["x" * 1024, "", 0, 999_999_999, False, "2026-05-01T12:00:00Z"])
def test_a_value_at_its_boundary_is_taken(caller: Caller, value: object) -> None:
    assert write(caller, {"k" * 128: value}).status_code == 200


@pytest.mark.parametrize("value", ["x" * 1025, -1, 1_000_000_000, 1.5, None, [], {}])
def test_a_value_beyond_it_is_refused(caller: Caller, value: object) -> None:
    assert write(caller, {"a": value}).status_code == 400


def test_every_violation_is_told_at_once(caller: Caller) -> None:
    body = {"attributes": {"": 1, "b": 1.5}, "metadata": {"timestamp": "yesterday"}}
    answer = caller.patch(f"{CONVERSATION}/attributes", body, {"If-Match": '"1"'})
    assert answer.status_code == 400
    named = {detail["fieldName"] for detail in answer.json()["details"]}
    assert named == {"metadata.source", "metadata.timestamp", "attributes", "attributes.b"}


def test_a_repeat_under_one_idempotency_key_is_answered_and_not_done_again(caller: Caller) -> None:
    key = {"X-Genesys-Idempotency-Key": "command-1"}
    first = write(caller, {"a": 1}, key)
    again = write(caller, {"a": 1}, key, version=2)
    assert first.json() == again.json()
    assert again.headers["X-Sandbox-Repeat"] == "true"
    assert caller.get(CONVERSATION).json()["version"] == 2


def test_what_was_refused_may_be_tried_again_under_the_same_key(caller: Caller) -> None:
    key = {"X-Genesys-Idempotency-Key": "command-1"}
    assert write(caller, {"a": 1}, key, version=9).status_code == 412
    assert write(caller, {"a": 1}, key, version=1).status_code == 200


def test_repeats_at_once_are_done_once() -> None:
    repeats, done = Repeats(RLock()), []

    def do() -> Answer:
        time.sleep(0.005)  # lets the others in
        done.append(1)
        return 200, {"number": len(done)}

    with ThreadPoolExecutor(8) as repeaters:
        answers = list(repeaters.map(lambda _: repeats.once("PATCH /x", "key", do), range(8)))
    assert [answer for answer, _ in answers] == [(200, {"number": 1})] * 8
    assert sorted(repeated for _, repeated in answers) == [False] + [True] * 7


def test_idempotency_keys_can_be_left_unhonoured(serve: Serve) -> None:
    caller = serve(SandboxConfig(honour_idempotency_keys=False))
    key = {"X-Genesys-Idempotency-Key": "command-1", "If-Match": "*"}
    assert [write(caller, {"a": 1}, key).json()["version"] for _ in range(2)] == [2, 3]


def test_somebody_at_the_desk_changes_state_and_attributes_and_the_version_rises(caller: Caller) -> None:
    change = {"state": "terminated", "attributes": {"note": "done"}}
    answer = requests.patch(f"{caller.url}/_sandbox/conversations/conv-2001", json=change, timeout=5)
    assert (answer.json()["state"], answer.json()["version"]) == ("terminated", 3)
    assert write(caller, {"a": 1}).status_code == 412


@pytest.mark.parametrize(
    "body", [b"[]", b"{", b"\xff", b'{"attributes":{"a":1},"x":NaN}', b'{"attributes":{"a":"\\ud800"}}']
)
def test_what_is_not_a_json_object_is_400(caller: Caller, body: bytes) -> None:
    answer = requests.patch(
        f"{caller.url}{CONVERSATION}/attributes",
        data=body,
        headers={"Authorization": f"Bearer {caller.token}", "Content-Type": "application/json", "If-Match": '"1"'},
        timeout=5,
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad.request")
