from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs

import pytest

from bridge.clock import SystemClock
from bridge.destinations.authentication import RENEW_BEFORE, UNSAID_LIFETIME, Authentication, authentication
from bridge.destinations.deadline import Deadline
from bridge.destinations.trouble import TokenRefused, TokenUnavailable
from bridge.settings.model import AuthSettings, Secret
from tests.destinations.ways import Way, silent
from tests.fakes import FakeClock
from tests.receivers import Answer, Received, Receiver, hang_up


def fixed(settings: AuthSettings) -> Authentication:
    return authentication(settings, transport=Way().adapter, now=FakeClock().monotonic)


def header(settings: AuthSettings) -> dict[str, str]:
    return dict(fixed(settings).headers(Deadline(5, SystemClock())))


def test_each_fixed_type_has_its_header() -> None:
    secret = Secret("s3cret")
    assert header(AuthSettings()) == {}
    assert header(AuthSettings(type="bearer", token=secret)) == {"Authorization": "Bearer s3cret"}
    assert header(AuthSettings(type="basic", user="übel", password=secret)) == {
        "Authorization": "Basic " + base64.b64encode("übel:s3cret".encode()).decode()
    }
    assert header(AuthSettings(type="api-key", token=secret)) == {"X-API-Key": "s3cret"}
    assert header(AuthSettings(type="api-key", header="X-Mine", token=secret)) == {"X-Mine": "s3cret"}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (AuthSettings(type="bearer"), "token"),
        (AuthSettings(type="bearer", token=Secret("s3cret\n")), "token"),
        (AuthSettings(type="bearer", token=Secret("")), "token"),
        (AuthSettings(type="api-key", token=Secret("s3crét")), "token"),
        (AuthSettings(type="basic", user="u"), "password"),
        (AuthSettings(type="basic", password=Secret("s3cret")), "user"),
        (AuthSettings(type="basic", user="u:v", password=Secret("s3cret")), "user"),
        (AuthSettings(type="oauth2-client-credentials", client_id="c", client_secret=Secret("s3cret")), "token_url"),
        (
            AuthSettings(type="oauth2-client-credentials", token_url="https://a/", client_secret=Secret("s")),
            "client_id",
        ),
    ],
)
def test_what_is_incomplete_is_named_and_not_shown(settings: AuthSettings, key: str) -> None:
    with pytest.raises(ValueError, match=f"^{key}: ") as refused:
        fixed(settings)
    assert "s3cr" not in str(refused.value)


class Tokens:
    """A token server on the receiver: gives t1, t2, … and remembers what it was asked."""

    def __init__(self, receiver: Receiver, clock: FakeClock, **answer: object) -> None:
        self.receiver, self.answer = receiver, {"token_type": "Bearer", "expires_in": 3600, **answer}
        self.given = 0
        self._now: Callable[[], float] = clock.monotonic
        receiver.answer = self._answer
        settings = AuthSettings(
            type="oauth2-client-credentials",
            token_url=receiver.url + "/oauth/token",
            client_id="cli:ent",
            client_secret=Secret("p&ss wörd"),
            scope="events:write audit",
        )
        self.authentication = authentication(settings, transport=Way().adapter, now=lambda: self._now())

    def looks_at(self, now: Callable[[], float]) -> None:
        """From now on, tell the time like this."""
        self._now = now

    def ask(self, seconds: float = 5) -> str:
        return self.authentication.headers(Deadline(seconds, SystemClock()))["Authorization"]

    def _answer(self, request: Received) -> Answer:
        self.given += 1
        return Answer(200, body=json.dumps({"access_token": f"t{self.given}"} | self.answer).encode())


def test_a_token_is_asked_for_as_oauth_says(receiver: Receiver, clock: FakeClock) -> None:
    assert Tokens(receiver, clock).ask() == "Bearer t1"
    [request] = receiver.requests
    assert request.path == "/oauth/token"
    assert parse_qs(request.body.decode()) == {"grant_type": ["client_credentials"], "scope": ["events:write audit"]}
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    user, _, password = (
        base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode().partition(":")
    )
    assert (user, password) == ("cli%3Aent", "p%26ss+w%C3%B6rd")  # RFC 6749, section 2.3.1


def test_a_token_serves_until_a_minute_before_its_end(receiver: Receiver, clock: FakeClock) -> None:
    tokens = Tokens(receiver, clock)
    assert tokens.ask() == "Bearer t1"
    clock.advance(3600 - RENEW_BEFORE - 1)
    assert tokens.ask() == "Bearer t1"
    clock.advance(1)
    assert [tokens.ask(), tokens.ask()] == ["Bearer t2", "Bearer t2"]


@pytest.mark.parametrize(
    ("expires_in", "lasts"),
    [(None, UNSAID_LIFETIME - RENEW_BEFORE), ("soon", UNSAID_LIFETIME - RENEW_BEFORE), (40, 20)],
)
def test_a_short_or_unsaid_lifetime_is_used_sensibly(
    receiver: Receiver, clock: FakeClock, expires_in: object, lasts: float
) -> None:
    tokens = Tokens(receiver, clock, expires_in=expires_in)
    tokens.ask()
    clock.advance(lasts - 0.5)
    assert tokens.ask() == "Bearer t1"
    clock.advance(1)
    assert tokens.ask() == "Bearer t2"


def test_many_threads_without_a_token_fetch_one(receiver: Receiver, clock: FakeClock) -> None:
    tokens = Tokens(receiver, clock)
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(lambda _: tokens.ask(), range(32))) == {"Bearer t1"}
    assert tokens.given == 1


def test_near_the_end_one_thread_renews_while_the_others_go_on(receiver: Receiver, clock: FakeClock) -> None:
    tokens = Tokens(receiver, clock)
    tokens.ask()
    clock.advance(3600 - RENEW_BEFORE)
    released = threading.Event()

    def slowly(request: Received) -> Answer:
        released.wait(5)
        return Answer(200, body=b'{"access_token":"t2","expires_in":3600}')

    receiver.answer = slowly
    with ThreadPoolExecutor(1) as renewing:
        renewed = renewing.submit(tokens.ask)
        receiver.wait_for(2)
        assert [tokens.ask() for _ in range(5)] == ["Bearer t1"] * 5
        released.set()
        assert renewed.result() == "Bearer t2"
    assert tokens.ask() == "Bearer t2"
    assert len(receiver.requests) == 2


def test_who_comes_late_to_a_renewal_does_not_renew_again(receiver: Receiver, clock: FakeClock) -> None:
    tokens = Tokens(receiver, clock)
    tokens.ask()
    clock.advance(3600 - RENEW_BEFORE)
    looks = 0

    def while_somebody_else_renews() -> float:
        nonlocal looks
        looks += 1
        if looks == 2:  # between the look at the old token's age and taking the lock
            assert tokens.ask() == "Bearer t2"
        return clock.monotonic()

    tokens.looks_at(while_somebody_else_renews)
    assert tokens.ask() == "Bearer t2"
    assert tokens.given == 2


def test_while_the_old_token_lasts_a_token_server_that_is_down_costs_nothing(
    receiver: Receiver, clock: FakeClock
) -> None:
    tokens = Tokens(receiver, clock)
    tokens.ask()
    clock.advance(3600 - RENEW_BEFORE)
    receiver.answers(500, 503)
    assert [tokens.ask(), tokens.ask()] == ["Bearer t1", "Bearer t1"]
    assert tokens.ask() == "Bearer t2"
    receiver.stop()
    clock.advance(3600)
    with pytest.raises(TokenUnavailable, match="connection refused"):
        tokens.ask()


def test_a_refused_token_is_dropped_but_not_a_newer_one(receiver: Receiver, clock: FakeClock) -> None:
    tokens = Tokens(receiver, clock)
    first = tokens.ask()
    tokens.authentication.refused({"Authorization": first})
    assert tokens.ask() == "Bearer t2"
    tokens.authentication.refused({"Authorization": first})  # a slow try that still had the first
    assert tokens.ask() == "Bearer t2"


@pytest.mark.parametrize("status", [400, 401, 403])
def test_refused_credentials_need_a_person(receiver: Receiver, clock: FakeClock, status: int) -> None:
    tokens = Tokens(receiver, clock)
    receiver.answers(Answer(status, body=b'{"error":"invalid_client","error_description":"p&ss"}'))
    with pytest.raises(TokenRefused, match=f"^no access token: the token server answered {status}$"):
        tokens.ask()


@pytest.mark.parametrize(
    "answer",
    [
        *(500, 429, 302, 204, hang_up),
        *(
            Answer(200, body=body)
            for body in (b"", b"{", b"[]", b"null", b'{"access_token":7}', b'{"access_token":""}')
        ),
        Answer(200, body=b'{"access_token":"a\\r\\nX-Evil: 1"}'),
        Answer(200, body=b'{"access_token":"\xc3\xa4"}'),
    ],
)
def test_a_token_server_that_gives_none_is_asked_again_later(
    receiver: Receiver, clock: FakeClock, answer: int | Answer
) -> None:
    tokens = Tokens(receiver, clock)
    receiver.answers(answer)
    with pytest.raises(TokenUnavailable, match=r"^no access token: ") as unavailable:
        tokens.ask()
    assert not unavailable.value.needs_a_person
    assert tokens.ask() == "Bearer t1"


def test_a_token_server_that_hangs_costs_the_deadline_and_no_more(receiver: Receiver, clock: FakeClock) -> None:
    tokens = Tokens(receiver, clock)
    receiver.answers(silent)
    way = Way()
    with ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(tokens.ask, 0.2) for _ in range(3)]
        for each in asked:
            error = each.exception(timeout=2)
            assert error is None or isinstance(error, TokenUnavailable)
        assert sum(each.exception() is not None for each in asked) >= 1
    way.close()


def test_a_token_server_stands_behind_the_guard_too(clock: FakeClock) -> None:
    settings = AuthSettings(
        type="oauth2-client-credentials",
        token_url="http://169.254.169.254/latest/api/token",
        client_id="c",
        client_secret=Secret("s3cret"),
    )
    oauth = authentication(settings, transport=Way().adapter, now=clock.monotonic)
    with pytest.raises(TokenRefused, match="forbidden address"):
        oauth.headers(Deadline(5, SystemClock()))


def test_no_secret_and_no_token_shows_in_a_repr(receiver: Receiver, clock: FakeClock) -> None:
    tokens = Tokens(receiver, clock)
    tokens.ask()
    shown = repr(tokens.authentication) + repr(vars(tokens.authentication))
    shown += repr(fixed(AuthSettings(type="bearer", token=Secret("s3cret"))))
    assert not any(word in shown for word in ("t1", "p&ss", "s3cret", "Basic "))
