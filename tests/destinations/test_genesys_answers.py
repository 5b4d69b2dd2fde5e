"""What the Genesys client's errors mean for a delivery."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.audit.signing import AuditSigner
from bridge.destinations.genesys_answers import HELD_BACK, exchange_of, held_back, tried_again
from bridge.destinations.registry import build_destinations
from bridge.errors import FieldError
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATE
from bridge.genesys import (
    AuthenticationFailed,
    Forbidden,
    GenesysClient,
    GenesysError,
    Invalid,
    NotFound,
    OperationFailed,
    RateLimited,
    Unavailable,
    Unsupported,
    VersionConflict,
)
from bridge.genesys.wire import Answer
from bridge.intake.ledger import BRIDGE
from bridge.outbox.contract import Delivered, Exchange, RetryLater, Waiting
from bridge.privacy.masking import Masking
from bridge.sandbox import SandboxConfig, SandboxServer
from bridge.settings.model import Settings
from tests.destinations.deliveries import INTERACTION, delivery
from tests.destinations.lakes import organisation
from tests.fakes import FakeClock

SEVEN = timedelta(seconds=7)
MASKING = Masking((), b"key")


def judged(error: GenesysError) -> RetryLater | None:
    return tried_again(error, reason="why", exchange=Exchange(status=1), progress={"work": 1})


@pytest.mark.parametrize("error", [RateLimited("m", retry_after=SEVEN), Unavailable("m", retry_after=SEVEN)])
def test_what_mends_itself_is_tried_again_when_genesys_says(error: GenesysError) -> None:
    assert judged(error) == RetryLater(
        reason="why",
        error_class=type(error).__name__,
        exchange=Exchange(status=1),
        retry_after=SEVEN,
        progress={"work": 1},
    )


@pytest.mark.parametrize("error", [AuthenticationFailed("m"), Forbidden("m")])
def test_credentials_wait_for_a_person(error: GenesysError) -> None:
    later = judged(error)
    assert later is not None
    assert later.slow


@pytest.mark.parametrize(
    "error",
    [
        NotFound("m"),
        VersionConflict("m"),
        Invalid([FieldError(field="f", rule="r", message="m")]),
        OperationFailed("m", result={}),
        Unsupported("m", alternative="a"),
    ],
)
def test_the_others_are_for_whoever_asked(error: GenesysError) -> None:
    assert judged(error) is None


def test_what_the_client_held_back_is_no_failed_try() -> None:
    assert held_back(RateLimited("m", retry_after=SEVEN, deferred=True), {"a": 1}) == Waiting(
        progress={"a": 1}, wait=SEVEN
    )
    assert held_back(Unavailable("m", deferred=True), {}) == Waiting(progress={}, wait=HELD_BACK)
    assert held_back(RateLimited("m", retry_after=SEVEN), {}) is None


def test_what_is_kept_of_an_answer_is_masked() -> None:
    answer = Answer(status=400, headers={}, body=None, excerpt='{"email": "ada@example.com", "code": "x"}')
    exchange = exchange_of(answer, MASKING)
    assert exchange.status == 400
    assert "ada@example.com" not in (exchange.answer_excerpt or "")
    assert exchange_of(None, MASKING) == Exchange()


def test_a_command_that_the_pace_holds_back_keeps_what_it_had(clock: FakeClock) -> None:
    with SandboxServer(SandboxConfig(), clock=clock.now) as sandbox:
        settings = organisation(sandbox.url, rate_per_minute=1)
        carrier = build_destinations(
            Settings(genesys=settings),
            masking=MASKING,
            clock=clock,
            signer=AuditSigner(b"a key for tests"),
            genesys=GenesysClient(settings, clock=clock),
        )["genesys"]
        body = {"conversation_id": "conv-2001", "attributes": {"tier": "gold"}}
        command = replace(INTERACTION, type=CONVERSATION_ATTRIBUTES_UPDATE, source=BRIDGE, payload={"body": body})
        assert isinstance(carrier.send(delivery(command)), Delivered)
        held = carrier.send(delivery(replace(command, id="another"), progress={"steps": [1]}))
    assert isinstance(held, Waiting)
    assert held.progress == {"steps": [1]}
    assert held.wait > HELD_BACK
