"""When nothing is let through."""

from __future__ import annotations

from datetime import timedelta

import pytest
import requests

from bridge.genesys.breaker import Breaker
from bridge.genesys.errors import NotFound, RateLimited, Unavailable
from tests.fakes import FakeClock
from tests.genesys.conftest import Outbox
from tests.genesys.fake_genesys import FakeGenesys, Says

READ = ("GET", "/api/v2/conversations/c-1")
COMMAND = ("conversation.attributes.update", {"conversation_id": "c-1", "attributes": {"tier": "gold"}})


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker(clock=clock)


def state_of(breaker: Breaker) -> str:
    """As a plain word: it changes behind the type checker's back."""
    return breaker.state


def fail(breaker: Breaker, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(Unavailable), breaker.guard():
            raise Unavailable("down")


def test_five_failures_in_a_row_leave_it_closed_and_the_sixth_opens_it(breaker: Breaker) -> None:
    fail(breaker, 5)
    assert state_of(breaker) == "closed"
    fail(breaker)
    assert state_of(breaker) == "open"


def test_a_sign_of_life_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    fail(breaker, 5)
    with breaker.guard():
        pass
    fail(breaker, 5)
    assert state_of(breaker) == "closed"


@pytest.mark.parametrize("refusal", [NotFound("no"), RateLimited("slow down")])
def test_a_refusal_is_a_sign_of_life(breaker: Breaker, refusal: Exception) -> None:
    fail(breaker, 5)
    with pytest.raises(type(refusal)), breaker.guard():
        raise refusal
    fail(breaker, 5)
    assert state_of(breaker) == "closed"


def test_while_it_is_open_nothing_is_sent_and_the_step_is_deferred(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, 6)
    clock.advance(10)
    with pytest.raises(Unavailable) as refused, breaker.guard():
        pytest.fail("it let a call through")
    assert refused.value.deferred
    assert not refused.value.sent
    assert refused.value.retry_after == timedelta(seconds=20)


def test_half_open_lets_one_call_through_and_its_success_closes(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, 6)
    clock.advance(30)
    assert state_of(breaker) == "half-open"
    with breaker.guard():
        with pytest.raises(Unavailable) as refused, breaker.guard():
            pytest.fail("it let a second call through")
        assert refused.value.deferred
    assert state_of(breaker) == "closed"


def test_half_open_reopens_on_a_failure(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, 6)
    clock.advance(30)
    fail(breaker)
    assert state_of(breaker) == "open"


def test_a_probe_that_ended_without_a_verdict_lets_the_next_one_through(breaker: Breaker, clock: FakeClock) -> None:
    fail(breaker, 6)
    clock.advance(30)
    with pytest.raises(KeyboardInterrupt), breaker.guard():
        raise KeyboardInterrupt
    with breaker.guard():
        pass
    assert state_of(breaker) == "closed"


def test_an_outage_opens_it_and_its_end_closes_it(genesys: FakeGenesys, outbox: Outbox, clock: FakeClock) -> None:
    genesys.on(*READ, *[Says(503)] * 3, *[requests.ReadTimeout()] * 3, Says(404))
    for _ in range(6):
        with pytest.raises(Unavailable) as down:
            outbox.takes(*COMMAND).step()
        assert not down.value.deferred
    with pytest.raises(Unavailable) as held:
        outbox.takes(*COMMAND).step()
    assert held.value.deferred
    assert len(genesys.calls()) == 6
    assert str(outbox.client.breaker_state) == "open"
    clock.advance(30)
    with pytest.raises(NotFound):
        outbox.takes(*COMMAND).step()
    assert str(outbox.client.breaker_state) == "closed"
