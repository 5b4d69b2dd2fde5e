"""The token: how it is asked for, kept and renewed."""

from __future__ import annotations

import base64
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest
import requests

from bridge.genesys import GenesysClient
from bridge.genesys.errors import AuthenticationFailed, Unavailable
from bridge.genesys.exchange import Exchanger
from bridge.genesys.oauth import Tokens
from bridge.settings.model import Secret
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient
from tests.genesys.fake_genesys import LOGIN_URL, TOKEN, FakeGenesys, Says

PURGE = "/api/v2/interactions/purge/p-1"
RUNNING = Says(200, {"purgeId": "p-1", "status": "running"})


def given_token(text: str, expires_in: float = 3600) -> Says:
    return Says(200, {"access_token": text, "token_type": "bearer", "expires_in": expires_in})


def used_tokens(genesys: FakeGenesys) -> list[str]:
    return [request.headers["Authorization"].removeprefix("Bearer ") for request in genesys.sent_to("GET", PURGE)]


@pytest.fixture(autouse=True)
def purge(genesys: FakeGenesys) -> None:
    genesys.on("GET", PURGE, RUNNING)


def test_the_token_is_asked_for_with_basic_auth_and_the_scopes_of_every_operation(
    genesys: FakeGenesys, client: GenesysClient
) -> None:
    client.purge_status("p-1")
    [request] = genesys.sent_to(*TOKEN)
    assert request.headers["Authorization"] == "Basic " + base64.b64encode(b"bridge:s3cr3t").decode()
    form = parse_qs(str(request.body))
    assert form["grant_type"] == ["client_credentials"]
    assert set(form["scope"][0].split()) == {
        *("interaction:update", "integration:export", "conversation:attributes:write", "conversation:read"),
        *("interaction:merge", "interaction:read", "analytics:query"),
        *("customobjects:write", "customobjects:read", "purge:write", "purge:read"),
    }


def test_one_token_serves_many_calls_until_a_minute_before_its_end(
    genesys: FakeGenesys, client: GenesysClient, clock: FakeClock
) -> None:
    client.purge_status("p-1")
    clock.advance(3539)
    client.purge_status("p-1")
    clock.advance(1)
    client.purge_status("p-1")
    assert used_tokens(genesys) == ["token-1", "token-1", "token-2"]


def test_of_eight_threads_one_renews_while_the_others_use_the_old_token(
    genesys: FakeGenesys, client: GenesysClient, clock: FakeClock
) -> None:
    client.purge_status("p-1")
    clock.advance(3545)
    renewing, let_go = threading.Event(), threading.Event()

    def slow_token(_request: requests.PreparedRequest) -> Says:
        renewing.set()
        assert let_go.wait(5)
        return given_token("token-new")

    genesys.on(*TOKEN, slow_token)
    with ThreadPoolExecutor(8) as threads:
        renewal = threads.submit(client.purge_status, "p-1")
        assert renewing.wait(5)
        others = [threads.submit(client.purge_status, "p-1") for _ in range(7)]
        for other in others:
            other.result(5)  # none of them waits for the renewal
        let_go.set()
        renewal.result(5)
    assert used_tokens(genesys)[1:] == ["token-1"] * 7 + ["token-new"]
    assert len(genesys.sent_to(*TOKEN)) == 2


class WatchedClock(FakeClock):
    """Knows who has asked it, and lets some wait for their answer."""

    def __init__(self) -> None:
        super().__init__()
        self._asked = threading.Condition()
        self.askers: set[int] = set()
        #: While set, every thread but this one waits.
        self.only: int | None = None

    def monotonic(self) -> float:
        with self._asked:
            self.askers.add(threading.get_ident())
            self._asked.notify_all()
            assert self._asked.wait_for(lambda: self.only in (None, threading.get_ident()), 5)
        return super().monotonic()

    def wait_for_askers(self, count: int) -> None:
        with self._asked:
            assert self._asked.wait_for(lambda: len(self.askers) >= count, 5)

    def let_all_go(self) -> None:
        with self._asked:
            self.only = None
            self._asked.notify_all()


def tokens_of(genesys: FakeGenesys, clock: FakeClock) -> Tokens:
    return Tokens(
        url=f"{LOGIN_URL}/oauth/token",
        client_id="bridge",
        client_secret=Secret("s3cr3t"),
        exchanger=Exchanger(adapter=genesys, clock=clock),
        clock=clock,
    )


def test_eight_threads_without_a_token_fetch_one(genesys: FakeGenesys) -> None:
    clock = WatchedClock()
    tokens = tokens_of(genesys, clock)

    def token_for_all(_request: requests.PreparedRequest) -> Says:
        clock.wait_for_askers(8)  # all have seen that there is none
        return given_token("the one")

    genesys.on(*TOKEN, token_for_all)
    with ThreadPoolExecutor(8) as threads:
        found = [done.result(5) for done in [threads.submit(tokens.current) for _ in range(8)]]
    assert found == ["the one"] * 8
    assert len(genesys.sent_to(*TOKEN)) == 1


def test_who_comes_late_to_a_renewal_does_not_renew_again(genesys: FakeGenesys) -> None:
    clock = WatchedClock()
    tokens = tokens_of(genesys, clock)
    tokens.current()
    clock.advance(3545)
    clock.only, clock.askers = threading.get_ident(), set()
    with ThreadPoolExecutor(1) as threads:
        late = threads.submit(tokens.current)
        clock.wait_for_askers(1)  # it has the old token in its hand
        assert tokens.current() == "token-2"
        clock.let_all_go()
        assert late.result(5) == "token-2"
    assert len(genesys.sent_to(*TOKEN)) == 2


def test_a_token_that_was_revoked_is_renewed_once_and_the_call_repeated(
    genesys: FakeGenesys, client: GenesysClient
) -> None:
    genesys.on("GET", PURGE, Says(401, {"code": "bad.credentials"}), RUNNING)
    assert client.purge_status("p-1").status == "running"
    assert used_tokens(genesys) == ["token-1", "token-2"]


def test_eight_threads_whose_token_was_revoked_renew_it_once(genesys: FakeGenesys, client: GenesysClient) -> None:
    refused = threading.Barrier(8)

    def answer(request: requests.PreparedRequest) -> Says:
        if request.headers["Authorization"] == "Bearer token-1":
            refused.wait(5)
            return Says(401)
        return RUNNING

    genesys.on("GET", PURGE, answer)
    with ThreadPoolExecutor(8) as threads:
        for done in [threads.submit(client.purge_status, "p-1") for _ in range(8)]:
            done.result(5)
    assert len(genesys.sent_to(*TOKEN)) == 2


def test_a_second_401_is_an_authentication_failure(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on("GET", PURGE, Says(401))
    with pytest.raises(AuthenticationFailed):
        client.purge_status("p-1")
    assert len(genesys.sent_to("GET", PURGE)) == 2


def test_wrong_credentials_are_told_without_a_call_and_without_the_secret(
    genesys: FakeGenesys, client: GenesysClient
) -> None:
    genesys.on(*TOKEN, Says(400, {"error": "invalid_client", "error_description": "client not found: bridge"}))
    with pytest.raises(AuthenticationFailed) as refused:
        client.purge_status("p-1")
    assert genesys.calls() == []
    assert refused.value.code == "invalid_client"
    assert "s3cr3t" not in repr(refused.value) + str(refused.value) + repr(refused.value.answer)


def test_a_renewal_that_fails_early_leaves_the_old_token_in_use(
    genesys: FakeGenesys, client: GenesysClient, clock: FakeClock
) -> None:
    client.purge_status("p-1")
    clock.advance(3545)
    genesys.on(*TOKEN, Says(503))
    client.purge_status("p-1")
    client.purge_status("p-1")
    assert used_tokens(genesys) == ["token-1"] * 3
    assert len(genesys.sent_to(*TOKEN)) == 2  # and it is not tried on every call
    clock.advance(56)
    with pytest.raises(Unavailable):
        client.purge_status("p-1")


def test_a_token_of_a_few_seconds_is_used_for_half_of_them(
    genesys: FakeGenesys, client: GenesysClient, clock: FakeClock
) -> None:
    genesys.on(*TOKEN, given_token("a", 4), given_token("b", 4))
    client.purge_status("p-1")
    clock.advance(1.9)
    client.purge_status("p-1")
    clock.advance(0.1)
    client.purge_status("p-1")
    assert used_tokens(genesys) == ["a", "a", "b"]


def test_a_token_answer_outside_the_contract_shows_no_token(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on(*TOKEN, Says(200, {"access_token": "t0ken"}))
    with pytest.raises(Unavailable) as refused:
        client.purge_status("p-1")
    assert refused.value.answer is None
    assert "t0ken" not in str(refused.value)


def test_no_token_or_secret_shows_in_a_repr(genesys: FakeGenesys, make_client: MakeClient) -> None:
    client = make_client()
    client.purge_status("p-1")
    assert "token-1" not in repr(vars(client))
    assert "s3cr3t" not in repr(vars(client))
