"""The retry arithmetic: pure, so every row of it can be asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.events import RecordedEvent
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome, Rejected, RetryLater, Waiting
from bridge.outbox.retry import MAX_RETRY_AFTER, State, backoff, decide

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def a_delivery(*, failures: int = 0, age: timedelta = timedelta(0)) -> ClaimedDelivery:
    event = RecordedEvent(
        id="e",
        source="genesys",
        type="interaction.updated",
        subject="interaction:1",
        payload={},
        version=None,
        occurred_at=None,
        received_at=NOW - age,
        correlation_id=None,
        traceparent=None,
    )
    return ClaimedDelivery(
        lane_id=1,
        seq=1,
        token="t",
        lease_until=NOW,
        delivery_id="d",
        webhook_id="d",
        attempt=failures + 1,
        failures=failures,
        created_at=NOW - age,
        destination="erp",
        event=event,
    )


@given(failures=st.integers(1, 5000), seed=st.integers(), slow=st.booleans())
def test_every_wait_lies_between_half_of_the_exponential_and_the_cap(failures: int, seed: int, slow: bool) -> None:
    policy = DeliveryPolicy(retry_base=1, retry_cap=3600)
    wait = backoff(failures, policy, Random(seed), slow=slow).total_seconds()
    whole = min((60 if slow else 1) * 2.0 ** min(failures - 1, 62), 3600)
    assert whole / 2 <= wait <= whole


@pytest.mark.parametrize(
    ("outcome", "state", "waits"),
    [
        (Delivered(), State.DELIVERED, None),
        (Rejected(reason="422", error_class="status"), State.DEAD, None),
        (Waiting(progress={"step": 1}, wait=timedelta(seconds=7)), State.PENDING, timedelta(seconds=7)),
    ],
)
def test_each_outcome_has_its_state(outcome: Outcome, state: State, waits: timedelta | None) -> None:
    verdict = decide(outcome, a_delivery(), DeliveryPolicy(), NOW, Random(1))
    assert verdict.state is state
    assert verdict.due_at == (None if waits is None else NOW + waits)


def test_retry_after_is_a_not_before_and_never_a_sooner() -> None:
    late = RetryLater(reason="429", error_class="status", retry_after=timedelta(seconds=90))
    soon = RetryLater(reason="429", error_class="status", retry_after=timedelta(seconds=1))
    verdict = decide(late, a_delivery(), DeliveryPolicy(), NOW, Random(1))
    assert verdict.due_at == NOW + timedelta(seconds=90)
    verdict = decide(soon, a_delivery(failures=5), DeliveryPolicy(), NOW, Random(1))
    assert verdict.due_at is not None
    assert verdict.due_at >= NOW + timedelta(seconds=16)


def test_a_receiver_that_asks_for_a_year_is_heard_again_within_the_hour() -> None:
    year = RetryLater(reason="503", error_class="status", retry_after=timedelta(days=365))
    verdict = decide(year, a_delivery(), DeliveryPolicy(), NOW, Random(1))
    assert verdict.due_at == NOW + MAX_RETRY_AFTER


@pytest.mark.parametrize(("failures", "state"), [(0, State.PENDING), (1, State.PENDING), (2, State.DEAD)])
def test_max_attempts_counts_tries(failures: int, state: State) -> None:
    failed = RetryLater(reason="refused", error_class="connect")
    verdict = decide(failed, a_delivery(failures=failures), DeliveryPolicy(max_attempts=3), NOW, Random(1))
    assert verdict.state is state


@pytest.mark.parametrize(("age", "state"), [(3599, State.PENDING), (3600, State.DEAD)])
def test_max_age_ends_the_tries_and_says_so(age: int, state: State) -> None:
    failed = RetryLater(reason="refused", error_class="connect")
    policy = DeliveryPolicy(max_age=timedelta(hours=1))
    verdict = decide(failed, a_delivery(failures=7, age=timedelta(seconds=age)), policy, NOW, Random(1))
    assert verdict.state is state
    assert verdict.error == ("gave up after 1 hours: refused" if state is State.DEAD else "refused")
