"""Faults on demand, seen from the other end of a real connection."""

from __future__ import annotations

import time

import pytest
import requests

from tests.sandbox.calling import Caller, eventually

CONVERSATION = "/api/v2/conversations/conv-2001"


def touch(caller: Caller) -> requests.Response:
    return caller.patch(f"{CONVERSATION}/attributes", {"attributes": {"a": 1}}, {"If-Match": "*"})


def test_a_status_is_answered_as_often_as_asked(caller: Caller) -> None:
    caller.fault(path="/api/v2/conversations/*", kind="status", status=503, times=2)
    answers = [caller.get(CONVERSATION) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].json()["status"] == 503
    assert answers[0].json()["contextId"] == answers[0].headers["ININ-Correlation-Id"]


@pytest.mark.parametrize("retry_after", ["7", "Fri, 01 May 2026 12:00:07 GMT"])
def test_a_status_may_have_headers(caller: Caller, retry_after: str) -> None:
    caller.fault(path="*", kind="status", status=429, headers={"Retry-After": retry_after})
    answer = caller.get(CONVERSATION)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, retry_after)


@pytest.mark.parametrize(("body", "text"), [({"version": 9}, '{"version": 9}'), ("<html>", "<html>"), ("", "")])
def test_a_status_may_have_a_body(caller: Caller, body: object, text: str) -> None:
    caller.fault(path="*", kind="status", status=200, body=body)
    assert caller.get(CONVERSATION).text == text


def test_a_faulty_request_changes_nothing(caller: Caller) -> None:
    caller.fault(path="*", kind="status", status=500)
    touch(caller)
    assert caller.state()["conversations"]["conv-2001"]["version"] == 1


def test_a_dropped_connection_gives_no_answer_and_does_nothing(caller: Caller) -> None:
    caller.fault(path="*", kind="drop")
    with pytest.raises(requests.ConnectionError):
        touch(caller)
    assert caller.state()["conversations"]["conv-2001"]["version"] == 1
    assert touch(caller).status_code == 200


def test_a_connection_dropped_after_it_was_applied_leaves_the_change(caller: Caller) -> None:
    caller.fault(path="*", kind="drop_after_apply", method="PATCH")
    with pytest.raises(requests.ConnectionError):
        touch(caller)
    assert caller.state()["conversations"]["conv-2001"]["version"] == 2
    [key] = [key for key in caller.state()["requests"] if key.startswith("PATCH")]
    assert caller.state()["requests"][key] == {"count": 1, "answers": {"dropped": 1}}


def test_a_merge_whose_reply_was_lost_is_one_merge_after_the_repeat(caller: Caller) -> None:
    caller.fault(path="/api/v2/interactions/merge", kind="drop_after_apply")
    with pytest.raises(requests.ConnectionError):
        caller.merge()
    assert caller.merge().status_code == 202
    assert {key: merge["submissions"] for key, merge in caller.state()["merges"].items()} == {"merge-1": 2}


def test_latency_delays_and_lets_through(caller: Caller) -> None:
    caller.fault(path="*", kind="latency", seconds=0.3)
    before = time.monotonic()
    assert caller.get(CONVERSATION).status_code == 200
    assert time.monotonic() - before >= 0.3


def test_a_client_that_does_not_wait_has_its_change_made_all_the_same(caller: Caller) -> None:
    caller.fault(path="*", kind="latency", seconds=0.3)
    headers = {"Authorization": f"Bearer {caller.token}", "If-Match": "*"}
    with pytest.raises(requests.ReadTimeout):
        requests.patch(
            f"{caller.url}{CONVERSATION}/attributes", json={"attributes": {"a": 1}}, headers=headers, timeout=0.1
        )
    eventually(lambda: bool(caller.state()["conversations"]["conv-2001"]["version"] == 2))


def test_a_revoked_token_is_gone_for_good(caller: Caller) -> None:
    caller.fault(path=CONVERSATION, kind="revoke_token")
    assert [caller.get(CONVERSATION).status_code for _ in range(2)] == [401, 401]
    assert caller.log_in().get(CONVERSATION).status_code == 200


def test_the_token_endpoint_can_fail_too(caller: Caller) -> None:
    caller.fault(path="/oauth/token", kind="status", status=500)
    form = {"grant_type": "client_credentials"}
    assert requests.post(f"{caller.url}/oauth/token", data=form, timeout=5).status_code == 500


def test_a_fault_hits_only_its_method_and_path(caller: Caller) -> None:
    caller.fault(path="/api/v2/conversations/conv-2002", kind="status", status=500)
    caller.fault(path="/api/v2/conversations/*", method="PATCH", kind="status", status=501)
    assert caller.get(CONVERSATION).status_code == 200
    assert touch(caller).status_code == 501
    assert caller.get("/api/v2/conversations/conv-2002").status_code == 500


def test_faults_on_one_path_come_in_the_order_they_were_asked_for(caller: Caller) -> None:
    caller.fault(path="*", kind="status", status=500)
    caller.fault(path="*", kind="status", status=502, times=2)
    assert [caller.get(CONVERSATION).status_code for _ in range(4)] == [500, 502, 502, 200]


def test_latency_adds_to_another_fault(caller: Caller) -> None:
    caller.fault(path="*", kind="status", status=503)
    caller.fault(path="*", kind="latency", seconds=0.2)
    before = time.monotonic()
    assert caller.get(CONVERSATION).status_code == 503
    assert time.monotonic() - before >= 0.2
    assert caller.state()["faults"] == []


def test_a_fault_without_end_stays_until_it_is_taken_away(caller: Caller) -> None:
    fault = caller.fault(path="*", kind="status", status=500, times=None)
    assert {caller.get(CONVERSATION).status_code for _ in range(5)} == {500}
    [listed] = requests.get(f"{caller.url}/_sandbox/faults", timeout=5).json()["faults"]
    assert (listed["id"], listed["hits"], listed["left"]) == (fault["id"], 5, None)
    one = f"{caller.url}/_sandbox/faults/{fault['id']}"
    assert [requests.delete(one, timeout=5).status_code for _ in range(2)] == [204, 404]
    assert caller.get(CONVERSATION).status_code == 200


def test_all_faults_are_taken_away_at_once(caller: Caller) -> None:
    for _ in range(3):
        caller.fault(path="*", kind="drop", times=None)
    assert requests.delete(f"{caller.url}/_sandbox/faults", timeout=5).status_code == 204
    assert caller.get(CONVERSATION).status_code == 200


def test_faults_leave_the_controls_alone(caller: Caller) -> None:
    caller.fault(path="*", kind="drop", times=None)
    assert caller.state()["faults"][0]["hits"] == 0


@pytest.mark.parametrize(
    ("fault", "field"),
    [
        ({"path": "*", "kind": "explode"}, "kind"),
        ({"kind": "drop"}, "path"),
        ({"path": "*", "kind": "drop", "times": 0}, "times"),
        ({"path": "*", "kind": "latency", "seconds": -1}, "seconds"),
        ({"path": "*", "kind": "latency", "seconds": 121}, "seconds"),
        ({"path": "*", "kind": "status", "status": 99}, "status"),
        ({"path": "*", "kind": "status", "headers": {"a": "b\r\nc: d"}}, "headers"),
        ({"path": "*", "kind": "outcome", "outcome": "great"}, "outcome"),
        ({"path": "*", "kind": "drop", "method": "get"}, "method"),
        ({"path": "*", "kind": "drop", "time": 1}, "time"),
    ],
)
def test_a_fault_that_is_wrong_names_the_field(caller: Caller, fault: dict[str, object], field: str) -> None:
    answer = requests.post(f"{caller.url}/_sandbox/faults", json=fault, timeout=5)
    assert answer.status_code == 400
    assert [detail["fieldName"] for detail in answer.json()["details"]] == [field]
