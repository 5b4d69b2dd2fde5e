"""Purges: asynchronous, soft and permanent, with three ends."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.sandbox import SandboxConfig
from tests.fakes import FakeClock
from tests.sandbox.calling import Caller
from tests.sandbox.conftest import Serve

OLD = ("email-1903", "email-1904")


def poll(caller: Caller, purge_id: str, times: int = 1) -> dict[str, Any]:
    for _ in range(times):
        answer = caller.get(f"/api/v2/interactions/purge/{purge_id}")
    told: dict[str, Any] = answer.json()
    return told


def test_a_purge_runs_and_completes_with_its_total(caller: Caller) -> None:
    answer = caller.purge()
    assert (answer.status_code, answer.json()["status"]) == (202, "queued")
    purge_id = answer.json()["purgeId"]
    running = poll(caller, purge_id, 2)
    assert (running["status"], running["interactions"][0]["totalInteractionsPurged"]) == ("running", 1)
    done = poll(caller, purge_id)
    assert (done["status"], done["interactions"][0]["totalInteractionsPurged"]) == ("completed", 2)
    assert done["interactions"][0]["errorReason"] is None
    assert done["endTime"] is not None
    assert [caller.get(f"/api/v2/interactions/{one}").status_code for one in OLD] == [404, 404]


def test_a_soft_purge_only_marks(caller: Caller) -> None:
    purge_id = caller.purge(purgeType="soft").json()["purgeId"]
    poll(caller, purge_id, 3)
    assert {caller.get(f"/api/v2/interactions/{one}").json()["status"] for one in OLD} == {"deleted"}
    assert (
        poll(caller, caller.purge(purgeType="soft").json()["purgeId"], 3)["interactions"][0]["totalInteractionsPurged"]
        == 0
    )


def test_a_purge_takes_only_what_its_filter_and_range_hold(serve: Serve) -> None:
    caller = serve(SandboxConfig(purge_polls=0))
    caller.patch("/api/v2/interactions/email-1904", {"attributes": {"case": "closed"}})
    caller.purge(filters={"attributes": {"case": "closed"}})
    left = caller.state()["interactions"]
    assert "email-1904" not in left
    assert {"email-1903", "email-1003", "voice-1902"} <= set(left)


def test_the_end_of_the_range_is_not_in_it(serve: Serve) -> None:
    caller = serve(SandboxConfig(purge_polls=0))
    start = caller.get("/api/v2/interactions/email-1903").json()["startTime"]
    caller.purge(dateRange={"start": "2010-01-01T00:00:00Z", "end": start})
    assert set(caller.state()["interactions"]) & set(OLD) == {"email-1903"}
    caller.purge(dateRange={"start": start, "end": "2026-01-01T00:00:00Z"})
    assert "email-1903" not in caller.state()["interactions"]


def test_a_purge_may_take_its_time(serve: Serve, clock: FakeClock) -> None:
    caller = serve(SandboxConfig(purge_polls=None, purge_seconds=600))
    purge_id = caller.purge().json()["purgeId"]
    clock.advance(300)
    assert poll(caller, purge_id)["interactions"][0]["totalInteractionsPurged"] == 1
    clock.advance(300)
    assert poll(caller, purge_id)["status"] == "completed"


@pytest.mark.parametrize("outcome", ["failed", "cancelled"])
def test_a_purge_ends_otherwise_on_demand_and_tells_what_was_done_before(caller: Caller, outcome: str) -> None:
    purge_id = caller.purge().json()["purgeId"]
    poll(caller, purge_id, 2)
    caller.fault(path="/api/v2/interactions/purge/*", kind="outcome", outcome=outcome, reason="disk full")
    told = poll(caller, purge_id)
    assert told["status"] == outcome
    assert told["interactions"][0].items() >= {"totalInteractionsPurged": 1, "errorReason": "disk full"}.items()
    assert poll(caller, purge_id)["status"] == outcome
    assert len(set(caller.state()["interactions"]) & set(OLD)) == 1


def test_an_unknown_purge_is_404(caller: Caller) -> None:
    assert caller.get("/api/v2/interactions/purge/nothing").status_code == 404


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "fax"}, "type"),
        ({"purgeType": "hard"}, "purgeType"),
        ({"reason": "too short"}, "reason"),
        ({"dateRange": {"start": "2020-01-01T00:00:00Z"}}, "dateRange.end"),
        ({"dateRange": {"start": "2020-01-01T00:00:00Z", "end": "2020-01-01T00:00:00Z"}}, "dateRange.end"),
        ({"dateRange": {"start": "2020-01-01T00:00:00", "end": "2020-02-01T00:00:00Z"}}, "dateRange.start"),
        ({"filters": {"attributes": {"a": 1}}}, "filters.attributes"),
        ({"filters": {"all": True}}, "filters.all"),
    ],
)
def test_a_purge_that_is_wrong_names_the_field(caller: Caller, change: dict[str, object], field: str) -> None:
    answer = caller.purge(**change)
    assert answer.status_code == 400
    assert [detail["fieldName"] for detail in answer.json()["details"]] == [f"interactions[0].{field}"]
    assert caller.state()["purges"] == {}
