"""How fast the client may call."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import requests

from bridge.genesys import GenesysClient
from bridge.genesys.errors import RateLimited
from bridge.genesys.pace import Pace, WriteSlots
from bridge.genesys.wire import Call
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox
from tests.genesys.fake_genesys import FakeGenesys, Says


@pytest.fixture
def pace(clock: FakeClock) -> Pace:
    return Pace(per_minute=300, clock=clock)


def wait_of(pace: Pace) -> float:
    with pytest.raises(RateLimited) as limited:
        pace.admit()
    assert limited.value.deferred
    assert limited.value.retry_after is not None
    return limited.value.retry_after.total_seconds()


def counted(count: int, allowed: int = 300, reset: int = 20) -> dict[str, str]:
    return {
        "inin-ratelimit-count": str(count),
        "inin-ratelimit-allowed": str(allowed),
        "inin-ratelimit-reset": str(reset),
    }


def test_three_hundred_calls_go_and_the_next_is_told_when(pace: Pace, clock: FakeClock) -> None:
    for _ in range(300):
        pace.admit()
        pace.spend()
    assert wait_of(pace) == pytest.approx(0.2)
    clock.advance(0.2)
    pace.admit()


def test_the_bucket_never_holds_more_than_a_minute(pace: Pace, clock: FakeClock) -> None:
    clock.advance(3600)
    for _ in range(300):
        pace.spend()
    assert wait_of(pace) == pytest.approx(0.2)


def test_calls_of_an_admitted_step_may_go_below_zero_and_are_owed(pace: Pace) -> None:
    for _ in range(310):
        pace.spend()
    assert wait_of(pace) == pytest.approx(11 / 5)


def test_the_platforms_count_lowers_ours(pace: Pace) -> None:
    pace.learn(counted(299))
    pace.admit()
    pace.spend()
    assert wait_of(pace) == pytest.approx(0.2)


def test_the_platforms_count_never_raises_ours(pace: Pace) -> None:
    for _ in range(300):
        pace.spend()
    pace.learn(counted(1, allowed=1000))
    assert wait_of(pace) == pytest.approx(0.2)


def test_an_exhausted_platform_is_left_alone_until_its_reset(pace: Pace, clock: FakeClock) -> None:
    pace.learn(counted(300, reset=20))
    assert wait_of(pace) == pytest.approx(20)
    clock.advance(20)
    pace.admit()


@pytest.mark.parametrize("headers", [{}, {"inin-ratelimit-count": "5"}, {**counted(1), "inin-ratelimit-count": "x"}])
def test_headers_that_say_nothing_change_nothing(pace: Pace, headers: dict[str, str]) -> None:
    pace.learn(headers)
    for _ in range(300):
        pace.admit()
        pace.spend()


def test_a_429_holds_everybody_back(genesys: FakeGenesys, outbox: Outbox, clock: FakeClock) -> None:
    genesys.on("GET", "/api/v2/conversations/c-1", Says(429, headers={"Retry-After": "7"}))
    body = {"conversation_id": "c-1", "attributes": {"tier": "gold"}}
    with pytest.raises(RateLimited) as said:
        outbox.takes("conversation.attributes.update", body).step()
    assert not said.value.deferred
    with pytest.raises(RateLimited) as held:
        outbox.takes("conversation.attributes.update", body).step()
    assert held.value.deferred
    assert held.value.retry_after == timedelta(seconds=7)
    assert len(genesys.calls()) == 1


def test_the_platforms_headers_reach_the_bucket(genesys: FakeGenesys, outbox: Outbox, clock: FakeClock) -> None:
    genesys.on("GET", "/api/v2/interactions/purge/p-1", Says(200, {"status": "running"}, counted(300, reset=20)))
    outbox.client.purge_status("p-1")
    with pytest.raises(RateLimited) as held:
        outbox.takes("conversation.attributes.update", {"conversation_id": "c", "attributes": {"a": "b"}}).step()
    assert held.value.retry_after == timedelta(seconds=20)


def test_a_step_is_let_in_or_refused_as_a_whole(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    """Else a budget that comes back one by one would let the reads through and never a write."""
    genesys.on("GET", "/api/v2/conversations/c-1", Says(200, {"id": "c-1", "state": "connected", "version": 1}))
    genesys.on("PATCH", "/api/v2/conversations/c-1/attributes", Says(200, {"version": 2}))
    outbox = Outbox(make_client(rate_per_minute=1), clock)
    body = {"conversation_id": "c-1", "attributes": {"tier": "gold"}}
    outbox.takes("conversation.attributes.update", body).run()
    with pytest.raises(RateLimited) as refused:
        outbox.takes("conversation.attributes.update", body).step()
    assert refused.value.retry_after == timedelta(seconds=120)  # the PATCH is owed too
    assert len(genesys.calls()) == 2


def test_no_more_than_three_writes_at_once_reach_one_endpoint(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    client = make_client()
    inside, let_go = threading.Semaphore(0), threading.Event()

    def slow_write(_request: requests.PreparedRequest) -> Says:
        inside.release()
        assert let_go.wait(5)
        return Says(200, {"version": 2})

    for number in range(4):
        genesys.on("PUT", f"/api/v2/customobjects/schemas/Order/records/r-{number}", slow_write)

    def write(number: int) -> object:
        body = {"schema": "Order", "record_id": f"r-{number}", "version": 1, "fields": {"a": 1}}
        return Outbox(client, clock).takes("record.update", body, command_id=f"c-{number}").step()

    with ThreadPoolExecutor(3) as threads:
        writes = [threads.submit(write, number) for number in range(3)]
        for _ in writes:
            assert inside.acquire(timeout=5)
        with pytest.raises(RateLimited) as refused:
            write(3)
        assert refused.value.deferred
        let_go.set()
        for done in writes:
            done.result(5)
    write(3)


def test_slots_are_per_endpoint_and_reads_need_none() -> None:
    slots = WriteSlots(1)
    patch, put = (Call(method=method, path="/x", endpoint=f"{method} /x") for method in ("PATCH", "PUT"))
    read = Call(method="GET", path="/x", endpoint="GET /x")
    with slots.hold(patch), slots.hold(put), slots.hold(read), slots.hold(read), pytest.raises(RateLimited):
        slots.hold(patch).__enter__()
    with slots.hold(patch):
        pass


def test_the_blocking_calls_wait_for_the_pace(genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock) -> None:
    genesys.on("GET", "/api/v2/interactions/purge/p-1", Says(200, {"purgeId": "p-1", "status": "running"}))
    client: GenesysClient = make_client(rate_per_minute=1)
    client.purge_status("p-1")
    before = clock.monotonic()
    client.purge_status("p-1")
    assert clock.monotonic() - before == pytest.approx(60)
